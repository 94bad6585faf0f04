"""Likeness of two images inside a mask (the in-mask definitions; names in the docstrings)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from skimage.metrics import structural_similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILE = 99.9
SSIM_SIGMA, SSIM_K1, SSIM_K2 = 1.5, 0.01, 0.03


class Similarity(NamedTuple):
    """Likeness inside a mask: `mae` in units of the data range, `psnr_db` in dB, `ssim` up to 1."""

    mae: float
    psnr_db: float
    ssim: float


def compare(
    image: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> Similarity:
    """Compare an image with its reference over a mask, (X, Y, Z) each.

    Each image is divided by its own median in the mask, then both by the reference's 99.9th
    percentile in the mask, and clipped to [0, 1]. MAE and PSNR = 10 log10(1 / MSE) are over the
    voxels of the mask. SSIM is the 3D Gaussian map of Wang 2004 (sigma 1.5, K1 .01, K2 .03, data
    range 1), averaged in the mask.
    """
    first, second = on_common_scale(image, reference, mask)
    difference = (first - second)[mask].astype(np.float64)
    mse = float(np.mean(difference**2))
    _, similarity_map = structural_similarity(
        first, second, data_range=1.0, gaussian_weights=True, sigma=SSIM_SIGMA, K1=SSIM_K1,
        K2=SSIM_K2, use_sample_covariance=False, full=True,
    )  # fmt: skip
    return Similarity(
        mae=float(np.mean(np.abs(difference))),
        psnr_db=float(10 * np.log10(1 / mse)) if mse > 0 else float("inf"),
        ssim=float(similarity_map[mask].mean()),
    )


def on_common_scale(
    image: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both images on the scale that `compare` describes."""
    first, second = (values / np.median(values[mask]) for values in (image, reference))
    top = np.percentile(second[mask], PERCENTILE)
    return np.clip(first / top, 0, 1), np.clip(second / top, 0, 1)
