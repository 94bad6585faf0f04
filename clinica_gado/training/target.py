"""What a network is to make of a real pair: its input without the contrast agent, in its style."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from clinica_gado.preprocessing.intensity import smooth_inside, transfer_style

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMOOTHING_VOXELS = 0.7
"""Takes most of the noise out of the excess and leaves the veins of sulci, 1 to 2 mm wide."""
ENHANCEMENT_SD = 0.75
"""A voxel enhances when its smoothed excess is above so many robust standard deviations."""
EDGE_SD = 0.0
"""A neighbour of an enhancing voxel shares its contrast agent by partial volume from here on."""
MIN_ENHANCING_VOXELS = 8
"""Smaller isolated groups of bright voxels are noise, not vessels."""
_MAD_TO_SD = 1.4826
DEFINITION = {
    "smoothing_voxels": SMOOTHING_VOXELS,
    "enhancement_sd": ENHANCEMENT_SD,
    "edge_sd": EDGE_SD,
    "min_enhancing_voxels": MIN_ENHANCING_VOXELS,
}
"""What decides a target beside the pair: targets kept on disk are those of one definition."""


def remove_enhancement(
    source: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Take the contrast agent, and nothing else, out of `source`.

    The real non-enhanced image often comes from another sequence, with other slices and noise; a
    network trained to hit it learns that style. Here the reference is first given the intensities
    of the source (`transfer_style`); where the source is then brighter than it by more than noise,
    it takes the matched value, elsewhere it stays as it is.

    Parameters
    ----------
    source, reference : (X, Y, Z), with and without contrast agent, on one grid.
    mask : (X, Y, Z), where both were acquired.
    """
    matched = transfer_style(reference, source, mask)
    excess = np.where(mask, source - matched, np.float32(0))
    enhancing = (excess > 0) & _grow(smooth_inside(excess, mask, SMOOTHING_VOXELS), mask)
    return np.where(enhancing, matched, source).astype(np.float32)


def _grow(excess: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return groups of voxels of clear excess, and those neighbours that have some."""
    centre = float(np.median(excess[mask]))
    spread = _MAD_TO_SD * float(np.median(np.abs(excess[mask] - centre)))
    clear = mask & (excess > ENHANCEMENT_SD * spread)
    groups, _ = ndimage.label(clear, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(groups.ravel())
    clear &= sizes[groups] >= MIN_ENHANCING_VOXELS
    return clear | (ndimage.binary_dilation(clear) & mask & (excess > EDGE_SD * spread))
