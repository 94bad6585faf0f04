"""Two images of one head brought together, whatever their contrast and coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from clinica_gado.preprocessing import rigid
from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.linear import resample
from clinica_gado.preprocessing.rigid import align_rigidly, mutual_information

SHAPE = (44, 56, 40)
SPACING = 3.0


def head():
    """Return an ellipsoid of the size of a brain, with structures of some centimetres."""
    grid = np.stack(np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing="ij")) * SPACING
    inside = (grid[0] / 55) ** 2 + (grid[1] / 70) ** 2 + (grid[2] / 50) ** 2 < 1
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 6 / SPACING)
    values = np.maximum(100 + 25 * noise / noise.std(), 1)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -SPACING / 2 * np.array(SHAPE)
    return Volume(np.where(inside, values, 0).astype(np.float32), affine)


def other_contrast(volume):
    return Volume(np.where(volume.data > 0, 250 - volume.data, 0), volume.affine)


@pytest.fixture(scope="module")
def movement():
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", (4, -6, 8), degrees=True).as_matrix()
    matrix[:3, 3] = (6.0, -9.0, 5.0)
    return matrix


@pytest.mark.parametrize("fast", [False, True])
def test_a_movement_is_found_between_images_of_different_contrast(movement, fast):
    fixed = head()
    moving = resample(other_contrast(fixed), SHAPE, fixed.affine, np.linalg.inv(movement))
    found = align_rigidly(moving, fixed, fast=fast)
    assert found.origin == "registration"
    corners = np.array([[x, y, z, 1] for x in (-40, 40) for y in (-40, 40) for z in (-40, 40)]).T
    distance = np.linalg.norm(((found.fixed_to_moving - movement) @ corners)[:3], axis=0)
    assert distance.max() < SPACING / 3


def test_the_fast_route_registers_smaller_images_and_judges_the_whole_ones(monkeypatch):
    seen = []

    def keep(moving, fixed, *_):
        seen.extend(image.data.shape for image in (moving, fixed))
        return np.eye(4)

    monkeypatch.setattr(rigid, "estimate_transform", keep)
    fine = Volume(head().data, np.diag([1.0, 1.0, 1.0, 1.0]))
    found = align_rigidly(other_contrast(fine), fine, fast=True)
    assert seen == [tuple(size // 2 for size in SHAPE)] * 2
    expected = mutual_information(other_contrast(fine), fine, np.eye(4))
    assert found.mutual_information == expected


def test_coordinates_that_agree_already_are_kept():
    fixed = head()
    found = align_rigidly(other_contrast(fixed), fixed)
    assert found.origin == "headers"
    np.testing.assert_array_equal(found.fixed_to_moving, np.eye(4))


def test_aligned_images_share_more_information_than_displaced_ones(movement):
    fixed = head()
    moving = other_contrast(fixed)
    assert mutual_information(moving, fixed, np.eye(4)) > mutual_information(
        moving, fixed, movement
    )
