"""Neighbourhoods of masks on a 1 mm grid."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from clinica_gado.simulation.labels import BoolArray, FloatArray


def within(mask: BoolArray, reach_mm: int) -> BoolArray:
    """Return the voxels within a cube of half side `reach_mm` around a mask (separable, fast)."""
    return np.asarray(ndimage.maximum_filter(mask, size=2 * reach_mm + 1), dtype=bool)


def inside(mask: BoolArray, depth_mm: int) -> BoolArray:
    """Return the voxels of a mask deeper than `depth_mm` along the axes."""
    return np.asarray(ndimage.minimum_filter(mask, size=2 * depth_mm + 1), dtype=bool)


def ellipsoid_distance(
    shape: tuple[int, ...], centre: tuple[float, ...], radii_mm: tuple[float, ...]
) -> FloatArray:
    """Return the distance to a centre in units of the half axes of an ellipsoid, (X, Y, Z)."""
    grids = np.ogrid[tuple(slice(0, n) for n in shape)]
    squares = sum(
        ((grid - c) / radius) ** 2 for grid, c, radius in zip(grids, centre, radii_mm, strict=True)
    )
    return np.asarray(np.sqrt(squares), dtype=np.float32)
