"""How conspicuous lesions are: contrast to noise, to brain, and enhancement (Bône 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.floating]
    Mask = NDArray[np.bool_]

HEALTHY_DISTANCE_MM = 10.0
"""White matter nearer to a lesion may be oedema."""
DEFINITIONS = {
    "cnr": "contrast to noise: (SI lesion - SI brain) / SD brain, brain being healthy brain",
    "lbr": "lesion to brain: SI lesion / SI brain, brain being healthy brain",
    "cep_percent": "contrast enhancement percentage: 100 (SI lesion - SI lesion before) / SI "
    "lesion before, the image before contrast agent multiplied by pre_contrast_factor",
    "pre_contrast_factor": "median of the healthy brain in the image over that in the image before "
    "contrast agent: both are then on one scale, without an offset",
}
"""SI and SD: mean and standard deviation (n) in a region; all lesions of a case are one region."""


def lesion_contrast(
    image: Image, lesion: Mask, brain: Mask, pre_contrast: Image | None = None
) -> dict[str, float]:
    """Return the columns of `DEFINITIONS` of one case, all arrays (X, Y, Z).

    Parameters
    ----------
    image : with contrast agent, zero where there is no signal.
    lesion : every lesion of the case.
    brain : healthy brain, see `healthy_white_matter`.
    pre_contrast : the T1w without contrast agent; CEP is NaN without it.

    Returns
    -------
    All of them NaN without a lesion, healthy brain, signal in it or variance.
    """
    if not lesion.any() or not brain.any():
        return dict.fromkeys(DEFINITIONS, float("nan"))
    healthy = image[brain].astype(np.float64)
    mean_lesion, mean_brain = float(image[lesion].mean(dtype=np.float64)), float(healthy.mean())
    deviation = float(healthy.std())
    if mean_brain <= 0 or deviation == 0:
        return dict.fromkeys(DEFINITIONS, float("nan"))
    factor, cep = float("nan"), float("nan")
    if pre_contrast is not None:
        before = pre_contrast.astype(np.float64)
        factor = float(np.median(healthy) / np.median(before[brain]))
        mean_before = factor * float(before[lesion].mean())
        cep = 100 * (mean_lesion - mean_before) / mean_before
    return {
        "cnr": (mean_lesion - mean_brain) / deviation,
        "lbr": mean_lesion / mean_brain,
        "cep_percent": cep,
        "pre_contrast_factor": factor,
    }


def healthy_white_matter(
    white_matter: Mask, lesion: Mask, spacing: tuple[float, float, float]
) -> Mask:
    """Return white matter more than 10 mm from any lesion, (X, Y, Z); `spacing` in mm."""
    if not lesion.any():
        return white_matter
    distance = ndimage.distance_transform_edt(~lesion, sampling=spacing)
    return np.asarray(white_matter & (distance > HEALTHY_DISTANCE_MM))
