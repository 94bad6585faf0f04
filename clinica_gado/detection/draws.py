"""Simulated T1w with and without agent, placed on the template's grid without a registration.

A head's tissues and layers are looked up on `CROP_GRID` through the affine of its brain, found once
on a coarse grid; each draw then varies that affine as registrations differ, and renders person,
sequence, acquisition and artefacts anew, as the patches for training are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from clinica_gado.detection.placing import coarse_affine
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.templates import load_template
from clinica_gado.resources.build_templates import paint
from clinica_gado.simulation.agent import CLINICAL_DOSE_MMOL_PER_KG
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.labels import BRAIN, LabelMap, load_label_map
from clinica_gado.simulation.layers import Head, Layer
from clinica_gado.simulation.parameters import Geometry, Scan
from clinica_gado.simulation.sampling import (
    SEED_LIMIT,
    T1_SEQUENCES,
    add_artefacts,
    sample_acquisition,
    sample_brain_mask,
    sample_head,
    sample_lesion,
    sample_sequence,
)
from clinica_gado.simulation.stream import PatchDraw, render_patch
from clinica_gado.simulation.tissue import FIELD_STRENGTHS_T

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOX = (slice(8, 161), slice(8, 197), slice(14, 165))
"""Part of `CROP_GRID` that is rendered: all that enhances, and the brain but the lowest stem."""
SHIFT_MM, TURN_DEG, STRETCH = 1.5, 1.5, 0.02
"""Standard deviations of how registrations of one head differ."""
BRAIN_ONLY_SHARE, THICK_SHARE = 0.5, 0.3


@dataclass(frozen=True)
class SimulatedDraw:
    """A pair on `CROP_GRID` (169, 208, 179): with agent and without, and how it was taken."""

    head: int
    sequence: str
    brain_only: bool
    enhanced: NDArray[np.float32]
    plain: NDArray[np.float32]


def draw_pairs(label_map: Path, anatomies: int, pairs: int, seed: int) -> Iterator[SimulatedDraw]:
    """Draw persons on a label map, and pairs of images of each."""
    labels = load_label_map(label_map)
    number = int(label_map.name[5:7])
    matrix = place_brain(label_map, labels)
    for anatomy in range(anatomies):
        rng = np.random.default_rng([seed, number, anatomy])
        lesions = tuple(sample_lesion(rng) for _ in range(int(rng.integers(3))))
        head = build_head(labels, sample_head(rng, 1.5, lesions))
        for _ in range(pairs):
            yield _render(_on_template(head, matrix @ _jitter(rng)), number, rng)


def place_brain(label_map: Path, labels: LabelMap) -> NDArray[np.float64]:
    """Return the affine from the template's world to that of a label map, (4, 4)."""
    painted = paint(labels.labels, label_map.parent) * labels.mask(BRAIN)
    return coarse_affine(Volume(painted, labels.affine), load_template("brain").volume)


def _jitter(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a small affine about the middle of the template's brain."""
    matrix = np.eye(4)
    turn = Rotation.from_euler("xyz", rng.normal(0, TURN_DEG, 3), degrees=True).as_matrix()
    matrix[:3, :3] = turn @ np.diag(1 + rng.normal(0, STRETCH, 3))
    centre = np.array([0.0, -20.0, 10.0])
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + rng.normal(0, SHIFT_MM, 3)
    return matrix


def _on_template(head: Head, matrix: NDArray[np.float64]) -> Head:
    """Look a head up at the voxels of `CROP_GRID`; outside its field of view is air."""
    to_voxels = np.linalg.inv(head.affine) @ matrix @ CROP_GRID.affine
    axes = [np.arange(n, dtype=np.float32) for n in CROP_GRID.shape]
    index, inside = np.zeros(CROP_GRID.shape, dtype=np.int64), np.ones(CROP_GRID.shape, dtype=bool)
    for row, size in zip(to_voxels[:3].astype(np.float32), head.tissue.shape, strict=True):
        steps = [w * a for w, a in zip(row[:3], axes, strict=True)]
        place = steps[0][:, None, None] + steps[1][:, None] + (steps[2] + row[3])
        place = np.rint(place).astype(np.int32)
        inside &= (place >= 0) & (place < size)
        index = index * size + np.clip(place, 0, size - 1)
    where, visible = torch.from_numpy(index), torch.from_numpy(inside)

    def look_up(volume: torch.Tensor) -> torch.Tensor:
        return torch.take(volume, where) * visible

    layers = tuple(Layer(layer.tissue, look_up(layer.fraction)) for layer in head.layers)
    texture = torch.where(visible, torch.take(head.texture, where), 1.0).to(head.texture.dtype)
    return Head(look_up(head.tissue), layers, texture, look_up(head.brain), CROP_GRID.affine)


def _render(head: Head, number: int, rng: np.random.Generator) -> SimulatedDraw:
    field_strength_t = float(rng.choice(FIELD_STRENGTHS_T))
    name = str(rng.choice(T1_SEQUENCES))
    sequence = sample_sequence(rng, name, field_strength_t)
    acquisition = add_artefacts(rng, sample_acquisition(rng, Geometry((1.0, 1.0, 1.0))))
    brain_only = bool(rng.random() < BRAIN_ONLY_SHARE)
    acquisition = replace(
        acquisition,
        brain_mask=sample_brain_mask(rng) if brain_only else None,
    )
    draw = PatchDraw(
        parameters=sample_head(rng, field_strength_t),
        scan=Scan(sequence, CLINICAL_DOSE_MMOL_PER_KG, acquisition),
        box=BOX,
        mirrored=(),
        thick_axis=int(rng.integers(3)),
        slices=int(rng.integers(2, 7)) if rng.random() < THICK_SHARE else 1,
        noise_seed=int(rng.integers(SEED_LIMIT)),
    )
    patch = render_patch(head, draw)
    enhanced, plain = (_whole(image) for image in (patch.source, patch.target))
    return SimulatedDraw(number, name, brain_only, enhanced, plain)


def _whole(part: torch.Tensor) -> NDArray[np.float32]:
    image = np.zeros(CROP_GRID.shape, dtype=np.float32)
    image[BOX] = part.numpy()
    return image
