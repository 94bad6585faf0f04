"""An image, its true labels and the head they come from lie at the same place, to parts of a voxel.

The place is that of the best correlation: a parabola through the correlations at steps of -1, 0, 1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clinica_gado.simulation.acquisition import Grid, acquire, interpolate, plan_grid
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.artefacts import thicken
from clinica_gado.simulation.dataset import TRUTH_LABELS, true_labels
from clinica_gado.simulation.labels import LabelMap, Tissue
from clinica_gado.simulation.layers import FULL, Layer
from clinica_gado.simulation.parameters import (
    AcquisitionParameters,
    Geometry,
    HeadParameters,
    Scan,
)
from clinica_gado.simulation.sampling import add_artefacts, sample_acquisition
from clinica_gado.simulation.signal import SpinEcho
from clinica_gado.simulation.texture import smooth_noise

AFFINE = np.diag([1.0, 1.0, 1.0, 1.0])
AFFINE[:3, 3] = (-16.0, -20.0, -12.0)
SHAPE = (40, 40, 40)


def offset(image: NDArray[np.floating], reference: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return by how many voxels along each axis an image correlates best with a reference."""
    inner = tuple(slice(2 + n // 10, -2 - n // 10) for n in image.shape)
    best = []
    for axis in range(3):
        before, here, after = (
            np.corrcoef(np.roll(image, -step, axis)[inner].flat, reference[inner].flat)[0, 1]
            for step in (-1, 0, 1)
        )
        best.append(0.5 * (before - after) / (before - 2 * here + after))
    return np.array(best)


def _head() -> torch.Tensor:
    """Return smooth blobs on a 1 mm grid."""
    return torch.from_numpy(1.0 + 0.3 * smooth_noise(SHAPE, 1, sigma_mm=2.5))


def _scan(signal: torch.Tensor, parameters: AcquisitionParameters) -> tuple[torch.Tensor, Grid]:
    grid = plan_grid(signal > 0, AFFINE, parameters)
    return acquire(signal, AFFINE, grid, parameters, 0.0, torch.Generator()), grid


def _clean(geometry: Geometry) -> AcquisitionParameters:
    return replace(sample_acquisition(np.random.default_rng(0), geometry), bias=(0.0,) * 9)


def test_the_measure_finds_a_shift_of_half_a_voxel() -> None:
    signal = _head().numpy()
    shifted = (signal + np.roll(signal, 1, axis=1)) / 2
    np.testing.assert_allclose(offset(shifted, signal), (0.0, 0.5, 0.0), atol=0.1)


@pytest.mark.parametrize("voxel_mm", [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (1.0, 1.5, 5.0)])
@pytest.mark.parametrize("codes", ["RAS", "PSR"])
def test_an_image_lies_where_the_head_is(voxel_mm: tuple[float, float, float], codes: str) -> None:
    signal = _head()
    values, grid = _scan(signal, _clean(Geometry(voxel_mm, codes)))
    back = interpolate(values, grid.affine, AFFINE, list(SHAPE)).numpy()
    np.testing.assert_allclose(offset(back, signal.numpy()), 0.0, atol=0.1)


def test_motion_and_ghosts_leave_the_head_where_it_was() -> None:
    signal, rng = _head(), np.random.default_rng(3)
    clean = _clean(Geometry((1.0, 1.0, 1.0)))
    drawn = [add_artefacts(rng, clean) for _ in range(40)]
    moved = next(item for item in drawn if item.motion is not None)
    still = replace(moved, shift_mm=(0.0,) * 3, turn_deg=(0.0,) * 3)
    values, grid = _scan(signal, still)
    back = interpolate(values, grid.affine, AFFINE, list(SHAPE)).numpy()
    np.testing.assert_allclose(offset(back, signal.numpy()), 0.0, atol=0.1)


@pytest.mark.parametrize("slices", [2, 3, 6])
def test_thick_slices_of_a_patch_lie_where_the_thin_ones_do(slices: int) -> None:
    signal = _head()
    thick = thicken(signal, 2, slices).numpy()
    np.testing.assert_allclose(offset(thick, signal.numpy()), 0.0, atol=0.1)


def test_true_labels_lie_where_the_image_shows_them(
    phantom: LabelMap, parameters: HeadParameters
) -> None:
    head = build_head(phantom, replace(parameters, lesions=()))
    drawn = _clean(Geometry((1.0, 1.5, 2.0), "LPS", (5.0, -3.0, 4.0)))
    moved = replace(drawn, shift_mm=(0.8, -0.6, 0.4), turn_deg=(2.0, 0.0, -1.0))
    grid = plan_grid(head.tissue > 0, head.affine, moved)
    white = (head.tissue == Tissue.WHITE).float()
    image = acquire(white, head.affine, grid, moved, 0.0, torch.Generator()).numpy()
    scan = Scan(SpinEcho(500.0, 12.0), 0.0, moved)
    labels = true_labels(head, scan, grid).numpy() == TRUTH_LABELS["white matter"]
    np.testing.assert_allclose(offset(image, labels.astype(float)), 0.0, atol=0.1)


def test_voxels_that_vessels_fill_are_of_no_true_label(
    phantom: LabelMap, parameters: HeadParameters
) -> None:
    bare = replace(build_head(phantom, replace(parameters, lesions=())), layers=())
    filled = torch.zeros_like(bare.tissue)
    filled[14:18] = FULL
    grid = Grid(tuple(bare.tissue.shape), bare.affine)
    scan = Scan(SpinEcho(500.0, 12.0), 0.0, _clean(Geometry((1.0, 1.0, 1.0))))
    tissue = true_labels(bare, scan, grid)
    labels = true_labels(replace(bare, layers=(Layer(Tissue.BLOOD, filled),)), scan, grid)
    assert tissue[14:18].any()
    assert not labels[14:18].any()
    assert torch.equal(labels[18:], tissue[18:])
