"""Dice overlap against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clinica_gado.evaluation.overlap import dice


def mask(*voxels):
    result = np.zeros((2, 2, 2), dtype=bool)
    result.flat[list(voxels)] = True
    return result


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (mask(0, 1, 2), mask(0, 1, 2), 1.0),
        (mask(0, 1, 2), mask(1, 2, 3, 4), 4 / 7),
        (mask(0), mask(1), 0.0),
        (mask(0), mask(), 0.0),
    ],
)
def test_dice_is_twice_the_common_voxels_over_the_sum_of_both(one, other, expected):
    assert dice(one, other) == pytest.approx(expected)
    assert dice(other, one) == pytest.approx(expected)


def test_dice_of_two_empty_masks_is_not_a_number():
    assert math.isnan(dice(mask(), mask()))


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        dice(mask(), np.zeros((2, 2), dtype=bool))
