"""Pairs on a network's scale and grid, kept on disk: a warehouse of them fits in no memory."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.files import atomic_path
from clinica_gado.inference.normalisation import card_of
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.training.pairs import ScaledPair, load_pair, on_network_grid, scale_pair
from clinica_gado.training.target import DEFINITION

if TYPE_CHECKING:
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
    key = json.dumps([card_of(normalisation), asdict(grid), definition], sort_keys=True)
    name = f"{target}-{grid.name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    return [_scaled_pair(file, file.parent / name, normalisation, grid, target) for file in files]


def _scaled_pair(
    file: Path, folder: Path, normalisation: Rule, grid: Grid, target: str
) -> ScaledPair:
    kept = [folder / f"{file.stem}_{part}.npy" for part in PARTS]
    if not all(path.is_file() and path.stat().st_mtime > file.stat().st_mtime for path in kept):
        logger.info("Scaling %s", file.stem)
        pair = scale_pair(load_pair(file), normalisation, template_brain(), target)
        pair = on_network_grid(pair, grid)
        for part, path in zip(PARTS, kept, strict=True):
            with atomic_path(path) as partial:
                np.save(partial, getattr(pair, part))
    return ScaledPair(*(np.load(path, mmap_mode="r", allow_pickle=False) for path in kept))
