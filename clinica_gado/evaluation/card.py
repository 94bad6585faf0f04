"""Measured numbers put into a model's card, case by case, beside those of doing nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.bids import IDS
from clinica_gado.evaluation.metrics import METRICS, TISSUE_METRICS
from clinica_gado.evaluation.paired import IDENTITY
from clinica_gado.files import write_json
from clinica_gado.models.bundle import CARD_NAME, load_card
from clinica_gado.models.card import card_to_json

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "enhancement_left",
    "lesion_enhancement_left",
    "side_change",
    "sharpness_kept",
    "gm_csf_contrast_error",
    "wm_gm_contrast_error",
    "psnr_db_matched",
    "ssim_matched",
    "psnr_db_as_is",
    "ssim_as_is",
    "nmi_as_is",
    *TISSUE_METRICS,
)
"""Columns of an evaluation's cases that a card carries, those of tissue where it was segmented."""


def write_metrics(
    folder: Path, table: pd.DataFrame, model: str, data: str, engine: str | None = None
) -> None:
    """Put what was measured into the card of a bundle; what else it has stays.

    Parameters
    ----------
    folder : the bundle.
    table : the cases of an evaluation.
    model : the name of the bundle in the table's column `image`.
    data : what the cases are.
    engine : what segmented their tissue, if anything did.
    """
    card = load_card(folder)
    measured = [column for column in COLUMNS if column in table]
    metrics = [_metric(table, model, column, data) for column in measured]
    for metric in metrics:
        if metric["name"] in TISSUE_METRICS:
            metric["definition"] += f"; segmented by {engine}"
    kept = [metric for metric in card.metrics if metric["name"] not in measured]
    write_json(folder / CARD_NAME, card_to_json(replace(card, metrics=(*metrics, *kept))))


def _number(value: float) -> float | None:
    """Return what JSON can hold: it has no NaN and no infinity."""
    return round(float(value), 4) if math.isfinite(value) else None


def _metric(table: pd.DataFrame, model: str, column: str, data: str) -> dict[str, Any]:
    cases = table[IDS].agg("_".join, axis=1)
    by_image = table.assign(case=cases).pivot(index="case", columns="image", values=column)
    both = by_image[[model, IDENTITY]].dropna()
    return {
        "name": column,
        "value": _number(both[model].mean()),
        "doing_nothing": _number(both[IDENTITY].mean()),
        "cases": {
            str(case): {"model": _number(by_image[model][case]), "nothing": _number(value)}
            for case, value in by_image[IDENTITY].items()
        },
        "definition": {**METRICS, **TISSUE_METRICS}[column].definition,
        "data": data,
    }
