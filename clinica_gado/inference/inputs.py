"""A visit's images as a network takes them: in the card's order, on one grid, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clinica_gado.errors import InputImageError
from clinica_gado.inference.normalisation import (
    IntensityScale,
    Normalisation,
    Rule,
    normalisation_from,
)
from clinica_gado.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.models.card import Card

Images = Sequence[Any] | Mapping[str, Any]
"""Arrays in the card's order, or by the card's names."""


@dataclass(frozen=True)
class PreparedImages:
    """Images ready for a network.

    Attributes
    ----------
    first : the first input as it came, float32, (X, Y, Z).
    scale : intensity scale of what the network answers, found on the first input.
    stacked : all inputs, normalised, (1, C, X, Y, Z); zeros for a missing one.
    region : voxels whose intensities gave the scale.
    brain : voxels that the network is to know, where it knows no others; None for all.
    zeros : inputs that are missing, zeros in their place.
    """

    first: NDArray[np.float32]
    scale: IntensityScale
    stacked: torch.Tensor
    region: NDArray[np.bool_]
    brain: NDArray[np.bool_] | None = None
    zeros: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What a card says of intensities: the rule of the answer, and that of each input by name."""

    answer: Rule
    inputs: Mapping[str, Rule]

    @property
    def brain_only(self) -> bool:
        """Whether the network knows nothing but the brain."""
        return any(rule.brain_only for rule in (self.answer, *self.inputs.values()))


def rules_of(card: Card) -> Rules:
    """Build the rules of a card; a change is on the scale of the first input.

    Raises
    ------
    BundleError
        A rule is unknown, or a number does not belong to it.
    """
    common = normalisation_from(card.normalisation)
    inputs = {
        item.name: common if item.normalisation is None else normalisation_from(item.normalisation)
        for item in card.inputs
    }
    return Rules(common if card.output == "image" else inputs[card.inputs[0].name], inputs)


def prepare_images(
    images: Images, card: Card, rules: Rules, region: NDArray[np.bool_] | None = None
) -> PreparedImages:
    """Order, check and normalise the images of a visit, by the intensities of `region`.

    A network that knows the brain alone is given zeros outside `region`.

    Raises
    ------
    InputImageError
        An image is missing, unknown, empty, not a number somewhere, or on another grid.
    """
    arrays = {name: _as_volume(name, array) for name, array in _by_name(images, card).items()}
    first = arrays[card.inputs[0].name]
    _check_one_grid(arrays, first.shape)
    looked_at = np.ones(first.shape, dtype=bool) if region is None else region
    if looked_at.shape != first.shape:
        raise InputImageError(
            f"The region has the shape {looked_at.shape}, the image {first.shape}."
        )
    stacked = np.zeros((1, len(card.inputs), *first.shape), dtype=np.float32)
    for channel, item in enumerate(card.inputs):
        if item.name in arrays:
            array = arrays[item.name]
            scale = _fit(rules.inputs[item.name], array[looked_at], item.name)
            stacked[0, channel] = scale.apply(array)
    brain = looked_at if rules.brain_only else None
    if brain is not None:
        stacked[..., ~brain] = 0
    answer = _fit(rules.answer, first[looked_at], card.inputs[0].name)
    zeros = tuple(item.name for item in card.inputs if item.name not in arrays)
    return PreparedImages(first, answer, torch.from_numpy(stacked), looked_at, brain, zeros)


def _fit(rule: Normalisation, values: NDArray[np.float32], name: str) -> IntensityScale:
    try:
        return rule.fit(values)
    except InputImageError as error:
        raise InputImageError(f"{name}: {error}") from error


def _by_name(images: Images, card: Card) -> Mapping[str, Any]:
    names = [item.name for item in card.inputs]
    if not isinstance(images, Mapping):
        if len(images) != len(names):
            raise InputImageError(
                f"The model {card.id} takes {len(names)} images ({', '.join(names)}); "
                f"{len(images)} were given."
            )
        return dict(zip(names, images, strict=True))
    missing = [i.name for i in card.inputs if i.name not in images and not i.may_be_missing]
    unknown = [name for name in images if name not in names]
    if missing or unknown:
        raise InputImageError(
            f"The model {card.id} takes the images {', '.join(names)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}."
        )
    return images


def _as_volume(name: str, array: Any) -> NDArray[np.float32]:
    volume = np.asarray(array, dtype=np.float32)
    if volume.ndim != 3:
        raise InputImageError(f"The image {name} has {volume.ndim} dimensions; it must have 3.")
    # Outside the region too: one such voxel spreads over all that the network's levels reach.
    n_bad = volume.size - int(np.isfinite(volume).sum())
    if n_bad:
        raise InputImageError(
            f"The image {name} has {counted(n_bad, 'voxel')} without a number; replace such voxels."
        )
    return volume


def _check_one_grid(arrays: Mapping[str, NDArray[np.float32]], shape: tuple[int, ...]) -> None:
    for name, array in arrays.items():
        if array.shape != shape:
            raise InputImageError(
                f"The image {name} has the shape {array.shape}, the first one {shape}; "
                "bring all to one grid."
            )
