"""How many cases a network needs: shares of the training set and the asymptote (Bône 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from clinica_gado.errors import TrainingError
from clinica_gado.evaluation.tables import MISSING, PaperTable
from clinica_gado.studies.networks import (
    UNCHANGED,
    Network,
    open_study,
    score_network,
    score_unchanged,
)
from clinica_gado.studies.power_law import CONFIDENCE, PowerLaw, fit_power_law
from clinica_gado.studies.scoring import SCORES
from clinica_gado.studies.tables import (
    MEANS,
    caption_of,
    format_number,
    shown_scores,
    summarise,
    write_study,
)
from clinica_gado.studies.values import FRACTIONS
from clinica_gado.training.config import with_changes

if TYPE_CHECKING:
    from clinica_gado.studies.material import StudyRequest
    from clinica_gado.studies.networks import Study

SHOWN = ("l2_e5", "lesion_l2_e4", "enhancing_l2_e4", "psnr_db", "ssim_percent")
"""What the paper's Fig. 4 plots."""


def run_fraction(
    request: StudyRequest, fractions: Sequence[float] = FRACTIONS, widths: Sequence[int] = ()
) -> pd.DataFrame:
    """Train on growing shares of the subjects; write the tables, return the asymptotes.

    Parameters
    ----------
    fractions : shares of the subjects, or label maps, that teach; each holds the smaller ones.
    widths : of the network; the configuration's when empty.

    Raises
    ------
    TrainingError
        A share is not above 0 and at most 1; or see `find_material`.
    """
    shares = sorted(set(fractions))
    if not shares or not 0 < shares[0] <= shares[-1] <= 1:
        raise TrainingError("Fractions of the training set are above 0 and at most 1.")
    study = open_study(request)
    rows, tables = [], []
    for width in sorted(set(widths)) or [study.config.network.width]:
        for share in shares:
            config = with_changes(study.config, {"width": width})
            cases = score_network(study, Network(f"width-{width}_share-{share:g}", config, share))
            rows.append({"width": width, "fraction": share, **_sizes(cases), **summarise(cases)})
            tables.append(cases)
    before = score_unchanged(study)
    numbers = pd.DataFrame([*rows, summarise(before)])
    asymptotes = extrapolate(pd.DataFrame(rows))
    shown = {"fraction": _table(study, numbers), "asymptote": _asymptotes(study, asymptotes)}
    write_study(study, shown, pd.concat([*tables, before], ignore_index=True), {})
    return asymptotes


def _sizes(cases: pd.DataFrame) -> dict[str, float]:
    """Return the means over folds of how many subjects and cases taught."""
    return cases.groupby("fold")[["subjects", "learned_cases"]].first().mean().to_dict()


def extrapolate(means: pd.DataFrame) -> pd.DataFrame:
    """Fit a power law to the mean of each score against the number of subjects.

    Parameters
    ----------
    means : `width`, `subjects` and the means of `SCORES`, a row a network.

    Returns
    -------
    A row a width and score; `value` is what the law says for ever more subjects, `at_double` for
    twice as many as there are. What cannot be told is NaN, with the reason in `note`.
    """
    rows = [
        {"width": width, "score": name, **_extrapolate(table, name)}
        for width, table in means.groupby("width")
        for name in SCORES
    ]
    return pd.DataFrame(rows)


def _extrapolate(means: pd.DataFrame, name: str) -> dict[str, Any]:
    sign = 1.0 if SCORES[name].lower_is_better else -1.0
    n, values = means["subjects"], means[f"{name}_mean"]
    law = fit_power_law(list(n), list(sign * values), sign * SCORES[name].best)
    largest = float(n.max())
    low, high = sorted((sign * law.ci_low, sign * law.ci_high))
    return {
        "n_networks": len(means),
        "subjects": largest,
        "measured": float(values[n.idxmax()]),
        "at_double": sign * law.at(2 * largest),
        "value": sign * law.asymptote,
        "ci_low": low,
        "ci_high": high,
        **_law_of(law),
    }


def _law_of(law: PowerLaw) -> dict[str, Any]:
    return {"scale": law.scale, "exponent": law.exponent, "note": law.note}


def _table(study: Study, numbers: pd.DataFrame) -> PaperTable:
    networks = numbers[numbers["width"].notna()]
    unit = "Label maps" if study.material.is_simulated else "Subjects"
    shown = pd.DataFrame({
        "C": [*(f"{width:.0f}" for width in networks["width"]), UNCHANGED],
        "F (%)": [*(f"{100 * share:g}" for share in networks["fraction"]), ""],
        unit: [*(f"{n:g}" for n in networks["subjects"]), ""],
        "Cases": [*(f"{n:g}" for n in networks["learned_cases"]), ""],
        **shown_scores(numbers, SHOWN),
    })  # fmt: skip
    title = (
        "Networks of width C trained on a share F of the training set, after Bône 2021 (Fig. 4). "
        f"{MEANS}; those that score are the same for all shares."
    )
    remarks = ["Smaller shares are parts of larger ones."]
    return PaperTable(caption_of(study, title, remarks), numbers, shown)


def _asymptotes(study: Study, asymptotes: pd.DataFrame) -> PaperTable:
    rows = asymptotes[asymptotes["score"].isin(SHOWN)].to_dict("records")
    shown = pd.DataFrame({
        "C": [f"{row['width']:.0f}" for row in rows],
        "Score": [SCORES[row["score"]].heading for row in rows],
        "All cases": [_number(row, "measured") for row in rows],
        "Twice as many": [_number(row, "at_double") for row in rows],
        "Asymptote": [_number(row, "value") for row in rows],
        f"{100 * CONFIDENCE:.0f} % interval": [_interval(row) for row in rows],
        "Note": [row["note"] for row in rows],
    })  # fmt: skip
    unit = "label maps" if study.material.is_simulated else "subjects"
    title = (
        f"Means extrapolated by a + b·n^-c in the number n of {unit} learned from, fitted to the "
        "rows of the table of fractions by least squares; the interval of the asymptote a is that "
        "of the fit (Student's t), not of other training runs. Where a higher value is better, "
        "its negative is fitted."
    )
    return PaperTable(caption_of(study, title), asymptotes, shown)


def _number(row: dict[str, Any], name: str) -> str:
    return format_number(row[name], SCORES[row["score"]].digits)


def _interval(row: dict[str, Any]) -> str:
    low, high = _number(row, "ci_low"), _number(row, "ci_high")
    return MISSING if low == MISSING else f"{low} to {high}"
