"""Which inputs a network needs: backward elimination, as Bône 2021 (Table 1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clinica_gado.evaluation.metrics import records
from clinica_gado.evaluation.statistics import PARTICIPANT, compare_pairs
from clinica_gado.evaluation.tables import PaperTable, format_p
from clinica_gado.files import write_tsv
from clinica_gado.sequences import T1W, T1W_LOW_DOSE
from clinica_gado.studies.networks import (
    UNCHANGED,
    Network,
    open_study,
    score_network,
    score_unchanged,
)
from clinica_gado.studies.scoring import SCORES
from clinica_gado.studies.tables import (
    MEANS,
    caption_of,
    shown_scores,
    summarise,
    write_study,
)
from clinica_gado.training.config import with_changes
from clinica_gado.training.crossvalidation import subject_of_name

if TYPE_CHECKING:
    from clinica_gado.studies.material import StudyRequest
    from clinica_gado.studies.networks import Study
    from clinica_gado.training.config import TrainingConfig

logger = logging.getLogger(__name__)

SHOWN = ("l2_e5", "lesion_l2_e4", "enhancing_l2_e4", "psnr_db", "ssim_percent")
"""Columns of the paper's table."""
GIVEN, LEFT_OUT = "✓", "–"
Inputs = tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """A set of inputs that was tried.

    Attributes
    ----------
    step : how many inputs were left out.
    left_out : what the set has less than `parent`, the one it was made of; None for all inputs.
    is_kept : whether the elimination went on from it.
    """

    inputs: Inputs
    step: int = 0
    left_out: str | None = None
    parent: Inputs | None = None
    is_kept: bool = True


def run_ablation(request: StudyRequest, criterion: str = "l2_e5") -> pd.DataFrame:
    """Leave out the least useful input again and again; write the tables, return the comparisons.

    Parameters
    ----------
    criterion : one of `SCORES`; the input is dropped without which its mean is the best.

    Raises
    ------
    TrainingError
        See `find_material`.
    """
    study = open_study(request)
    scored: dict[Inputs, pd.DataFrame] = {}

    def measure(inputs: Inputs) -> float:
        config = with_changes(study.config, {"inputs": ",".join(inputs)})
        scored[inputs] = score_network(study, Network("_".join(inputs), config))
        return SCORES[criterion].badness(float(scored[inputs][criterion].mean()))

    candidates = eliminate(
        study.config.input_names, measure, lambda i: without_one(study.config, i)
    )
    before = score_unchanged(study)
    compared = compare(candidates, scored, criterion)
    table = _table(study, candidates, scored, before, compared, criterion)
    cases = pd.concat([*scored.values(), before], ignore_index=True)
    found = {"Criterion": criterion, "Comparisons": records(compared)}
    write_study(study, {"ablation": table}, cases, found)
    if study.is_writer:
        write_tsv(request.training.output / "comparisons.tsv", compared)
    return compared


def eliminate(
    inputs: Inputs,
    badness: Callable[[Inputs], float],
    without: Callable[[Inputs], Sequence[tuple[str, Inputs]]],
) -> list[Candidate]:
    """Return every set of inputs that backward elimination tries, in its order.

    Parameters
    ----------
    badness : measures a set; the lowest of a step is gone on from, of equal ones the first.
    without : the sets that can be made by leaving one input out, with its name; none ends it.
    """
    badness(inputs)
    tried, kept = [Candidate(inputs)], inputs
    while options := without(kept):
        found = [badness(remaining) for _, remaining in options]
        best = int(np.argmin(found))
        step, parent = tried[-1].step + 1, kept
        kept = options[best][1]
        logger.info("Step %d: %s is the least useful", step, options[best][0])
        tried += [
            Candidate(remaining, step, name, parent, index == best)
            for index, (name, remaining) in enumerate(options)
        ]
    return tried


def without_one(config: TrainingConfig, inputs: Inputs) -> list[tuple[str, Inputs]]:
    """Return what can be left out of a set of inputs, the last one first, and what then remains.

    A T1w, without contrast or of a low dose, comes first and stays: its sequence is that of the
    result. Losses that compare with the T1w keep it.
    """
    options = []
    for name in reversed(inputs):
        rest = tuple(n for n in inputs if n != name)
        ordered = tuple(sorted(rest, key=lambda n: (n != T1W, n != T1W_LOW_DOSE)))
        if ordered and ordered[0] in (T1W, T1W_LOW_DOSE) and _is_possible(config, ordered):
            options.append((name, ordered))
    return options


def _is_possible(config: TrainingConfig, inputs: Inputs) -> bool:
    try:
        with_changes(config, {"inputs": ",".join(inputs)})
    except ValueError:
        return False
    return True


def compare(
    candidates: Sequence[Candidate], scored: dict[Inputs, pd.DataFrame], criterion: str
) -> pd.DataFrame:
    """Test what leaving an input out costs, paired over the subjects or label maps that score.

    Differences are those of the mean of a subject: the smaller set minus the one it was made of.
    """
    tested = [candidate for candidate in candidates if candidate.parent is not None]
    rows = []
    for candidate in tested:
        pairs = pd.DataFrame({
            "smaller": by_subject(scored[candidate.inputs], criterion),
            "larger": by_subject(scored[candidate.parent or ()], criterion),
        })  # fmt: skip
        tests = compare_pairs(pairs.dropna(), len(tested))
        rows.append({
            "step": candidate.step,
            "left_out": candidate.left_out,
            "inputs": ",".join(candidate.inputs),
            "is_kept": candidate.is_kept,
            "criterion": criterion,
            **tests,
        })  # fmt: skip
    return pd.DataFrame(rows).drop(columns="n_visits", errors="ignore")


def by_subject(cases: pd.DataFrame, criterion: str) -> pd.Series:
    """Return the mean of a score over the cases of each subject, or label map."""
    subjects = cases["case"].map(subject_of_name).rename(PARTICIPANT)
    return cases.groupby(subjects)[criterion].mean()


def _table(
    study: Study,
    candidates: Sequence[Candidate],
    scored: dict[Inputs, pd.DataFrame],
    before: pd.DataFrame,
    compared: pd.DataFrame,
    criterion: str,
) -> PaperTable:
    names = study.config.input_names
    p_values = [float("nan"), *(compared["p_bonferroni"] if len(compared) else ())]
    rows = [
        {
            "network": "_".join(candidate.inputs),
            "step": candidate.step,
            "left_out": candidate.left_out,
            "is_kept": candidate.is_kept,
            **{f"has_{name}": name in candidate.inputs for name in names},
            **summarise(scored[candidate.inputs]),
            "p_bonferroni": p,
        }
        for candidate, p in zip(candidates, p_values, strict=True)
    ]
    rows.append({"network": UNCHANGED, **summarise(before)})
    numbers = pd.DataFrame(rows)
    shown = pd.DataFrame({
        **{name: [*(_mark(name, c) for c in candidates), "as it is" * (name == names[0])]
           for name in names},
        **shown_scores(numbers, (*SHOWN, *(() if criterion in SHOWN else (criterion,)))),
        "p": ["", *(format_p(p) for p in p_values[1:]), ""],
        "Gone on from": ["yes" * c.is_kept for c in candidates] + [""],
    })  # fmt: skip
    return PaperTable(_caption(study, criterion, len(candidates) - 1), numbers, shown)


def _mark(name: str, candidate: Candidate) -> str:
    return GIVEN if name in candidate.inputs else LEFT_OUT


def _caption(study: Study, criterion: str, m: int) -> str:
    remarks = [
        f"At each step the input is dropped without which {SCORES[criterion].heading} is the best.",
        f"p: paired two-sided t-test of {SCORES[criterion].heading} against the set that the input "
        f"was left out of, over the means of subjects, corrected by Bonferroni with m = {m}; "
        "networks trained again from other seeds would differ too, and that is not in it.",
        "A T1w, of no or a low dose, leads the other images and is always given.",
    ]
    title = f"Backward elimination of inputs after Bône 2021. {MEANS}."
    return caption_of(study, title, remarks)
