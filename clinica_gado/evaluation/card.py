"""Measured numbers put into a model's card, case by case, beside those of doing nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.evaluation.metrics import METRICS
from clinica_gado.evaluation.paired import IDENTITY, IDS
from clinica_gado.files import write_json
from clinica_gado.models.bundle import CARD_NAME, load_card
from clinica_gado.models.card import card_to_json

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "enhancement_left",
    "side_change",
    "gm_csf_contrast_error",
    "wm_gm_contrast_error",
    "psnr_db_matched",
    "ssim_matched",
    "psnr_db_as_is",
    "ssim_as_is",
)
"""Columns of an evaluation's cases that a card carries."""


def write_metrics(folder: Path, table: pd.DataFrame, model: str, data: str) -> None:
    """Replace the metrics in the card of a bundle by what was measured.

    Parameters
    ----------
    folder : the bundle.
    table : the cases of an evaluation.
    model : the name of the bundle in the table's column `image`.
    data : what the cases are.
    """
    card = load_card(folder)
    metrics = tuple(_metric(table, model, column, data) for column in COLUMNS)
    write_json(folder / CARD_NAME, card_to_json(replace(card, metrics=metrics)))


def _number(value: float) -> float | None:
    """Return what JSON can hold: it has no NaN and no infinity."""
    return round(float(value), 4) if math.isfinite(value) else None


def _metric(table: pd.DataFrame, model: str, column: str, data: str) -> dict[str, Any]:
    cases = table[IDS].agg("_".join, axis=1)
    by_image = {
        name: table.assign(case=cases)[table["image"] == name].set_index("case")[column]
        for name in (model, IDENTITY)
    }
    return {
        "name": column,
        "value": _number(by_image[model].mean()),
        "doing_nothing": _number(by_image[IDENTITY].mean()),
        "cases": {
            str(case): {"model": _number(by_image[model][case]), "nothing": _number(value)}
            for case, value in by_image[IDENTITY].items()
        },
        "definition": METRICS[column].definition,
        "data": data,
    }
