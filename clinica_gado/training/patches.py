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
from clinica_gado.training.cutting import Located, cut_seen, locate
from clinica_gado.training.losses import Batch

if TYPE_CHECKING:
    from clinica_gado.training.config import DataConfig
    from clinica_gado.training.heads import SimulatedPatches
    from clinica_gado.training.pairs import ScaledPair


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
        self._real = [locate(pair, agent_in=config.agent_in) for pair in real]
        self._unenhanced = [locate(pair) for pair in unenhanced]
        self._simulated = simulated
        self._config, self._multiple, self._seed = config, multiple, seed
        self._slices = slices

    def __getitem__(self, number: int) -> torch.Tensor:
        """Draw patch `number`."""
        rng = np.random.default_rng([self._seed, number])
        is_simulated = rng.random() < self._config.simulated_share
        if self._simulated is not None and (is_simulated or not self._real):
            return self._vary(self._simulated.patch(number, rng), rng, is_simulated=True)
        cut = cut_seen(self._pick(number, rng), self._config, self._slices, self._multiple, rng)
        return self._vary(augment(cut, self._config.augmentation, rng), rng, is_simulated=False)

    def _vary(
        self, patch: torch.Tensor, rng: np.random.Generator, *, is_simulated: bool
    ) -> torch.Tensor:
        """Vary what is enhanced, or which images are given, as suits the target."""
        if self._config.takes_cases:
            return _leave_out(patch, self._config.missing_share, rng)
        if is_simulated and rng.random() < self._config.unenhanced_share:
            return patch[[1, 1, 2]]
        # Real pairs with another target differ by more than the agent.
        differs_by_agent = is_simulated or self._config.target == "remapped"
        return self._scale_enhancement(patch, rng) if differs_by_agent else patch

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


def _leave_out(patch: torch.Tensor, share: float, rng: np.random.Generator) -> torch.Tensor:
    """Put zeros in the place of each image but the first, in a share of the draws."""
    n_others = patch.shape[0] - 3
    if not share or not n_others:
        return patch
    given = np.ones(patch.shape[0], dtype=np.float32)
    given[1 : 1 + n_others] = rng.random(n_others) >= share
    return patch * torch.from_numpy(given)[:, None, None, None]


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
