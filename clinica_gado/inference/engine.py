"""A bundle's networks on a device: run over folds and mirrors, averaged as they come."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from clinica_gado.inference.averaging import RunningMean, mirror
from clinica_gado.inference.devices import Compute, choose_compute
from clinica_gado.inference.grid import (
    crop_to,
    from_network_grid,
    pad_to_multiple,
    to_network_grid,
)
from clinica_gado.inference.slabs import estimate_by_slabs
from clinica_gado.models.folding import fold

if TYPE_CHECKING:
    from clinica_gado.models.blocks import SynthesisNetwork
    from clinica_gado.models.bundle import Bundle

logger = logging.getLogger(__name__)


class Engine:
    """Networks of a bundle, folded and placed; one fold is in memory at a time.

    Reading the next fold costs little beside running it.
    """

    def __init__(self, bundle: Bundle, compute: Compute) -> None:
        self.compute = compute
        self._bundle = bundle
        self._fold = -1
        self._network: SynthesisNetwork | None = None

    def run(self, images: torch.Tensor, mirrors: Sequence[tuple[int, ...]]) -> RunningMean:
        """Average the networks' answers to normalised images `(1, C, X, Y, Z)`.

        Returns
        -------
        Mean and spread of what the networks estimate (the image, or the change), on the images'
        grid, (X, Y, Z), float32.
        """
        runs = RunningMean()
        grid, shape = self._bundle.card.grid, images.shape[2:]
        on_grid = to_network_grid(images, grid)
        with self.compute.running():
            for index in range(len(self._bundle.weight_files)):
                network = self._load(index)
                for axes in mirrors:
                    # Mirrored before it is padded, so that a mirrored head gets the same answer.
                    ready = pad_to_multiple(mirror(on_grid, axes), network.multiple)
                    estimate = self._estimate(network, ready)
                    answer = mirror(crop_to(estimate, on_grid.shape[2:]), axes)
                    runs.add(from_network_grid(answer, grid, shape)[0, 0].numpy())
        return runs

    def _estimate(self, network: SynthesisNetwork, images: torch.Tensor) -> torch.Tensor:
        def run(part: torch.Tensor) -> torch.Tensor:
            return network.estimate(self.compute.place_images(part)).float().cpu()

        if network.slices is None:
            return run(images)
        return estimate_by_slabs(run, images, network.slices)

    def _load(self, index: int) -> SynthesisNetwork:
        if self._network is None or self._fold != index:
            self._network = None  # before the next is read: only one is in memory
            network = fold(self._bundle.load_network(index))
            self.compute.place_network(network)
            self._network, self._fold = network, index
        return self._network


class FallbackEngine:
    """An engine that turns to the CPU, once an image, when the GPU runs out of memory."""

    def __init__(self, bundle: Bundle, device: str, precision: str) -> None:
        self._bundle = bundle
        self._precision = precision
        self.engine = Engine(bundle, choose_compute(device, precision))

    def run(
        self, images: torch.Tensor, mirrors: Sequence[tuple[int, ...]]
    ) -> tuple[RunningMean, Compute, tuple[str, ...]]:
        """Return what `Engine.run` does, where it was computed, and what went otherwise."""
        compute = self.engine.compute
        try:
            return self.engine.run(images, mirrors), compute, ()
        except torch.OutOfMemoryError:
            if compute.device.type == "cpu":
                raise
        # Outside the except block, which keeps the failed run's tensors alive.
        torch.cuda.empty_cache()
        note = f"{compute.device} ran out of memory; computed on the CPU instead"
        logger.warning("%s. Free the GPU, or use --device cpu.", note)
        on_cpu = Engine(self._bundle, choose_compute("cpu", self._precision))
        return on_cpu.run(images, mirrors), on_cpu.compute, (note,)
