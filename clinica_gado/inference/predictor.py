"""The one object that applies a model to images, in production and in validation alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from clinica_gado.errors import GadoError, InputImageError
from clinica_gado.inference.averaging import FLIPS, RunningMean
from clinica_gado.inference.change import Surroundings, change_rules_from
from clinica_gado.inference.devices import Compute
from clinica_gado.inference.engine import FallbackEngine
from clinica_gado.inference.grid import FIRST_VOXEL, from_network_grid
from clinica_gado.inference.inputs import Images, PreparedImages, prepare_images, rules_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.models.bundle import Bundle

ZERO_BACKGROUND_FRACTION = 0.3
"""Share of exact zeros above which they are a background that was masked out."""


@dataclass(frozen=True)
class Prediction:
    """What a model made of one visit's images.

    Attributes
    ----------
    array : the image, float32, on the grid and the intensity scale of the first input.
    spread : standard deviation over folds and mirrored runs, on that scale, zero where the network
        had no say; None for one run.
    device, precision : where and how it was computed.
    n_runs : how many runs were averaged.
    notes : what did not go as asked for, in words.
    """

    array: NDArray[np.float32]
    spread: NDArray[np.float32] | None
    device: str
    precision: str
    n_runs: int
    notes: tuple[str, ...] = ()


class Predictor:
    """Normalise, pad, run, average over mirrors and folds, gate, invert, restore the scale.

    Parameters
    ----------
    bundle
        A verified model.
    device
        `auto`, `cpu`, `cuda` or `cuda:N`.
    precision
        `auto`, `fp32` or `bf16`. Whatever it is, a change is added to the input in fp32.
    flips
        Mirrored runs to average: `none`, `lr` (2 runs) or `all` (8).

    Raises
    ------
    BundleError, DeviceError
        The card's normalisation is unknown, or the device or precision cannot be had.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "auto",
        precision: str = "auto",
        flips: str = "none",
    ) -> None:
        if flips not in FLIPS:
            raise GadoError(f"Unknown flips {flips!r}; choose one of {', '.join(FLIPS)}.")
        self.bundle = bundle
        self._mirrors = FLIPS[flips]
        self._rules = rules_of(bundle.card)
        self._change_rules = change_rules_from(bundle.card.change_rules)
        self._engine = FallbackEngine(bundle, device, precision)

    @property
    def compute(self) -> Compute:
        """Device and precision that runs begin with."""
        return self._engine.engine.compute

    @property
    def brain_only(self) -> bool:
        """Whether the network knows the brain alone, so that images are zero around it."""
        return self._rules.brain_only

    def predict(
        self,
        images: Images,
        *,
        mask: NDArray[np.bool_] | None = None,
        region: NDArray[np.bool_] | None = None,
    ) -> Prediction:
        """Apply the model to the images of one visit, in template space.

        Exact zeros around a brain-only image stay zero: nothing is predicted there.

        Parameters
        ----------
        images
            One `(X, Y, Z)` array an input, all on one grid: in the card's order, or by the card's
            names, of which those that may be missing can be left out.
        mask
            `(X, Y, Z)`, voxels that may change; elsewhere the first input is kept.
        region
            `(X, Y, Z)`, voxels whose intensities give the scale, such as the brain: a head with
            its scalp and a skull-stripped one are then alike. All voxels by default. Where the card
            has a rule for the brain alone, the result is zero outside.

        Raises
        ------
        InputImageError
            An image is missing, empty, not a number somewhere, or on another grid.
        """
        prepared = prepare_images(images, self.bundle.card, self._rules, region)
        allowed = _may_change(prepared.first, mask)
        runs, compute, notes = self._engine.run(prepared.stacked, self._mirrors)
        absent = (f"{name} is missing, zeros take its place" for name in prepared.zeros)
        return Prediction(
            array=self._restore(prepared, runs.mean, allowed),
            spread=self._spread(prepared, runs, allowed),
            device=str(compute.device),
            precision=compute.precision,
            n_runs=runs.count,
            notes=(*notes, *absent),
        )

    def _spread(
        self, prepared: PreparedImages, runs: RunningMean, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.float32] | None:
        """Return the spread of the runs on the scale of the first input; None for one run."""
        spread, made = runs.spread, runs.mean
        if spread is None:
            return None
        if self.bundle.card.output == "change":
            made = prepared.stacked[0, 0].numpy() + made
        return _where_made(prepared.scale.spread(spread, made), (prepared.brain, allowed))

    def _restore(
        self,
        prepared: PreparedImages,
        estimate: NDArray[np.float32],
        allowed: NDArray[np.bool_] | None,
    ) -> NDArray[np.float32]:
        first, scale = prepared.first, prepared.scale
        if self.bundle.card.output == "image":
            result = self._keep_uncovered(scale.invert(estimate), first)
        else:
            result = scale.add(first, self._ruled(estimate, prepared, allowed))
        # A magnitude image has nothing below zero; what the input has there is not deepened.
        result = np.maximum(result, np.minimum(first, 0))
        if prepared.brain is not None:
            result = np.where(prepared.brain, result, np.float32(0))
        return result if allowed is None else np.where(allowed, result, first)

    def _ruled(
        self,
        change: NDArray[np.float32],
        prepared: PreparedImages,
        allowed: NDArray[np.bool_] | None,
    ) -> NDArray[np.float32]:
        """Apply the card's rules; what a network says of voxels that stay must not open a gate."""
        if not self._change_rules:
            return change
        if allowed is not None:
            change = np.where(allowed, change, np.float32(0))
        around = Surroundings(prepared.stacked[0, 0].numpy(), prepared.region, allowed)
        for rule in self._change_rules:
            change = rule.apply(change, around)
        return change

    def _keep_uncovered(
        self, result: NDArray[np.float32], first: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Keep the first input where the network's grid has no voxel."""
        grid = self.bundle.card.grid
        if grid.name not in FIRST_VOXEL:
            return result
        seen = from_network_grid(torch.ones(1, 1, *grid.shape), grid, first.shape)[0, 0]
        return np.where(seen.numpy() > 0, result, first)


def _where_made(
    spread: NDArray[np.float32], masks: Iterable[NDArray[np.bool_] | None]
) -> NDArray[np.float32]:
    """Return a spread with zeros outside of any mask: the image there is not what the runs said."""
    for mask in masks:
        if mask is not None:
            spread = np.where(mask, spread, np.float32(0))
    return spread


def _may_change(
    image: NDArray[np.float32], mask: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    """Return the voxels that may change; None for all of them."""
    if mask is not None and mask.shape != image.shape:
        raise InputImageError(f"The mask has the shape {mask.shape}, the image {image.shape}.")
    inside = image != 0
    if 1 - float(inside.mean()) < ZERO_BACKGROUND_FRACTION:
        return mask
    return inside if mask is None else inside & mask
