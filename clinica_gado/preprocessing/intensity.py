"""Intensity relations between two images of one head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.optimize import isotonic_regression

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_BINS = 64
N_ROUNDS = 3
OUTLIER_SD = 2.5
"""A voxel further from the map than so many robust standard deviations is left out of it."""
_MAD_TO_SD = 1.4826
_TINY = float(np.finfo(np.float32).tiny)


def match_intensity(
    image: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Give `image` the intensities of `reference` by a monotone map fitted on unchanged tissue.

    The map is the median of `reference` given `image`, made non-decreasing by isotonic regression.
    Voxels whose reference departs from the map, such as enhancing vessels and lesions, are left out
    and the map is fitted again, so that it carries the style of the sequence but no contrast agent.

    Parameters
    ----------
    image, reference : (X, Y, Z), on one grid.
    mask : (X, Y, Z), the voxels to fit on.

    Returns
    -------
    The whole image, mapped, (X, Y, Z); zero stays zero.
    """
    values, wanted = image[mask], reference[mask]
    (knots, levels), _ = _fit_median(values, wanted)
    matched = np.interp(image, knots, levels).astype(np.float32)
    matched[image == 0] = 0.0
    return matched


def _fit_median(
    values: NDArray[np.float32], wanted: NDArray[np.float32]
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]:
    """Return the knots and levels of the map, and how far voxels depart from it, in robust SD."""
    departure = np.zeros(values.shape)
    for _ in range(N_ROUNDS):
        kept = np.abs(departure) <= OUTLIER_SD
        knots, levels = _conditional_median(values[kept], wanted[kept])
        residual = wanted - np.interp(values, knots, levels)
        spread = _MAD_TO_SD * float(np.median(np.abs(residual[kept])))
        departure = residual / max(spread, _TINY)
    return (knots, levels), departure


def _conditional_median(
    values: NDArray[np.float32], wanted: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, N_BINS + 1)))
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    order = np.argsort(bins, kind="stable")
    groups = np.split(order, np.searchsorted(bins[order], np.arange(1, len(edges) - 1)))
    groups = [group for group in groups if group.size]
    knots = np.array([np.median(values[group]) for group in groups])
    medians = np.array([np.median(wanted[group]) for group in groups])
    weights = np.array([group.size for group in groups], dtype=float)
    levels = isotonic_regression(medians, weights=weights).x
    return _extended(knots, levels, float(edges[0]), float(edges[-1]))


def _extended(
    knots: NDArray[np.float64], levels: NDArray[np.float64], lowest: float, highest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Go on beyond the outermost medians with the slope of the outermost eighth of the bins."""
    span = max(len(knots) // 8, 1)
    if len(knots) <= span:
        return knots, levels
    first = (levels[span] - levels[0]) / (knots[span] - knots[0])
    last = (levels[-1] - levels[-1 - span]) / (knots[-1] - knots[-1 - span])
    ends = (levels[0] - first * (knots[0] - lowest), levels[-1] + last * (highest - knots[-1]))
    return np.array([lowest, *knots, highest]), np.array([ends[0], *levels, ends[1]])


STYLE_SMOOTHING_VOXELS = 1.5
"""Where two images differ in noise and slices, voxels agree only after some smoothing."""
STYLE_INSET_VOXELS = 4
"""The rim of a brain mask, where images are cut differently, is left out of the style."""


def transfer_style(
    image: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Give `image` the intensities of `reference` and keep its contrast between tissues.

    Quantiles of the two are brought together, over voxels of the mask without enhancement: those
    no brighter than `match_intensity` makes them. That map itself makes the error smallest and so
    pulls noisy voxels to the mean: grey and white matter of a noisy pair come out nearly alike.
    Here their order and their spread are kept.

    Parameters
    ----------
    image, reference : (X, Y, Z), on one grid; `reference` may hold contrast agent.
    mask : (X, Y, Z), where both were acquired.

    Returns
    -------
    The whole image, mapped, (X, Y, Z), not below 0.
    """
    inner = ndimage.binary_erosion(mask, iterations=STYLE_INSET_VOXELS)
    inner = inner if inner.any() else mask
    values, wanted = (
        smooth_inside(array, mask, STYLE_SMOOTHING_VOXELS)[inner] for array in (image, reference)
    )
    _, departure = _fit_median(values, wanted)
    kept = departure <= OUTLIER_SD
    knots, levels = _quantile_map(values[kept], wanted[kept])
    return np.maximum(np.interp(image, knots, levels), 0).astype(np.float32)


def smooth_inside(
    image: NDArray[np.float32], mask: NDArray[np.bool_], sigma: float
) -> NDArray[np.float32]:
    """Smooth the voxels of a mask by a Gaussian, `sigma` voxels, without those outside; 0 there."""
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(mask, image, np.float32(0)), sigma)
    divided = np.divide(smooth, weight, out=np.zeros_like(smooth), where=mask)
    return divided.astype(np.float32)


def _quantile_map(
    values: NDArray[np.float32], wanted: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return knots and levels of the map that makes the quantiles of `values` those of `wanted`.

    Below, it goes on with the slope of the lowest eighth, down to 0 at the image's 0; above, in
    proportion at most, for what lies there is fat or noise.
    """
    shares = np.linspace(0, 1, N_BINS + 1)
    knots, first = np.unique(np.quantile(values, shares).astype(np.float64), return_index=True)
    levels = np.quantile(wanted, shares).astype(np.float64)[first]
    span = max(len(knots) // 8, 1)
    if len(knots) <= span:
        return knots, levels
    low = (levels[span] - levels[0]) / (knots[span] - knots[0])
    high = (levels[-1] - levels[-1 - span]) / (knots[-1] - knots[-1 - span])
    high = min(high, levels[-1] / knots[-1])
    start = max(levels[0] - low * knots[0], 0.0)
    ends = (start, levels[-1] + high * knots[-1])
    return np.array([0, *knots, 2 * knots[-1]]), np.array([ends[0], *levels, ends[1]])
