"""Pairs on a network's scale and grid, kept on disk: a warehouse of them fits in no memory."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinica_gado.files import atomic_path
from clinica_gado.inference.normalisation import card_of
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.training.cases import load_case, scale_case
from clinica_gado.training.pairs import ScaledPair, load_pair, on_network_grid, scale_pair
from clinica_gado.training.target import DEFINITION

if TYPE_CHECKING:
    from clinica_gado.inference.inputs import Rules
    from clinica_gado.inference.normalisation import Rule
    from clinica_gado.models.card import Grid

logger = logging.getLogger(__name__)

PARTS = ("source", "target", "mask")


def scaled_pairs(
    files: Sequence[Path], normalisation: Rule, grid: Grid, target: str
) -> list[ScaledPair]:
    """Return prepared pairs as a network learns them; their arrays are read when indexed.

    They are kept beside the prepared pairs, in a folder for each scale, grid and target.
    """
    definition = DEFINITION if target == "remapped" else {}
    name = _folder_name(target, grid, [card_of(normalisation), definition])

    def scale(file: Path) -> ScaledPair:
        pair = scale_pair(load_pair(file), normalisation, template_brain(), target)
        return on_network_grid(pair, grid)

    return [_kept(file, file.parent / name, scale) for file in files]


def scaled_cases(files: Sequence[Path], rules: Rules, grid: Grid, target: str) -> list[ScaledPair]:
    """Return prepared cases as a network learns them, kept as pairs are (see `scaled_pairs`)."""
    scales = {name: card_of(rule) for name, rule in rules.inputs.items()}
    definition = DEFINITION if target == "added" else {}
    name = _folder_name(target, grid, [card_of(rules.answer), scales, definition])

    def scale(file: Path) -> ScaledPair:
        return on_network_grid(scale_case(load_case(file, target), rules), grid)

    return [_kept(file, file.parent / name, scale) for file in files]


def _folder_name(target: str, grid: Grid, decided_by: list[Any]) -> str:
    key = json.dumps([asdict(grid), decided_by], sort_keys=True)
    return f"{target}-{grid.name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _kept(file: Path, folder: Path, scale: Callable[[Path], ScaledPair]) -> ScaledPair:
    kept = [folder / f"{file.stem}_{part}.npy" for part in PARTS]
    if not all(path.is_file() and path.stat().st_mtime > file.stat().st_mtime for path in kept):
        logger.info("Scaling %s", file.stem)
        pair = scale(file)
        for part, path in zip(PARTS, kept, strict=True):
            with atomic_path(path) as partial:
                np.save(partial, getattr(pair, part))
    return ScaledPair(*(np.load(path, mmap_mode="r", allow_pickle=False) for path in kept))
