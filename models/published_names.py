"""Names that the authors' public code gives to the parameters of the published networks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")

_LAYERS = {"0": "0.conv", "1": "0.norm", "3": "1.conv", "4": "1.norm"}
_DECODER_LAYERS = {"0": "join.conv", "1": "join.norm", "3": "refine.conv", "4": "refine.norm"}
_GATE_PARTS = {"W_g": "query", "W_x": "key", "psi": "score"}
_POINTWISE = {"0": "conv", "1": "norm"}
_UP_LAYERS = {"1": "conv", "2": "norm"}

# Their ascending blocks are numbered by level, 5 to 2; ours in the order they run, 0 to 3.
_RULES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"Conv(\d)\.conv\.([0134])\.", lambda m: f"encoders.{int(m[1]) - 1}.{_LAYERS[m[2]]}."),
    (r"Up(\d)\.up\.([12])\.", lambda m: f"ups.{5 - int(m[1])}.{_UP_LAYERS[m[2]]}."),
    (
        r"Att(\d)\.(W_g|W_x|psi)\.([01])\.",
        lambda m: f"gates.{5 - int(m[1])}.{_GATE_PARTS[m[2]]}.{_POINTWISE[m[3]]}.",
    ),
    (
        r"Up_conv(\d)\.conv\.([0134])\.",
        lambda m: f"decoders.{5 - int(m[1])}.{_DECODER_LAYERS[m[2]]}.",
    ),
    (r"Conv_1x1\.", lambda m: "head."),
    (r"down(\d)\.model\.0\.", lambda m: f"downs.{int(m[1]) - 1}.conv."),
    (r"r(\d)\.model\.(\d)\.", lambda m: f"residuals.{int(m[1]) - 1}.body.{m[2]}."),
    (r"up(\d)\.model\.0\.", lambda m: f"ups.{int(m[1]) - 1}.conv."),
    (r"final\.model\.1\.", lambda m: "head.conv."),
)


def with_our_names(weights: Mapping[str, T]) -> dict[str, T]:
    """Rename parameters of Bottani et al. 2022's code to ours; other names stay."""
    return {_rename(name): value for name, value in weights.items()}


def _rename(name: str) -> str:
    for pattern, ours in _RULES:
        if match := re.match(pattern, name):
            return ours(match) + name[match.end() :]
    return name
