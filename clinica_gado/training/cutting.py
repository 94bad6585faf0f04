"""What a network sees of a pair at a time: a cube around a voxel, a slab of slices, or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.training.config import AgentIn, DataConfig
    from clinica_gado.training.pairs import ScaledPair

BRAIN_STEP, ENHANCING_STEP = 4, 20
"""Every so many voxels can be the centre of a patch: enough to choose from, in little memory."""
ENHANCING_EXCESS = 0.1
"""Where contrast is added, T1w and enhanced image are two scans, which differ everywhere: a voxel
enhances that is brighter by a fifth of the brain's median, which `PercentileMedian` puts at 0.5."""


@dataclass(frozen=True)
class Located:
    """A pair and the voxels that patches can be drawn around, (N, 3) each."""

    pair: ScaledPair
    inside: NDArray[np.int16]
    enhancing: NDArray[np.int16]

    def centre(self, enhancing_share: float, rng: np.random.Generator) -> NDArray[np.int16]:
        """Draw a voxel, in a share of the draws one that enhances."""
        centres = self.enhancing if rng.random() < enhancing_share else self.inside
        drawn: NDArray[np.int16] = centres[rng.integers(len(centres))]
        return drawn


def locate(pair: ScaledPair, *, agent_in: AgentIn = "source") -> Located:
    """Find where patches can be drawn; without enhancement, anywhere inside."""
    inside = np.argwhere(pair.mask[::BRAIN_STEP, ::BRAIN_STEP, ::BRAIN_STEP]) * BRAIN_STEP
    if not len(inside):
        inside = np.array([pair.mask.shape]) // 2
    enhancing = np.argwhere(pair.mask & _enhancing(pair, agent_in))[::ENHANCING_STEP]
    centres = (inside, enhancing if len(enhancing) else inside)
    return Located(pair, *(voxels.astype(np.int16) for voxels in centres))


def _enhancing(pair: ScaledPair, agent_in: AgentIn) -> NDArray[np.bool_]:
    first = pair.images[0]
    if agent_in == "neither":
        return np.zeros(pair.mask.shape, dtype=bool)
    if agent_in == "target":
        return np.asarray(pair.target > first + ENHANCING_EXCESS)
    return np.asarray(first > pair.target)


def cut_seen(
    located: Located,
    config: DataConfig,
    slices: int | None,
    multiple: Sequence[int],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Cut what a network sees of a pair, `(C + 2, X, Y, Z)`, drawn anew.

    Parameters
    ----------
    config : size of patches, 0 for whole images; share of them drawn around enhancement.
    slices, multiple : see `PatchDataset`.
    """
    pair = located.pair
    if config.patch_size:
        return cut_cube(pair, located.centre(config.enhancing_share, rng), config.patch_size)
    if slices is not None:
        pair = cut_slab(pair, slices, int(located.centre(config.enhancing_share, rng)[2]))
    return pad_whole(pair, multiple)


def cut_cube(pair: ScaledPair, centre: NDArray[np.int16], size: int) -> NDArray[np.float32]:
    """Cut images, target and mask, `(C + 2, size, size, size)`, around a voxel.

    The cube is moved inwards at the border, and padded with zeros where an image is smaller.
    """
    starts = [
        max(0, min(int(c) - size // 2, n - size))
        for c, n in zip(centre, pair.mask.shape, strict=True)
    ]
    cube = pair.part((..., *(slice(start, start + size) for start in starts)))
    patch = cube.stack()
    return np.pad(patch, [(0, 0), *((0, size - n) for n in patch.shape[1:])])


def cut_slab(pair: ScaledPair, slices: int, middle: int) -> ScaledPair:
    """Cut a slab of axial slices around one of them, moved inwards at the ends of the image."""
    last = pair.mask.shape[2] - slices
    slab = slice(start := max(0, min(middle - slices // 2, last)), start + slices)
    return pair.part((..., slab))


def pad_whole(pair: ScaledPair, multiple: Sequence[int]) -> NDArray[np.float32]:
    """Return source, target and mask, `(C + 2, X, Y, Z)`, padded with zeros to the `multiple`."""
    sides = zip(pair.mask.shape, multiple, strict=True)
    margins = [(n // 2, n - n // 2) for n in (-side % factor for side, factor in sides)]
    return np.pad(pair.stack(), [(0, 0), *margins])
