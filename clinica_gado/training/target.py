"""What a network is to make of a real pair: its input with or without the contrast agent, in its
own style."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from clinica_gado.preprocessing.intensity import smooth_inside, transfer_style

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMOOTHING_VOXELS = 0.7
"""Takes most of the noise out of the excess and leaves the veins of sulci, 1 to 2 mm wide."""
CLEAR_SD = 3.0
"""A voxel enhances beyond doubt when its smoothed excess is so many robust standard deviations."""
ENHANCEMENT_SD = 1.5
"""So does a voxel above this one, where it is connected to voxels that do beyond doubt."""
EDGE_SD = 0.75
"""A neighbour of an enhancing voxel shares its contrast agent by partial volume from here on."""
MIN_CLEAR_VOXELS = 8
"""Groups with fewer voxels beyond doubt are noise, not vessels."""
_MAD_TO_SD = 1.4826
DEFINITION = {
    "smoothing_voxels": SMOOTHING_VOXELS,
    "clear_sd": CLEAR_SD,
    "enhancement_sd": ENHANCEMENT_SD,
    "edge_sd": EDGE_SD,
    "min_clear_voxels": MIN_CLEAR_VOXELS,
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
    matched, enhancing = _find_enhancement(source, reference, mask)
    return np.where(enhancing, matched, source).astype(np.float32)


def excess_of(
    enhanced: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return how much brighter the contrast agent makes an image, in its units; elsewhere 0.

    What `remove_enhancement` takes away: added to an image without agent, it makes the enhanced
    image in that one's style.

    Parameters
    ----------
    enhanced, reference, mask : as `source`, `reference` and `mask` of `remove_enhancement`.
    """
    matched, enhancing = _find_enhancement(enhanced, reference, mask)
    return np.where(enhancing, enhanced - matched, np.float32(0))


def _find_enhancement(
    source: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the reference with the intensities of the source, and where the latter enhances."""
    matched = transfer_style(reference, source, mask)
    excess = np.where(mask, source - matched, np.float32(0))
    enhancing = (excess > 0) & _grow(smooth_inside(excess, mask, SMOOTHING_VOXELS), mask)
    return matched, enhancing


def _grow(excess: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the groups of voxels of some excess that hold clear ones, and their edges.

    Two thresholds (hysteresis), for at a low one alone the noise of a quarter of a brain passes,
    and taking it away teaches a network to darken and to blur whatever it sees.
    """
    centre = float(np.median(excess[mask]))
    spread = _MAD_TO_SD * float(np.median(np.abs(excess[mask] - centre)))
    groups, n_groups = ndimage.label(
        mask & (excess > ENHANCEMENT_SD * spread), structure=np.ones((3, 3, 3))
    )
    n_clear = np.bincount(groups[mask & (excess > CLEAR_SD * spread)], minlength=n_groups + 1)
    n_clear[0] = 0
    enhancing = n_clear[groups] >= MIN_CLEAR_VOXELS
    return enhancing | (ndimage.binary_dilation(enhancing) & mask & (excess > EDGE_SD * spread))
