"""Voxels that hold two tissues: less of them by sharpening, and the rest divided by brightness."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.preprocessing.images import Volume
    from clinica_gado.segmentation.segmenter import TissueMaps

_MIN_PURE_VOXELS = 100
_DARKEST = 1e-3
"""No voxel that an image shows is zero, which says that nothing is known."""


def sharpen(volume: Volume, amount: float, sigma_mm: float) -> Volume:
    """Return an image plus so many times what a Gaussian takes from it; nothing below zero.

    A voxel takes in its neighbours, in the scanner and again when it is resampled: with this undone
    in part, narrow sulci and thin cortex keep their brightness. On simulated heads 15 and 16 it
    raised Dice by 0.01 to 0.02 in each tissue.
    """
    sigma = [sigma_mm / spacing for spacing in volume.spacing]
    smooth = ndimage.gaussian_filter(volume.data, sigma)
    sharp = volume.data + amount * (volume.data - smooth)
    return replace(volume, data=np.where(volume.data > 0, np.maximum(sharp, _DARKEST), 0.0))


def share_with_csf(volume: Volume, maps: TissueMaps, sure: float) -> TissueMaps:
    """Divide what is grey matter or CSF by brightness between the two: half of each, half way.

    Most voxels of narrow sulci hold both. Atropos gives them to grey matter, whose brightness
    spreads more: on simulated head 16 that took 0.02 of the Dice of CSF. Left as it is where
    pure voxels are few, or CSF is not darker.
    """
    either = maps.graymatter + maps.csf
    share = _share_of_brighter(volume, maps.graymatter, maps.csf, sure)
    if share is None:
        return maps
    return replace(maps, graymatter=either * share, csf=either * (1 - share))


def share_with_white(
    volume: Volume, maps: TissueMaps, may_be_white: NDArray[np.bool_], sure: float
) -> TissueMaps:
    """Give grey matter that is brighter than half way to white matter to the latter, by its share.

    As with `share_with_csf`, grey matter takes more than half of what lies between: on simulated
    heads 17 to 20 that took 0.005 of its Dice and 0.008 of white matter's, on 15 and 16 nothing.
    Not where the atlas has no white matter, (X, Y, Z): there it is a vessel that is bright.
    """
    share = _share_of_brighter(volume, maps.whitematter, maps.graymatter, sure)
    if share is None:
        return maps
    either = maps.graymatter + maps.whitematter
    is_white = may_be_white & (maps.graymatter > maps.whitematter) & (share > 0.5)
    return replace(
        maps,
        graymatter=np.where(is_white, either * (1 - share), maps.graymatter),
        whitematter=np.where(is_white, either * share, maps.whitematter),
    )


def _share_of_brighter(
    volume: Volume, brighter: NDArray[np.float32], darker: NDArray[np.float32], sure: float
) -> NDArray[np.float32] | None:
    """Return where brightness lies between two tissues, 0 to 1, (X, Y, Z); None if it cannot tell.

    It cannot where pure voxels are few, or the brighter tissue is not.
    """
    pure = volume.data[brighter > sure], volume.data[darker > sure]
    if min(len(values) for values in pure) < _MIN_PURE_VOXELS:
        return None
    bright, dark = (float(np.median(values)) for values in pure)
    if bright <= dark:
        return None
    return np.clip((volume.data - dark) / (bright - dark), 0.0, 1.0)
