"""Every measure of one image of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from clinica_gado.evaluation.enhancement import measure_enhancement, tissue_contrast
from clinica_gado.evaluation.metrics import METRICS
from clinica_gado.evaluation.papers import psnr_db
from clinica_gado.evaluation.similarity import likeness, scale_both_ways, sharpness
from clinica_gado.preprocessing.intensity import match_intensity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.evaluation.cases import Case, Image, Mask

FITTED_SHARE = 4
"""One voxel in so many is enough to fit an intensity match to the target."""


def measure_image(case: Case, image: Image) -> dict[str, float]:
    """Return the columns of `METRICS` for an image of a case, (X, Y, Z).

    Raises
    ------
    ValueError
        The image, or the case's reference, has no signal in the brain.
    """
    scaled = scale_both_ways(image, case.yardstick)
    if scaled is None:
        raise ValueError("there is no signal in the brain")
    numbers = {
        **likeness(scaled, case.yardstick, case.regions["enhancing_lesion"]),
        **_regional(case, scaled),
        **_enhancement(case, image),
        "sharpness_kept": sharpness_kept(image, case.source, _quiet(case)),
        **_contrasts(case, image),
    }
    return {name: numbers[name] for name in METRICS}


def sharpness_kept(image: Image, source: Image, mask: Mask) -> float:
    """Return the variance of the Laplacian of an image over that of its source in a mask.

    Each image is divided by its median there; NaN for a mask without voxels or a flat source.
    """
    if not mask.any():
        return float("nan")
    found, before = (sharpness(a, mask) / float(np.median(a[mask])) ** 2 for a in (image, source))
    return found / before if before else float("nan")


def _quiet(case: Case) -> Mask:
    """Return the voxels whose Laplacian no enhancing voxel enters."""
    touched: NDArray[np.bool_] = ndimage.binary_dilation(case.enhancing)
    return case.brain & ~touched


def _regional(case: Case, scaled: dict[str, Image]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for region, mask in case.regions.items():
        wanted = case.yardstick.scaled[mask].astype(np.float64)
        for how, values in scaled.items():
            difference = values[mask] - wanted
            found = difference.size > 0
            mae = float(np.mean(np.abs(difference))) if found else float("nan")
            psnr = psnr_db(float(np.mean(difference**2))) if found else float("nan")
            numbers |= {f"mae_{region}_{how}": mae, f"psnr_db_{region}_{how}": psnr}
    return numbers


def _enhancement(case: Case, image: Image) -> dict[str, float]:
    """Return what is left in enhancing voxels, what was changed elsewhere, as is and matched."""
    fitted = np.zeros(case.brain.shape, dtype=bool)
    fitted.flat[np.flatnonzero(case.brain)[::FITTED_SHARE]] = True
    matched = match_intensity(image, case.target, fitted)
    numbers: dict[str, float] = {}
    for suffix, values in (("", image), ("_matched", matched)):
        found = measure_enhancement(values, case.source, case.target, case.brain)
        numbers |= {
            f"enhancement_left{suffix}": found.left,
            f"side_change{suffix}": found.side_change,
            f"lesion_enhancement_left{suffix}": _left_in_lesion(case, values),
        }
    return numbers


def _left_in_lesion(case: Case, image: Image) -> float:
    lesion = case.regions["enhancing_lesion"] & case.enhancing
    if not lesion.any():
        return float("nan")
    excess = float((case.source - case.target)[lesion].mean())
    return float((image - case.target)[lesion].mean()) / excess


def _contrasts(case: Case, image: Image) -> dict[str, float]:
    found = tissue_contrast(image, case.classes, case.brain)
    return {
        **{f"{key}_contrast": value for key, value in found.items()},
        **{f"{key}_contrast_error": abs(found[key] - case.contrasts[key]) for key in found},
    }
