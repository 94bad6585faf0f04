"""The settings of a study in words: a recipe of a paper, or what was made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clinica_gado.training.config import TrainingConfig

REDUCED: dict[str, Any] = {
    "width": 8,
    "grid": "mni-2mm",
    "patch_size": 0,
    "normalisation": "percentile",
    "output_mode": "change",
    "epochs": 0,
    "steps": 300,
    "learning_rate": 5e-4,
    "schedule": "cosine",
    "fine_tuning_share": 0.0,
    "validate_every": 100,
}
"""A scale for processors: voxels of 2 mm, a narrow network, few steps. So few steps teach a change
to the first image, not a whole image; and a change is not on the scale of z-scores, which are
clipped where the T1w without contrast ends. The network of Bône 2021 has no norm: at 1e-3 and more
it was seen to diverge."""


def in_words(name: str, base: TrainingConfig, config: TrainingConfig, *, reduced: bool) -> str:
    """Return what a configuration is: by its name, with what is changed in it.

    Parameters
    ----------
    name, base : of the preset or file that it was made of.
    reduced : whether the reduced scale was asked for.
    """
    before, after = _flat(asdict(base)), _flat(asdict(config))
    changed = [f"{key} {after[key]}" for key in after if after[key] != before[key]]
    scale = "at the reduced scale for processors, NOT the full recipe" if reduced else ""
    with_what = f"with {', '.join(changed)}" if changed else "as it is"
    return " ".join(filter(None, (name, scale, with_what)))


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value) if isinstance(value, Mapping) else {key: value}
    return found
