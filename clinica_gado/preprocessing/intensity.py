"""Intensity relations between two images of one head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import isotonic_regression

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_BINS = 64
N_ROUNDS = 3
OUTLIER_SD = 2.5
"""A voxel further from the map than so many robust standard deviations is left out of it."""
_MAD_TO_SD = 1.4826


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
    kept = np.ones(values.shape, dtype=bool)
    for _ in range(N_ROUNDS):
        knots, levels = _conditional_median(values[kept], wanted[kept])
        residual = wanted - np.interp(values, knots, levels)
        spread = _MAD_TO_SD * float(np.median(np.abs(residual[kept])))
        kept = np.abs(residual) <= OUTLIER_SD * spread
    matched = np.interp(image, knots, levels).astype(np.float32)
    matched[image == 0] = 0.0
    return matched


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
