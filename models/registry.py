"""The networks a card can name, and how to build one from the card's numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import torch

from clinica_gado.errors import BundleError
from clinica_gado.models.attention_unet import AttentionUNet
from clinica_gado.models.blocks import NORMS, SynthesisNetwork
from clinica_gado.models.hr_fcn import VARIANTS, HighResolutionFCN
from clinica_gado.models.residual_unet import ResidualUNet
from clinica_gado.models.strided_residual_unet import StridedResidualUNet
from clinica_gado.models.unet import UNet

ARCHITECTURES: dict[str, Callable[..., SynthesisNetwork]] = {
    "attention_unet": AttentionUNet,
    "residual_unet": ResidualUNet,
    "strided_residual_unet": StridedResidualUNet,
    "hr_fcn": HighResolutionFCN,
    "unet": UNet,
}

_WORDS = {"output": ("image", "change"), "variant": VARIANTS, "norm": tuple(NORMS)}
# A card with absurd numbers must not exhaust the memory.
_HIGHEST = {"levels": 8, "depth": 8, "in_channels": 16}


def build_network(architecture: Mapping[str, Any], *, device: str = "cpu") -> SynthesisNetwork:
    """Build a network from a card's numbers, weights not trained.

    Parameters
    ----------
    architecture
        E.g. `{"name": "attention_unet", "width": 16, "levels": 5, "output": "change"}`.
    device
        `meta` builds names and shapes without allocating anything.

    Raises
    ------
    BundleError
        The name or a number is not one this package knows.
    """
    numbers = dict(architecture)
    name = numbers.pop("name", None)
    if name not in ARCHITECTURES:
        raise BundleError(
            f"The card names the architecture {name!r}; "
            f"this version of clinica-gado knows {', '.join(ARCHITECTURES)}."
        )
    builder = ARCHITECTURES[name]
    _check_numbers(name, numbers, set(signature(builder).parameters))
    with torch.device(device):
        return builder(**numbers)


def _check_numbers(name: str, numbers: Mapping[str, Any], known: set[str]) -> None:
    foreign = sorted(set(numbers) - known)
    if foreign:
        raise BundleError(
            f"The card gives {name} the number {', '.join(map(repr, foreign))}; "
            f"it takes {', '.join(sorted(known))}."
        )
    for key, value in numbers.items():
        if not _is_valid(key, value):
            raise BundleError(f"The card gives {name} {key} = {value!r}, which it cannot have.")


def _is_valid(key: str, value: object) -> bool:
    if key in _WORDS:
        return value in _WORDS[key]
    return type(value) is int and 1 <= value <= _HIGHEST.get(key, 1024)
