"""Other sequences follow their T1w to the template."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from clinica_gado.preprocessing import multimodal
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.linear import resample, resample_to_grid
from clinica_gado.preprocessing.multimodal import bring_by_t1w, bring_sequence, flags_of
from clinica_gado.preprocessing.rigid import Alignment

SHAPE, SPACING = (44, 56, 40), 4.0


@pytest.fixture(scope="module")
def head():
    """Return an ellipsoid with structure, on a coarse grid around the template's middle."""
    grid = np.stack(np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing="ij")) * SPACING
    inside = (grid[0] / 60) ** 2 + (grid[1] / 75) ** 2 + (grid[2] / 55) ** 2 < 1
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 2.0)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -SPACING / 2 * np.array(SHAPE) + (0, -15, 10)
    data = np.where(inside, np.maximum(100 + 25 * noise / noise.std(), 1), 0)
    return Volume(data.astype(np.float32), affine)


def test_a_moved_sequence_lies_on_its_t1w_in_the_template(head):
    movement = np.eye(4)
    movement[:3, :3] = Rotation.from_euler("xyz", (5, -4, 6), degrees=True).as_matrix()
    movement[:3, 3] = (5.0, -6.0, 4.0)
    other = Volume(np.where(head.data > 0, 250 - head.data, 0), head.affine)
    moved_away = resample(other, SHAPE, head.affine, np.linalg.inv(movement))
    mni_to_t1w = np.eye(4)
    mni_to_t1w[0, 3] = 3.0
    moved, alignment, matrix = bring_by_t1w(moved_away, head, mni_to_t1w)
    assert moved.data.shape == CROP_GRID.shape
    assert alignment.origin == "registration"
    np.testing.assert_allclose(matrix, alignment.fixed_to_moving @ mni_to_t1w)
    expected = resample_to_grid(other, CROP_GRID, mni_to_t1w).data
    inside = ndimage.binary_erosion(expected > 0, iterations=6)
    assert np.corrcoef(moved.data[inside], expected[inside])[0, 1] > 0.95


@pytest.mark.parametrize(("name", "is_corrected"), [("ADC", False), ("FLAIR", True)])
def test_an_adc_map_is_not_corrected_for_the_coil(head, monkeypatch, name, is_corrected):
    seen = []
    corrected = Volume(head.data + 1, head.affine)
    monkeypatch.setattr(multimodal, "correct_bias", lambda image: corrected)

    def keep(image, t1w, **_):
        seen.append(image)
        return Alignment(np.eye(4), "headers", 1.0)

    monkeypatch.setattr(multimodal, "align_rigidly", keep)
    bring_sequence(name, head, head, np.eye(4))
    assert seen == [corrected if is_corrected else head]


def test_an_image_that_shows_a_part_of_the_brain_is_flagged():
    brain = np.ones((8, 8, 8), dtype=bool)
    image = np.ones((8, 8, 8), dtype=np.float32)
    assert flags_of(Volume(image, np.eye(4)), brain) == ()
    image[4:] = 0
    assert flags_of(Volume(image, np.eye(4)), brain) == ("shows 50 % of the brain",)
