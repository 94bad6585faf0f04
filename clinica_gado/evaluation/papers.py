"""Likeness of two images as each paper measured it, so that numbers can be set beside theirs.

All take images on the common scale of `clinica_gado.evaluation.similarity` ([0, 1], (X, Y, Z)) and
a brain mask. P1 is Bottani 2022, P2 Bône 2021, P3 Chen 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.floating]
    Mask = NDArray[np.bool_]

P1_C1, P1_C2 = 0.01, 0.03
"""P1's code does not square K1 and K2 times the data range, as Wang 2004 does."""
P2_L2_SCALE, P2_TUMOUR_SCALE = 1e5, 1e4
P3_WINDOW = 7
P3_C1, P3_C2 = 0.01**2, 0.03**2

DEFINITIONS = {
    "p1_mae": "P1 (its code): mean absolute error over the whole grid, zero outside the brain",
    "p1_mse": "P1 (its code): mean squared error over the whole grid, zero outside the brain",
    "p1_psnr_db": "P1 (its code): 10 log10(1 / MSE) over the whole grid, zero outside the brain, "
    "in dB; with brain fraction f it is 10 log10(1 / f) above the in-mask PSNR",
    "p1_ssim": "P1 (its code): SSIM of one window, the whole grid, zero outside the brain, "
    "C1 = .01 and C2 = .03 unsquared",
    "p2_l2_e5": "P2: mean squared error over the voxels of the brain, times 1e5",
    "p2_tumour_l2_e4": "P2: mean squared error over the enhancing lesion, times 1e4",
    "p2_psnr_db": "P2: PSNR of the case over the voxels of the brain, MAX = 1, in dB",
    "p3_mae": "P3: mean absolute error over the voxels of the brain",
    "p3_psnr_db": "P3: PSNR over the voxels of the brain, MAX = 1 (the paper: the reference's "
    "maximum), in dB",
    "p3_ssim": "P3: 2D SSIM of each axial slice that holds brain, zero outside it, uniform 7×7 "
    "window, K1 .01, K2 .03, averaged over slices",
}


def psnr_db(mse: float) -> float:
    """Return 10 log10(1 / MSE); infinite for equal images, NaN where the error is."""
    return float("inf") if mse == 0 else float(-10 * np.log10(mse))


def p1_metrics(first: Image, second: Image, mask: Mask) -> dict[str, float]:
    """Return P1's metrics as its code takes them (the paper says "within the brain").

    Voxels outside the mask, the union of both brains, are set to zero; averages are over the whole
    grid, background included.
    """
    n_voxels = mask.size
    values, wanted = first[mask].astype(np.float64), second[mask].astype(np.float64)
    mse = float(np.sum((values - wanted) ** 2)) / n_voxels
    return {
        "p1_mae": float(np.sum(np.abs(values - wanted))) / n_voxels,
        "p1_mse": mse,
        "p1_psnr_db": psnr_db(mse),
        "p1_ssim": global_ssim(values, wanted, (P1_C1, P1_C2), n_voxels),
    }


def p2_metrics(first: Image, second: Image, mask: Mask, enhancing: Mask) -> dict[str, float]:
    """Return P2's metrics; the tumour's is NaN without an enhancing voxel."""
    squared = (first.astype(np.float64) - second) ** 2
    mse = float(squared[mask].mean())
    tumour = float(squared[enhancing].mean()) if enhancing.any() else float("nan")
    return {
        "p2_l2_e5": P2_L2_SCALE * mse,
        "p2_tumour_l2_e4": P2_TUMOUR_SCALE * tumour,
        "p2_psnr_db": psnr_db(mse),
    }


def p3_metrics(first: Image, second: Image, mask: Mask) -> dict[str, float]:
    """Return P3's metrics; like P3, without the slices that are background alone."""
    difference = (first.astype(np.float64) - second)[mask]
    return {
        "p3_mae": float(np.mean(np.abs(difference))),
        "p3_psnr_db": psnr_db(float(np.mean(difference**2))),
        "p3_ssim": slice_ssim(first, second, mask),
    }


def global_ssim(
    first: Image, second: Image, constants: tuple[float, float], n_voxels: int
) -> float:
    """Return the SSIM of one window of `n_voxels`, variances with n.

    Parameters
    ----------
    first, second : the values that are not zero in both, (n,).
    constants : C1 and C2.
    """
    c1, c2 = constants
    mean_1, mean_2 = float(first.sum()) / n_voxels, float(second.sum()) / n_voxels
    covariance = float(first @ second) / n_voxels - mean_1 * mean_2
    variances = float(first @ first + second @ second) / n_voxels - mean_1**2 - mean_2**2
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    structure = (2 * covariance + c2) / (variances + c2)
    return luminance * structure


def slice_ssim(first: Image, second: Image, mask: Mask) -> float:
    """Return the mean over axial slices of scikit-image's 2D SSIM; NaN for a grid under 7×7.

    Computed in the box of the mask, all slices at once: further than the window from the brain both
    images are zero, which is an SSIM of 1. As in scikit-image, covariances are those of a sample,
    and the border of a slice that the window does not fit is left out.
    """
    if min(mask.shape[:2]) < P3_WINDOW:
        return float("nan")
    reach = P3_WINDOW // 2
    box = (*box_around(mask, reach)[:2], slice(None))
    fits = np.zeros(mask.shape[:2], dtype=bool)
    fits[reach:-reach, reach:-reach] = True
    slices = np.flatnonzero(mask.any(axis=(0, 1)))
    inside = mask[box][..., slices]
    values, wanted = (
        np.where(inside, image[box][..., slices], 0.0).astype(np.float64)
        for image in (first, second)
    )
    similarity = _uniform_ssim(values, wanted)[fits[box[:2]]].sum(axis=0)
    n_fits = int(fits.sum())
    n_background = n_fits - int(fits[box[:2]].sum())
    return float(np.mean((similarity + n_background) / n_fits))


def _uniform_ssim(first: Image, second: Image) -> Image:
    """Return the SSIM of each voxel in its 7×7 window of its slice, zero around; (X, Y, slices)."""

    def average(image: Image) -> Image:
        size = (P3_WINDOW, P3_WINDOW, 1)
        return np.asarray(ndimage.uniform_filter(image, size, mode="constant"))

    sample = P3_WINDOW**2 / (P3_WINDOW**2 - 1)
    mean_1, mean_2 = average(first), average(second)
    products, squares = mean_1 * mean_2, mean_1**2 + mean_2**2
    covariance = sample * (average(first * second) - products)
    variances = sample * (average(first**2 + second**2) - squares)
    similarity = (2 * products + P3_C1) * (2 * covariance + P3_C2)
    return np.asarray(similarity / ((squares + P3_C1) * (variances + P3_C2)))


def box_around(mask: Mask, margin: int) -> tuple[slice, ...]:
    """Return the box of a mask with a margin, cut at the grid's border.

    What a filter no wider than the margin makes of the voxels of the mask is the same in the box.
    """
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, size in zip(box, mask.shape, strict=True)
    )
