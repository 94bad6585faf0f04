"""Every number of an evaluation: what it is, and which value is the best."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from clinica_gado.evaluation.similarity import DEFINITIONS as SIMILARITY

DIGITS = 6
PSNR_TOLERANCE_DB = 0.3
"""A case is worse than the identity when its PSNR is lower by more; others by any difference."""
REGIONS = {
    "enhancing": "voxels that enhance (brighter than the image without enhancement)",
    "elsewhere": "voxels of the brain that do not enhance",
    "lesion": "voxels of the brain with any lesion label",
    "enhancing_lesion": "voxels of the brain labelled as enhancing lesion",
}
HOW = {
    "as_is": "each image divided by its median in the brain",
    "matched": "after a monotone intensity match fitted on non-enhancing tissue",
}
_REGIONAL = {
    "mae": "mean absolute error over the {region}, on the scale of the in-mask metrics; {how}",
    "psnr_db": "10 log10(1 / MSE) over the {region}, on the scale of the in-mask metrics; {how}",
}
_ENHANCEMENT = {
    "enhancement_left": "mean excess over the image without enhancement, in enhancing voxels, as a "
    "share of the input's: 1 is the input, 0 perfect",
    "side_change": "mean absolute change of the other brain voxels, as a share of the input's "
    "median",
    "lesion_enhancement_left": "enhancement_left of the voxels labelled as enhancing lesion",
}
_TISSUE_CONTRAST = {
    "gm_csf_contrast": "(GM - CSF) / (GM + CSF) of the class means; classes by k-means of the real "
    "T1w without contrast",
    "wm_gm_contrast": "(WM - GM) / (WM + GM), the same",
}
_TISSUES = {"gm": "grey matter", "wm": "white matter", "csf": "CSF"}


class Metric(NamedTuple):
    """A number in words, and its best value: infinity where higher is always better."""

    definition: str
    best: float = 0.0

    def badness(self, value: float) -> float:
        """Return how far a value is from the best; comparable between images only."""
        return -value if math.isinf(self.best) else abs(value - self.best)


def tolerance(name: str) -> float:
    """Return by how much a case may be worse than the identity and not be counted."""
    return PSNR_TOLERANCE_DB if "psnr_db" in name else 0.0


def _best_of(name: str) -> float:
    if "psnr_db" in name or "nmi" in name:
        return math.inf
    return 1.0 if any(word in name for word in ("ssim", "blur", "sharpness")) else 0.0


def _definitions() -> dict[str, str]:
    """Return the words of every column of an evaluation's cases, in their order."""
    regional = {
        f"{name}_{region}_{how}": text.format(region=REGIONS[region], how=HOW[how])
        for region in REGIONS
        for name, text in _REGIONAL.items()
        for how in HOW
    }
    matched = {
        f"{name}_matched": f"{text}; {HOW['matched']}" for name, text in _ENHANCEMENT.items()
    }
    return {
        **SIMILARITY,
        **regional,
        **_ENHANCEMENT,
        **matched,
        "sharpness_kept": "variance of the Laplacian over that of the input, each image divided by "
        "its median, in brain voxels away from enhancement: below 1 is less sharp",
        **_TISSUE_CONTRAST,
        "gm_csf_contrast_error": "absolute error of gm_csf_contrast against the image without "
        "enhancement",
        "wm_gm_contrast_error": "the same of wm_gm_contrast",
    }


def _tissue_definitions() -> dict[str, str]:
    words = {}
    for key, tissue in _TISSUES.items():
        words[f"{key}_difference_cm3"] = (
            f"|V / TIV - V_nce / TIV_nce| × mean TIV of the real T1w without contrast, {tissue}, "
            "in cm³; TIV = GM + WM + CSF of the same image"
        )
        words[f"{key}_bias_cm3"] = f"the same with its sign: positive is too much {tissue}"
    return words


def _plain_definitions() -> dict[str, str]:
    volumes = {
        f"{key}_change_percent": f"change of the volume of {tissue}, in % of that before"
        for key, tissue in {**_TISSUES, "tiv": "the total intracranial volume"}.items()
    }
    return {
        "change_percent": "mean absolute change in the brain, in % of the brain's median before",
        "mean_change_percent": "mean change with its sign, in % of the same",
        "largest_change_percent": "99.9th percentile of the absolute change, in % of the same",
        "sharpness_kept": "variance of the Laplacian in the brain over that before",
        **volumes,
    }


def _metrics(definitions: dict[str, str]) -> dict[str, Metric]:
    return {name: Metric(text, _best_of(name)) for name, text in definitions.items()}


METRICS = _metrics(_definitions())
"""Columns measured on the images of a pair."""
NOT_RANKED = frozenset(_TISSUE_CONTRAST)
"""Numbers that have no best value by themselves."""
TISSUE_METRICS = _metrics(_tissue_definitions())
PLAIN_METRICS = _metrics(_plain_definitions())


def rounded(numbers: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return numbers as a table holds them."""
    return {name: round(float(value), DIGITS) for name, value in numbers}


def _for_json(value: object) -> object:
    """Return what JSON can hold: it has no NaN and no infinity."""
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def records(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a table as JSON holds them."""
    return [
        {str(key): _for_json(value) for key, value in row.items()}
        for row in table.to_dict("records")
    ]
