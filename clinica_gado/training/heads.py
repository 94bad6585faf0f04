"""Heads simulated while a network learns from them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.training.pairs import ScaledPair, on_network_grid
from clinica_gado.training.patches import Located, locate
from clinica_gado.training.simulated import simulate_pair

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.inference.normalisation import Normalisation
    from clinica_gado.models.card import Grid
    from clinica_gado.training.config import TrainingConfig

logger = logging.getLogger(__name__)


class SimulatedHeads:
    """Heads simulated while a network learns; which one a patch is of depends on its number alone.

    So many heads are kept, and one after the other is replaced by a new person on the next label
    map. They are simulated in the process that asks for them.

    Parameters
    ----------
    label_maps
        Anatomies, taken in turn.
    simulate
        Makes a pair of a label map and a seed.
    kept, draws_per_head
        Heads to draw from, and patches after which one of them is replaced.
    seed
        Head number n has the seed `seed * 1_000_003 + n`.
    """

    def __init__(
        self,
        label_maps: Sequence[Path],
        simulate: Callable[[Path, int], ScaledPair],
        *,
        kept: int,
        draws_per_head: int,
        seed: int,
    ) -> None:
        self._label_maps, self._simulate = label_maps, simulate
        self._kept, self._draws, self._seed = kept, draws_per_head, seed
        self._heads: dict[int, Located] = {}

    def head(self, number: int, rng: np.random.Generator) -> Located:
        """Return one of the heads that patch `number` can be of."""
        newest = self._kept - 1 + number // self._draws
        for outdated in [head for head in self._heads if not 0 <= newest - head < self._kept]:
            del self._heads[outdated]
        return self._get(newest - int(rng.integers(self._kept)))

    def _get(self, head: int) -> Located:
        if head not in self._heads:
            label_map = self._label_maps[head % len(self._label_maps)]
            logger.debug("Simulating head %d, on %s", head, label_map.name)
            self._heads[head] = locate(self._simulate(label_map, self._seed * 1_000_003 + head))
        return self._heads[head]


def simulated_heads(
    label_maps: Sequence[Path], config: TrainingConfig, normalisation: Normalisation, grid: Grid
) -> SimulatedHeads | None:
    """Return the heads that a configuration asks for, or None without label maps."""
    if not label_maps:
        return None

    whole_on = None if config.data.patch_size else grid
    return SimulatedHeads(
        label_maps,
        partial(_simulate, normalisation=normalisation, whole_on=whole_on),
        kept=config.data.heads_in_memory,
        draws_per_head=config.data.draws_per_head,
        seed=config.seed,
    )


def _simulate(
    label_map: Path, seed: int, *, normalisation: Normalisation, whole_on: Grid | None
) -> ScaledPair:
    pair = simulate_pair(label_map, seed, normalisation)
    return pair if whole_on is None else on_network_grid(place_on_crop_grid(pair), whole_on)


def place_on_crop_grid(pair: ScaledPair) -> ScaledPair:
    """Cut or pad a simulated head to the crop grid by its bounding box; it is not registered.

    Across, the middle of the head is that of the grid; above, the vertex is 10 mm below the top.
    """
    head = np.argwhere(pair.source > 0.1 * pair.source.max())
    low, high = head.min(axis=0), head.max(axis=0)
    shape = np.array(CROP_GRID.shape)
    starts = (low + high) // 2 - shape // 2
    starts[2] = high[2] + 10 - shape[2]

    def place(array: NDArray[np.generic]) -> NDArray[np.generic]:
        placed = np.zeros(CROP_GRID.shape, dtype=array.dtype)
        first = np.maximum(starts, 0)
        last = np.minimum(starts + shape, array.shape)
        there = tuple(slice(a, b) for a, b in zip(first - starts, last - starts, strict=True))
        placed[there] = array[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
        return placed

    return ScaledPair(place(pair.source), place(pair.target), place(pair.mask))
