"""The padding that keeps SPM's multigrid solver from the levels at which it errs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinica_gado.preprocessing.grids import CROP_GRID, MNI_GRID
from clinica_gado.preprocessing.images import Volume
from clinica_gado.segmentation.spm_grid import pad, padded_shape

sizes = st.integers(1, 400)


def blank(shape, spacing_mm=1.0):
    data = np.broadcast_to(np.float32(0), shape)
    return Volume(data, np.diag([spacing_mm] * 3 + [1.0]))


def levels(shape, step):
    """Return the grids of SPM's solver, as its source makes them."""
    level = [-(-size // step) for size in shape]
    yield level
    while max(level) > 1:
        level = [-(-size // 2) for size in level]
        yield level


@given(st.tuples(sizes, sizes, sizes), st.sampled_from([1.0, 1.5, 3.0]))
def test_no_level_is_one_column_of_several_voxels(shape, spacing_mm):
    padded = padded_shape(blank(shape, spacing_mm), 3.0)
    step = max(1, round(3.0 / spacing_mm))
    assert [level for level in levels(padded, step) if level[0] == level[2] == 1 < level[1]] == []


@given(st.tuples(sizes, sizes, sizes))
def test_padding_adds_slices_only_and_no_more_than_needed(shape):
    padded = padded_shape(blank(shape), 3.0)
    assert padded[:2] == shape[:2]
    assert padded[2] >= shape[2]
    if padded[2] > shape[2]:
        one_less = [*levels((*padded[:2], padded[2] - 1), 3)]
        assert any(level[0] == level[2] == 1 < level[1] for level in one_less)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [(CROP_GRID.shape, (169, 208, 193)), (MNI_GRID.shape, MNI_GRID.shape)],
)
def test_grids_of_clinica(shape, expected):
    assert padded_shape(blank(shape), 3.0) == expected


def test_what_is_added_is_zero_and_what_was_there_stays():
    data = np.ones((57, 70, 60), np.float32)
    padded = pad(Volume(data, np.eye(4)), 1.0)
    assert padded.data.shape == (57, 70, 65)
    np.testing.assert_array_equal(padded.data[:, :, :60], data)
    assert not padded.data[:, :, 60:].any()
    np.testing.assert_array_equal(padded.affine, np.eye(4))
