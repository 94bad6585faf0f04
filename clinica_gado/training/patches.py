"""Patches of pairs, real and simulated: each is a function of the seed and of its number alone.

So a resumed run, several processes and several loading workers see the patches that one
uninterrupted process would see.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from clinica_gado.training.augmentation import augment
from clinica_gado.training.losses import Batch
from clinica_gado.training.pairs import cut_slab, pad_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.training.config import DataConfig
    from clinica_gado.training.heads import SimulatedPatches
    from clinica_gado.training.pairs import ScaledPair

BRAIN_STEP, ENHANCING_STEP = 4, 20
"""Every so many voxels can be the centre of a patch: enough to choose from, in little memory."""


@dataclass(frozen=True)
class Located:
    """A pair and the voxels that patches can be drawn around, (N, 3) each."""

    pair: ScaledPair
    inside: NDArray[np.int16]
    enhancing: NDArray[np.int16]


def locate(pair: ScaledPair) -> Located:
    """Find where patches can be drawn; without enhancement, anywhere inside."""
    inside = np.argwhere(pair.mask[::BRAIN_STEP, ::BRAIN_STEP, ::BRAIN_STEP]) * BRAIN_STEP
    if not len(inside):
        inside = np.array([pair.mask.shape]) // 2
    enhancing = np.argwhere(pair.mask & (pair.source > pair.target))[::ENHANCING_STEP]
    centres = (inside, enhancing if len(enhancing) else inside)
    return Located(pair, *(voxels.astype(np.int16) for voxels in centres))


class PatchDataset(Dataset["torch.Tensor"]):
    """Patch number i of a run: source, target and mask as `(C + 2, X, Y, Z)`.

    Real pairs come one after the other in an order shuffled each time all were seen.

    Parameters
    ----------
    real, simulated
        Sources; one of them may be missing.
    config
        Size, shares and augmentation.
    multiple
        What each side of a patch must be a multiple of; a whole image is padded with zeros.
    unenhanced
        Real images without contrast, as pairs of two equal images.
    slices
        Slices of a slab that is whole in its plane, for networks that see no more; None for whole
        images, where the size of patches is 0.
    seed
        Of every draw.
    """

    def __init__(
        self,
        real: Sequence[ScaledPair],
        simulated: SimulatedPatches | None,
        config: DataConfig,
        *,
        multiple: Sequence[int],
        seed: int,
        unenhanced: Sequence[ScaledPair] = (),
        slices: int | None = None,
    ) -> None:
        if not real and simulated is None:
            raise ValueError("There is nothing to draw patches from.")
        self._real = [locate(pair) for pair in real]
        self._unenhanced = [locate(pair) for pair in unenhanced]
        self._simulated = simulated
        self._config, self._multiple, self._seed = config, multiple, seed
        self._slices = slices

    def __getitem__(self, number: int) -> torch.Tensor:
        """Draw patch `number`."""
        rng = np.random.default_rng([self._seed, number])
        is_simulated = rng.random() < self._config.simulated_share
        if self._simulated is not None and (is_simulated or not self._real):
            if self._config.target == "enhanced":
                return self._simulated.patch(number, rng)
            is_plain = rng.random() < self._config.unenhanced_share
            patch = self._simulated.patch(number, rng)
            return patch[[1, 1, 2]] if is_plain else self._scale_enhancement(patch, rng)
        located = self._pick(number, rng)
        if self._config.patch_size:
            arrays = self._around(located, rng)
        else:
            arrays = pad_whole(self._whole(located, rng), self._multiple)
        patch = augment(arrays, self._config.augmentation, rng)
        is_remapped = self._config.target == "remapped"  # else pairs differ by more than the agent
        return self._scale_enhancement(patch, rng) if is_remapped else patch

    def _scale_enhancement(self, patch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Multiply what the source has more than the target by one factor, log-uniform."""
        limit = math.log(self._config.enhancement_spread)
        factor = math.exp(rng.uniform(-limit, limit))
        source, target, mask = patch
        return torch.stack([target + factor * (source - target), target, mask])

    def _pick(self, number: int, rng: np.random.Generator) -> Located:
        if self._unenhanced and rng.random() < self._config.real_unenhanced_share:
            return self._unenhanced[rng.integers(len(self._unenhanced))]
        round_, position = divmod(number, len(self._real))
        order = np.random.default_rng([self._seed, 1, round_]).permutation(len(self._real))
        return self._real[order[position]]

    def _around(self, located: Located, rng: np.random.Generator) -> NDArray[np.float32]:
        cut = _Cut(self._centre(located, rng), self._config.patch_size)
        pair = located.pair
        return np.stack([cut(array) for array in (pair.source, pair.target, pair.mask)])

    def _whole(self, located: Located, rng: np.random.Generator) -> ScaledPair:
        if self._slices is None:
            return located.pair
        return cut_slab(located.pair, self._slices, int(self._centre(located, rng)[2]))

    def _centre(self, located: Located, rng: np.random.Generator) -> NDArray[np.int16]:
        is_enhancing = rng.random() < self._config.enhancing_share
        centres = located.enhancing if is_enhancing else located.inside
        centre: NDArray[np.int16] = centres[rng.integers(len(centres))]
        return centre


@dataclass(frozen=True)
class _Cut:
    """Cuts a cube around a voxel, moved inwards at the border, padded where an image is smaller."""

    centre: NDArray[np.int16]
    size: int

    def __call__(self, array: NDArray[np.generic]) -> NDArray[np.float32]:
        starts = [
            max(0, min(int(c) - self.size // 2, n - self.size))
            for c, n in zip(self.centre, array.shape, strict=True)
        ]
        patch = array[tuple(slice(start, start + self.size) for start in starts)]
        return np.pad(patch, [(0, self.size - n) for n in patch.shape]).astype(np.float32)


@dataclass(frozen=True)
class Turns:
    """Batch by batch, the numbers of the patches that one of several processes draws.

    Attributes
    ----------
    first, last : batches, counted over the whole run; `last` is not drawn.
    rank, world : which of how many processes.
    """

    first: int
    last: int
    batch_size: int
    rank: int = 0
    world: int = 1

    def __len__(self) -> int:
        return self.last - self.first

    def __iter__(self) -> Iterator[list[int]]:
        for batch in range(self.first, self.last):
            start = (batch * self.world + self.rank) * self.batch_size
            yield list(range(start, start + self.batch_size))


def load_batches(dataset: PatchDataset, turns: Turns, workers: int) -> DataLoader[torch.Tensor]:
    """Return the batches of one process, `(B, 3, X, Y, Z)`, drawn ahead by `workers` processes."""
    return DataLoader(dataset, batch_sampler=turns, num_workers=workers)


def as_batch(stacked: torch.Tensor, *, t1w: int = 0, adds_contrast: bool = False) -> Batch:
    """Split images, target and region, `(B, C + 2, X, Y, Z)` in this order; see `Batch`."""
    source, target, region = stacked.split([stacked.shape[1] - 2, 1, 1], dim=1)
    return Batch(source, target, region, t1w, adds_contrast)
