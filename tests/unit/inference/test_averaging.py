"""Running mean and spread, mirrors, padding and resampling."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from clinica_gado.inference.averaging import FLIPS, RunningMean, mirror
from clinica_gado.inference.grid import (
    FIRST_VOXEL,
    crop_to,
    cut,
    from_network_grid,
    pad_to_multiple,
    resample,
    to_network_grid,
)
from clinica_gado.models.card import GRIDS, Grid
from clinica_gado.preprocessing.templates import template_brain


def test_running_mean_and_spread_are_those_of_numpy() -> None:
    arrays = np.random.default_rng(0).normal(5, 2, (7, 3, 4, 5)).astype(np.float32)
    runs = RunningMean()
    for array in arrays:
        runs.add(array)
    np.testing.assert_allclose(runs.mean, arrays.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(runs.spread, arrays.std(axis=0, ddof=1), rtol=1e-4)


def test_one_array_has_no_spread() -> None:
    runs = RunningMean()
    runs.add(np.ones(3, dtype=np.float32))
    assert runs.spread is None


@pytest.mark.parametrize("axes", FLIPS["all"])
def test_mirroring_twice_gives_the_images_back(axes) -> None:
    images = torch.rand(1, 2, 3, 4, 5)
    assert torch.equal(mirror(mirror(images, axes), axes), images)


def test_memory_does_not_grow_with_the_number_of_arrays() -> None:
    array = np.ones((32, 32, 32), dtype=np.float32)
    peaks = []
    for n_arrays in (4, 40):
        tracemalloc.start()
        runs = RunningMean()
        for number in range(n_arrays):
            runs.add(array * np.float32(number))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 8 * array.nbytes


def test_left_and_right_is_the_first_image_axis() -> None:
    images = torch.rand(1, 1, 3, 4, 5)
    assert torch.equal(mirror(images, FLIPS["lr"][1]), images.flip(2))


def test_all_mirrors_differ() -> None:
    images = torch.rand(1, 1, 3, 4, 5)
    distinct = {mirror(images, axes).numpy().tobytes() for axes in FLIPS["all"]}
    assert len(distinct) == 8


def test_padding_reaches_the_multiple_and_is_taken_off_again() -> None:
    images = torch.rand(1, 1, 5, 8, 7)
    padded = pad_to_multiple(images, (4, 4, 4))
    assert padded.shape[2:] == (8, 8, 8)
    assert padded.sum() == pytest.approx(images.sum())
    assert torch.equal(crop_to(padded, (5, 8, 7)), images)


@pytest.mark.parametrize("name", FIRST_VOXEL)
def test_a_grid_of_1_mm_keeps_voxels_where_they_are_and_holds_the_template_s_brain(name) -> None:
    brain = template_brain()
    images = torch.from_numpy(brain.astype(np.float32))[None, None]
    grid = Grid(name, GRIDS[name])
    there = to_network_grid(images, grid)
    assert there.shape[2:] == grid.shape
    back = from_network_grid(there, grid, brain.shape)[0, 0].numpy() > 0
    lost = brain & ~back
    assert not (back & ~brain).any()
    assert not lost[:, :, 4:].any()  # at most 4 mm of the medulla
    assert lost.sum() < 0.001 * brain.sum()


def test_cutting_beyond_an_image_pads_with_zeros() -> None:
    images = torch.rand(1, 1, 3, 4, 5) + 1
    larger = cut(images, (-1, 0, -2), (5, 4, 8))
    assert torch.equal(larger[:, :, 1:4, :, 2:7], images)
    assert larger.sum() == images.sum()
    assert torch.equal(cut(larger, (1, 0, 2), (3, 4, 5)), images)


def test_resampling_keeps_a_ramp_inside() -> None:
    ramp = torch.linspace(0, 1, 12)[None, None, :, None, None].expand(1, 1, 12, 4, 4)
    back = resample(resample(ramp, (9, 9, 9)), (12, 4, 4))
    torch.testing.assert_close(back[:, :, 2:-2], ramp[:, :, 2:-2], rtol=0, atol=1e-5)
