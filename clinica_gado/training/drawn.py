"""Simulated cases that are drawn once and kept, to learn from or to judge by."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from clinica_gado.files import atomic_path, sha256_of
from clinica_gado.training.cases import BRAIN, ENHANCED, LESION, SAME_SCALE, Case
from clinica_gado.training.heads import place_on_crop_grid
from clinica_gado.training.pairs import ScaledPair
from clinica_gado.training.simulated import simulate_case

logger = logging.getLogger(__name__)

DIGITS = 8
"""Of the checksum of a label map, that tell it from others."""
VERSION = "v2"
"""Of the files, in their names: those of the first do not say on which scale a case is, so that
neither they nor networks that learned from them are taken for these."""


def name_of_head(label_map: Path) -> str:
    """Return what stands for a label map where `subject_of` reads a subject: name and content."""
    stem = label_map.name.partition(".")[0].replace("_", "-")
    return f"{stem}-{sha256_of(label_map)[:DIGITS]}"


def simulate_cases(
    label_maps: Sequence[Path], n_draws: int, inputs: Sequence[str], folder: Path
) -> list[Path]:
    """Simulate so many cases of each label map on the template's grid, once; return the files.

    A file is what `load_case` reads. Its seed depends on the content of the label map and on the
    number of the draw alone, and no two label maps share a person.
    """
    files = []
    for label_map in label_maps:
        digest = sha256_of(label_map)[:DIGITS]
        for draw in range(n_draws):
            path = folder / f"{name_of_head(label_map)}_draw-{draw}_{VERSION}.npz"
            if not path.is_file():
                logger.info("Simulating %s", path.stem)
                case = simulate_case(label_map, int(digest, 16) * 1000 + draw, inputs)
                _save(place_case(case), path)
            files.append(path)
    return files


def place_case(case: Case) -> Case:
    """Cut or pad a simulated case to the template's grid, all its images and masks alike."""
    images = np.stack(list(case.images.values()))
    masks = np.stack([case.brain] if case.lesion is None else [case.brain, case.lesion])
    placed = place_on_crop_grid(ScaledPair(images, case.wanted, masks))
    return replace(
        case,
        images=dict(zip(case.images, placed.source, strict=True)),
        wanted=placed.target,
        brain=placed.mask[0],
        mask=np.ones(placed.target.shape, dtype=bool),
        lesion=None if case.lesion is None else placed.mask[1],
    )


def _save(case: Case, path: Path) -> None:
    arrays: dict[str, Any] = {ENHANCED: case.wanted, BRAIN: case.brain, **case.images}
    arrays[SAME_SCALE] = np.array(case.same_scale)
    if case.lesion is not None:
        arrays[LESION] = case.lesion
    with atomic_path(path) as partial:
        np.savez_compressed(partial, **arrays)
