"""How bright what usually enhances is, relative to white matter, on the template's grid."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.segmentation.atlas import (
    ENHANCING_REGIONS,
    load_enhancing_regions,
    load_tissue_priors,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

TISSUE_PRIOR = 0.8
"""A voxel stands for grey or white matter where its prior is greater."""
CSF_PRIOR = 0.5
"""The same for CSF, which is thin nearly everywhere."""
RIM_MM = 8
"""Cortical veins and meninges are less deep than this in the template's brain."""
ATRIA_MM = 4.0
ATRIA_LEAST_X_MM, ATRIA_HIGHEST_Z_MM = 20.0, 20.0
"""Large ventricles push their choroid plexus this far to the sides of where most have it. Beyond
these MNI coordinates no artery is near, which inflow makes bright without an agent."""
MIN_VOXELS = 50
"""Fewer voxels of a region (a skull-stripped image has few sinuses) say nothing."""
ENOUGH_VOXELS = 100_000
"""Of a larger region every n-th voxel is taken."""
PERCENTILES = (25, 50, 75, 90, 95, 98, 99, 99.5, 99.9)
FIT_ROUNDS = 3
FIT_OUTLIER_SD = 2.0


@lru_cache(maxsize=1)
def regions() -> dict[str, NDArray[np.intp]]:
    """Return the flat indices on `CROP_GRID` of every region that is looked at."""
    priors, brain, labels = load_tissue_priors(), template_brain(), load_enhancing_regions()
    rim = brain & ~ndimage.binary_erosion(brain, iterations=RIM_MM)
    masks = {
        "white": priors.whitematter > TISSUE_PRIOR,
        "grey": priors.graymatter > TISSUE_PRIOR,
        "csf": priors.csf > CSF_PRIOR,
        "deep": brain & ~rim,
        "rim": rim,
        "atria": _atria(labels == ENHANCING_REGIONS["choroid"]),
        **{name: labels == label for name, label in ENHANCING_REGIONS.items()},
    }
    found = {name: np.flatnonzero(mask) for name, mask in masks.items()}
    return {name: index[:: max(1, len(index) // ENOUGH_VOXELS)] for name, index in found.items()}


def _atria(choroid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where the choroid plexus of the atria is, and where large ventricles push it."""
    x = CROP_GRID.origin[0] + np.arange(CROP_GRID.shape[0])[:, None, None]
    z = CROP_GRID.origin[2] + np.arange(CROP_GRID.shape[2])[None, None, :]
    near = ndimage.distance_transform_edt(~choroid) <= ATRIA_MM
    beside = (np.abs(x) >= ATRIA_LEAST_X_MM) & (z < ATRIA_HIGHEST_Z_MM)
    return np.asarray(choroid | (near & beside))


def profile(image: NDArray[np.float32]) -> dict[str, float]:
    """Return percentiles of each region over white matter, and the share of it that is seen.

    Parameters
    ----------
    image : (169, 208, 179), on `CROP_GRID`; zero where nothing was acquired or kept.

    Returns
    -------
    NaN where a region is hardly there.
    """
    flat = image.ravel()
    seen = {name: index[flat[index] > 0] for name, index in regions().items()}
    level = _white_matter_level(flat, seen["white"])
    numbers: dict[str, float] = {}
    for name, index in seen.items():
        relative = flat[index] / np.exp(_terms(index) @ level)
        few = len(index) < MIN_VOXELS
        levels = np.full(len(PERCENTILES), np.nan) if few else np.percentile(relative, PERCENTILES)
        numbers |= {f"{name}_p{p:g}": float(v) for p, v in zip(PERCENTILES, levels, strict=True)}
        numbers[f"{name}_share"] = len(index) / len(regions()[name])
    return numbers


def _white_matter_level(flat: NDArray[np.float32], white: NDArray[np.intp]) -> NDArray[np.float64]:
    """Fit the logarithm of white matter over the brain by a second-order polynomial.

    It is yardstick and sensitivity of the coil in one; lesions and voxels of other tissue are left
    out by their distance from the fit.
    """
    if len(white) < MIN_VOXELS:
        return np.full(_terms(white[:0]).shape[1], np.nan)
    terms, values = _terms(white), np.log(flat[white])
    kept = np.abs(values - np.median(values)) < np.log(2)
    for _ in range(FIT_ROUNDS):
        level = np.linalg.lstsq(terms[kept], values[kept], rcond=None)[0]
        rest = values - terms @ level
        kept = np.abs(rest) < FIT_OUTLIER_SD * max(1.4826 * np.median(np.abs(rest)), 1e-3)
    return np.asarray(level, dtype=np.float64)


def _terms(index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return 1, x, y, z, x², y², z², xy, xz, yz at flat indices of `CROP_GRID`, (n, 10)."""
    places = np.unravel_index(index, CROP_GRID.shape)
    x, y, z = (2 * p / n - 1 for p, n in zip(places, CROP_GRID.shape, strict=True))
    return np.stack([np.ones(len(index)), x, y, z, x * x, y * y, z * z, x * y, x * z, y * z], 1)
