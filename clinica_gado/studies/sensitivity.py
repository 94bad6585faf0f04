"""What counts as enhancement, and how much: δ and λ of the local loss (Chen 2022, Fig. 7, 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from clinica_gado.errors import TrainingError
from clinica_gado.evaluation.tables import PaperTable
from clinica_gado.studies.networks import (
    UNCHANGED,
    Network,
    open_study,
    score_network,
    score_unchanged,
)
from clinica_gado.studies.scoring import SCORES
from clinica_gado.studies.tables import MEANS, caption_of, format_number, summarise, write_study
from clinica_gado.studies.values import CENTRE, DELTAS, WEIGHTS
from clinica_gado.training.config import with_changes

if TYPE_CHECKING:
    from clinica_gado.studies.material import StudyRequest
    from clinica_gado.studies.networks import Study
    from clinica_gado.training.config import TrainingConfig

NOT_RUN = "–"
Weights = tuple[float, float]


@dataclass(frozen=True)
class Setting:
    """One cell of the grid: δ, and λ1 = λ2 and λ3."""

    delta: float
    weights: Weights

    @property
    def name(self) -> str:
        """Names the folder of its network."""
        return f"delta-{self.delta:g}_weights-{self.weights[0]:g}-{self.weights[1]:g}"


def run_sensitivity(
    request: StudyRequest,
    deltas: Sequence[float] = DELTAS,
    weights: Sequence[Weights] = WEIGHTS,
    design: str = "grid",
) -> pd.DataFrame:
    """Train with each δ and λ of the local loss; write the tables, return the means.

    Parameters
    ----------
    weights : pairs of λ1 = λ2 and λ3.
    design : `grid`, each with each; or `cross`, one at a time from `CENTRE`, as in the paper.

    Raises
    ------
    TrainingError
        There is no T1w to compare with, or a value cannot be used; or see `find_material`.
    """
    cells = settings_of(deltas, weights, design)
    try:
        networks = {c: Network(c.name, config_of(request.training.config, c)) for c in cells}
    except ValueError as error:
        raise TrainingError(f"A δ or λ cannot be used: {error}.") from error
    study = open_study(request)
    scored = {cell: score_network(study, network) for cell, network in networks.items()}
    before = score_unchanged(study)
    rows = [
        {"delta": c.delta, "lambda_1": c.weights[0], "lambda_3": c.weights[1], **summarise(cases)}
        for c, cases in scored.items()
    ]
    numbers = pd.DataFrame([*rows, summarise(before)])
    table = PaperTable(_caption(study, numbers), numbers, _shown(scored))
    cases = pd.concat([*scored.values(), before], ignore_index=True)
    write_study(study, {"sensitivity": table}, cases, {"Design": design})
    return numbers


def settings_of(
    deltas: Sequence[float], weights: Sequence[Weights], design: str
) -> tuple[Setting, ...]:
    """Return the cells to run, row by row: all, or the row and the column of `CENTRE`.

    Raises
    ------
    TrainingError
        One at a time is asked for, and `CENTRE` is not among the values.
    """
    rows, columns = sorted(set(deltas)), list(dict.fromkeys(weights))
    cells = tuple(Setting(delta, pair) for delta in rows for pair in columns)
    if design == "grid":
        return cells
    delta, pair = CENTRE
    if delta not in rows or pair not in columns:
        raise TrainingError(f"One at a time needs δ = {delta} and λ = {pair} among the values.")
    return tuple(cell for cell in cells if cell.delta == delta or cell.weights == pair)


def config_of(config: TrainingConfig, setting: Setting) -> TrainingConfig:
    """Return a configuration with δ, and λ in its fine-tuning stage; without one, in all steps."""
    prefix = "fine_tuning_" if config.fine_tuning.fine_tuning_share else ""
    others, local = setting.weights
    weights = {f"{prefix}l1": others, f"{prefix}ssim": others, f"{prefix}local": local}
    return with_changes(config, {"delta": setting.delta, **weights})


def _shown(scored: dict[Setting, pd.DataFrame]) -> pd.DataFrame:
    deltas = list(dict.fromkeys(cell.delta for cell in scored))
    columns = list(dict.fromkeys(cell.weights for cell in scored))
    columns.sort(key=lambda pair: pair[1] / pair[0] if pair[0] else float("inf"))
    return pd.DataFrame({
        "δ": [f"{delta:g}" for delta in deltas],
        **{
            f"λ = ({pair[0]:g}, {pair[1]:g})": [
                _cell(scored.get(Setting(delta, pair))) for delta in deltas
            ]
            for pair in columns
        },
    })  # fmt: skip


def _cell(cases: pd.DataFrame | None) -> str:
    return NOT_RUN if cases is None else _both(summarise(cases))


def _both(means: dict[str, float]) -> str:
    names = ("psnr_db", "enhancing_psnr_db")
    return " / ".join(format_number(means[f"{n}_mean"], SCORES[n].digits) for n in names)


def _caption(study: Study, numbers: pd.DataFrame) -> str:
    before = _both({str(name): value for name, value in numbers.iloc[-1].items()})
    has_stage = study.config.fine_tuning.fine_tuning_share > 0
    title = (
        "Mean PSNR in dB over the brain / over the enhancing region, by δ of the local loss and by "
        "the weights λ = (λ1, λ3), λ1 = λ2 of MAE and SSIM, λ3 of the local loss, after Chen 2022 "
        f"(Fig. 7 and 9). The first image as it is ({UNCHANGED}): {before}."
    )
    where = (
        "the fine-tuning stage has λ, the first stage its own"
        if has_stage
        else ("λ holds in all steps")
    )
    remarks = [f"δ is on the network's scale ({study.config.network.normalisation}); {where}."]
    return caption_of(study, title, [*remarks, f"{MEANS} are in the table of numbers."])
