"""A registration out of range is flagged in words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.plausibility import (
    check_registration,
    normalised_mutual_information,
)

SHAPE = (40, 40, 40)


def template():
    noise = np.random.default_rng(0).normal(size=SHAPE)
    return Volume(ndimage.gaussian_filter(noise, 2).astype(np.float32), np.eye(4))


def brain():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[8:32, 8:32, 8:32] = True
    return mask


def check(matrix, registered=None, native=None):
    fixed = template()
    return check_registration(registered or fixed, fixed, brain(), matrix, native or fixed)


def test_identity_is_plausible():
    found = check(np.eye(4))
    assert found.flags == ()
    assert found.brain_coverage == 1
    assert found.rotation_deg == pytest.approx(0, abs=1e-3)
    assert found.scales == pytest.approx((1, 1, 1))


def test_a_stretch_is_flagged():
    assert any("scale" in flag for flag in check(np.diag([2.0, 1, 1, 1])).flags)


@pytest.mark.parametrize("angle", [80, 150])
def test_a_turn_is_measured_and_flagged(angle):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("z", angle, degrees=True).as_matrix()
    found = check(matrix)
    assert found.rotation_deg == pytest.approx(angle)
    assert any("rotation" in flag for flag in found.flags)


def test_a_mirrored_head_is_flagged():
    assert "the affine mirrors the head" in check(np.diag([-1.0, 1, 1, 1])).flags


def test_a_brain_outside_the_field_of_view_is_flagged():
    matrix = np.eye(4)
    matrix[0, 3] = 25
    assert any("field of view" in flag for flag in check(matrix).flags)


def test_an_image_unlike_the_template_is_flagged():
    noise = np.random.default_rng(5).normal(size=SHAPE).astype(np.float32)
    found = check(np.eye(4), registered=Volume(noise, np.eye(4)))
    assert any("similarity" in flag for flag in found.flags)


def test_mutual_information_is_two_for_an_image_and_itself_and_one_for_noise():
    rng = np.random.default_rng(0)
    values = rng.uniform(size=200_000)
    assert normalised_mutual_information(values, 3 * values + 1) == pytest.approx(2, abs=1e-6)
    assert normalised_mutual_information(values, rng.uniform(size=200_000)) < 1.01
