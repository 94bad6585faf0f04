"""Simulated heads while a network learns from them: patches, or whole images."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch

from clinica_gado.inference.normalisation import PercentileMedian
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.simulation.stream import PairStream, StreamSettings
from clinica_gado.training.augmentation import augment
from clinica_gado.training.cases import scale_case
from clinica_gado.training.config import ADDING_CONTRAST, MADE
from clinica_gado.training.cutting import Located, cut_seen, locate
from clinica_gado.training.pairs import ScaledPair, on_network_grid
from clinica_gado.training.simulated import simulate_case, simulate_pair

if TYPE_CHECKING:
    from types import EllipsisType

    from numpy.typing import NDArray

    from clinica_gado.models.blocks import SynthesisNetwork
    from clinica_gado.training.blueprint import Blueprint
    from clinica_gado.training.config import AgentIn, TrainingConfig

    Element = TypeVar("Element", bound=np.generic)

logger = logging.getLogger(__name__)

WHITE_MATTER = (0.52, 0.78)
"""Where white matter lies when the median of the brain is at 0.5, as `PercentileMedian` puts it.

With agent at .51 to .61 in real skull-stripped images, at .58 to .74 in simulated whole heads. A
network that has not met the upper end takes thin white matter there for vessels.
"""


class SimulatedPatches(Protocol):
    """Gives simulated patches, each a function of its number and generator alone."""

    def patch(self, number: int, rng: np.random.Generator) -> torch.Tensor:
        """Return source, target and mask of patch `number`, `(C + 2, X, Y, Z)`."""


class StreamedPatches:
    """Patches of `PairStream`, varied there, brought to the scale of a network."""

    def __init__(self, stream: PairStream) -> None:
        self._stream = stream

    def patch(self, number: int, rng: np.random.Generator) -> torch.Tensor:
        """Return patch `number`, its white matter drawn on the network's scale."""
        patch = self._stream.patch(number)
        level = float(rng.uniform(*WHITE_MATTER))
        return torch.stack([level * patch.source, level * patch.target, patch.mask])


class WholeHeads:
    """Simulated heads in whole; so many are kept, one after the other is replaced by a new person.

    Parameters
    ----------
    label_maps
        Anatomies, taken in turn.
    simulate
        Makes a pair of a label map and a seed.
    multiple
        What each side must be a multiple of.
    config
        How many heads, for how long, and the variations; head n has the seed
        `config.seed * 1_000_003 + n`.
    slices
        See `PatchDataset`.
    """

    def __init__(
        self,
        label_maps: Sequence[Path],
        simulate: Callable[[Path, int], ScaledPair],
        multiple: Sequence[int],
        config: TrainingConfig,
        slices: int | None = None,
    ) -> None:
        self._label_maps, self._simulate, self._multiple = label_maps, simulate, multiple
        self._config, self._slices = config, slices
        self._heads: dict[int, Located] = {}

    def patch(self, number: int, rng: np.random.Generator) -> torch.Tensor:
        """Return one of the heads that patch `number` can be of."""
        kept = self._config.data.heads_in_memory
        newest = kept - 1 + number // self._config.data.draws_per_head
        for outdated in [head for head in self._heads if not 0 <= newest - head < kept]:
            del self._heads[outdated]
        located, data = self._get(newest - int(rng.integers(kept))), self._config.data
        cut = cut_seen(located, data, self._slices, self._multiple, rng)
        return augment(cut, data.augmentation, rng)

    def _get(self, head: int) -> Located:
        if head not in self._heads:
            label_map = self._label_maps[head % len(self._label_maps)]
            logger.debug("Simulating head %d, on %s", head, label_map.name)
            seed = self._config.seed * 1_000_003 + head
            pair = self._simulate(label_map, seed)
            self._heads[head] = _locate_in_head(pair, self._config.data.agent_in)
        return self._heads[head]


def simulated_patches(
    label_maps: Sequence[Path],
    config: TrainingConfig,
    blueprint: Blueprint,
    network: SynthesisNetwork,
) -> SimulatedPatches | None:
    """Return the patches that a configuration asks for, or None without label maps."""
    if not label_maps:
        return None
    data = config.data
    # Patches are streamed in units of white matter, and it is known for one scale where that lies.
    is_streamed = data.patch_size > 0 and blueprint.normalisation == PercentileMedian()
    if config.takes_cases or not is_streamed:
        simulate = partial(_simulate_whole, blueprint)
        return WholeHeads(label_maps, simulate, network.multiple, config, network.slices)
    settings = StreamSettings(
        patch_size=data.patch_size,
        enhancing_share=data.enhancing_share,
        heads=data.heads_in_memory,
        patches_per_head=data.draws_per_head,
    )
    return StreamedPatches(PairStream(label_maps, settings, seed=config.seed))


def _locate_in_head(pair: ScaledPair, agent_in: AgentIn) -> Located:
    """Find where patches can be drawn: in the head, though the air around counts too."""
    in_head = replace(pair, mask=pair.mask & _head(pair))
    return replace(locate(in_head, agent_in=agent_in), pair=pair)


def _simulate_whole(blueprint: Blueprint, label_map: Path, seed: int) -> ScaledPair:
    if blueprint.target in (*ADDING_CONTRAST, *MADE):
        case = simulate_case(label_map, seed, blueprint.inputs, blueprint.target)
        pair = scale_case(case, blueprint.rules)
    else:
        pair = simulate_pair(label_map, seed, blueprint.normalisation)
    return on_network_grid(place_on_crop_grid(pair), blueprint.grid)


def _head(pair: ScaledPair) -> NDArray[np.bool_]:
    first = pair.images[0]
    return np.asarray(first > 0.1 * first.max())


def place_on_crop_grid(pair: ScaledPair) -> ScaledPair:
    """Cut or pad a simulated head to the crop grid by its bounding box; it is not registered.

    Across, the middle of the head is that of the grid; above, the vertex is 10 mm below the top.
    """
    head = np.argwhere(_head(pair))
    low, high = head.min(axis=0), head.max(axis=0)
    shape = np.array(CROP_GRID.shape)
    starts = (low + high) // 2 - shape // 2
    starts[2] = high[2] + 10 - shape[2]

    def place(array: NDArray[Element]) -> NDArray[Element]:
        placed = np.zeros((*array.shape[:-3], *CROP_GRID.shape), dtype=array.dtype)
        first = np.maximum(starts, 0)
        last = np.minimum(starts + shape, array.shape[-3:])
        placed[_box(first - starts, last - starts)] = array[_box(first, last)]
        return placed

    return ScaledPair(place(pair.source), place(pair.target), place(pair.mask))


def _box(first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[slice | EllipsisType, ...]:
    """Return the index of a box of voxels in images of any number of channels."""
    return (..., *(slice(int(a), int(b)) for a, b in zip(first, last, strict=True)))
