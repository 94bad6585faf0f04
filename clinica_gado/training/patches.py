"""Random patches of pairs, varied in sequence, slice thickness and noise as a clinic's are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.training.pairs import ScaledPair

Arrays = tuple["NDArray[np.float32]", "NDArray[np.float32]", "NDArray[np.float32]"]


@dataclass(frozen=True)
class Variation:
    """One draw of what is done to a patch; both images of a pair get the same.

    Attributes
    ----------
    mirrored : axes to flip.
    gamma, gain : intensity becomes gain · intensity^gamma, another T1 weighting and scale.
    thick_axis, thickness_voxels : axis along which slices are averaged; 1 leaves it as it is.
    noise_sd : standard deviation of Gaussian noise, in units of the normalised image.
    """

    mirrored: tuple[int, ...]
    gamma: float
    gain: float
    thick_axis: int
    thickness_voxels: int
    noise_sd: float


def draw_variation(rng: np.random.Generator) -> Variation:
    """Draw a variation."""
    return Variation(
        mirrored=tuple(int(axis) for axis in range(3) if rng.random() < 0.5),
        gamma=float(rng.uniform(0.8, 1.25)),
        gain=float(rng.uniform(0.9, 1.1)),
        thick_axis=int(rng.integers(3)),
        thickness_voxels=int(rng.choice((1, 1, 1, 3, 5))),
        noise_sd=float(rng.choice((0.0, 0.0, 0.01, 0.02))),
    )


def apply_variation(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    variation: Variation,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vary a pair of patches (X, Y, Z) alike, so that only the contrast agent tells them apart."""
    noise = rng.normal(0.0, variation.noise_sd, source.shape) * (source > 0)
    first, second = (_vary(image, variation) + noise for image in (source, target))
    return first.astype(np.float32), second.astype(np.float32)


def _vary(image: NDArray[np.float32], variation: Variation) -> NDArray[np.float32]:
    mirrored = np.flip(image, variation.mirrored)
    varied = variation.gain * np.maximum(mirrored, 0) ** variation.gamma
    if variation.thickness_voxels > 1:
        varied = ndimage.uniform_filter1d(
            varied, variation.thickness_voxels, axis=variation.thick_axis
        )
    return np.asarray(varied, dtype=np.float32)


class PatchSampler:
    """Draws patches around the voxels of the brain, every other one around enhancement."""

    def __init__(
        self, pairs: Sequence[ScaledPair], patch_size: int, rng: np.random.Generator
    ) -> None:
        self._pairs, self._size, self._rng = pairs, patch_size, rng
        self._brain = [np.argwhere(pair.mask[::4, ::4, ::4]) * 4 for pair in pairs]
        self._enhancing = [np.argwhere(pair.source > pair.target)[::20] for pair in pairs]

    def batch(self, size: int) -> Arrays:
        """Return source, target and mask, (B, 1, P, P, P) each."""
        patches = [self._patch(is_enhancing=bool(index % 2)) for index in range(size)]
        source, target, mask = (np.stack(arrays)[:, None] for arrays in zip(*patches, strict=True))
        return source, target, mask

    def _patch(self, is_enhancing: bool) -> Arrays:
        index = int(self._rng.integers(len(self._pairs)))
        pair = self._pairs[index]
        centres = self._enhancing[index] if is_enhancing else self._brain[index]
        centres = centres if len(centres) else self._brain[index]
        box = self._box(centres[self._rng.integers(len(centres))], pair.source.shape)
        variation = draw_variation(self._rng)
        source, target = apply_variation(pair.source[box], pair.target[box], variation, self._rng)
        mask = np.flip(pair.mask[box], variation.mirrored).astype(np.float32)
        return source, target, np.ascontiguousarray(mask)

    def _box(self, centre: NDArray[np.int64], shape: tuple[int, ...]) -> tuple[slice, ...]:
        starts = (
            int(np.clip(c - self._size // 2, 0, n - self._size))
            for c, n in zip(centre, shape, strict=True)
        )
        return tuple(slice(start, start + self._size) for start in starts)
