"""Rules on a change: enhancement goes whole, doubt, scalp and sharp anatomy stay."""

from __future__ import annotations

from typing import get_type_hints

import numpy as np
import pytest
from scipy import ndimage

from clinica_gado.inference import change as change_module
from clinica_gado.inference.change import (
    RULES,
    BrainReach,
    DarkeningGate,
    Outlines,
    Surroundings,
    change_rules_from,
)
from clinica_gado.models.card import CHANGE_RULES

GATE = DarkeningGate(threshold=0.05, width=0.01, smoothing_voxels=1.0)
REACH = BrainReach(voxels=3, fade_voxels=4)
OUTLINES = Outlines(threshold=0.1, reach_voxels=2)
SHAPE = (16, 16, 16)


def around(image=None, region=None, allowed=None) -> Surroundings:
    image = np.full(SHAPE, 0.5, np.float32) if image is None else image
    region = np.ones(image.shape, bool) if region is None else region
    return Surroundings(image, region, allowed)


def darkening(depth: float = -0.4) -> np.ndarray:
    change = np.zeros(SHAPE, np.float32)
    change[7:9, 7:9, 7:9] = depth
    return change


def test_a_clear_darkening_keeps_its_depth_and_a_faint_one_goes() -> None:
    change = np.full(SHAPE, -0.01, np.float32)
    change[4:10, 4:10, 4:10] = -0.4
    left = GATE.apply(change, around())
    assert left.dtype == np.float32
    np.testing.assert_allclose(left[5:9, 5:9, 5:9], -0.4, rtol=1e-3)
    np.testing.assert_allclose(left[13:, 13:, 13:], -0.01 / (1 + np.exp(4)), rtol=1e-3)


def test_half_is_kept_at_the_threshold() -> None:
    change = np.full(SHAPE, -0.05, np.float32)
    np.testing.assert_allclose(GATE.apply(change, around()), -0.025, rtol=1e-4)


def test_a_lone_voxel_is_noise() -> None:
    change = np.zeros(SHAPE, np.float32)
    change[8, 8, 8] = -0.2
    assert np.abs(GATE.apply(change, around())).max() < 0.01


def test_nothing_is_brightened() -> None:
    assert not GATE.apply(np.full(SHAPE, 0.3, np.float32), around()).any()


def test_a_change_fades_out_away_from_the_brain() -> None:
    region = np.zeros(SHAPE, bool)
    region[:4] = True
    left = REACH.apply(np.full(SHAPE, -0.4, np.float32), around(region=region))
    assert left.dtype == np.float32
    expected = [-0.4] * 7 + [-0.3, -0.2, -0.1] + [0] * 6
    np.testing.assert_allclose(left[:, 5, 5], expected, atol=1e-7)


def test_without_a_region_a_change_is_kept_everywhere() -> None:
    change = darkening()
    assert np.array_equal(REACH.apply(change, around()), change)


def test_an_outline_goes_down_to_the_median_of_its_neighbours_and_no_further() -> None:
    image = np.full(SHAPE, 0.5, np.float32)
    change = darkening()
    image -= change
    image[6, 7, 7] += 0.2
    image[2, 2, 2] += 0.2
    image[9, 8, 8] -= 0.2
    left = OUTLINES.apply(change, around(image))
    result = image + left
    near = ndimage.binary_dilation(change < 0, iterations=2)
    expected = np.where(near, np.minimum(image + change, 0.5), image)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert result[2, 2, 2] == pytest.approx(0.7)
    assert left.dtype == np.float32


def test_medians_are_those_of_scipy_however_few_are_held_at_once(monkeypatch) -> None:
    monkeypatch.setattr(change_module, "_VOXELS_AT_ONCE", 7)
    image = np.random.default_rng(0).normal(1, 0.3, SHAPE).astype(np.float32)
    change = np.full(SHAPE, -0.2, np.float32)
    darkened = image + change
    expected = np.minimum(darkened, ndimage.median_filter(darkened, 3))
    result = image + OUTLINES.apply(change, around(image))
    inside = (slice(1, -1),) * 3
    np.testing.assert_allclose(result[inside], expected[inside], atol=1e-6)


def test_no_clear_darkening_no_outline() -> None:
    image = np.random.default_rng(0).normal(1, 0.3, SHAPE).astype(np.float32)
    change = darkening(-0.05)
    assert np.array_equal(OUTLINES.apply(change, around(image)), change)


def test_what_was_stripped_does_not_darken_the_edge_of_the_brain() -> None:
    change = darkening()
    allowed = np.ones(SHAPE, bool)
    allowed[:7] = False
    change[~allowed] = 0
    image = np.where(allowed, np.float32(0.5), np.float32(0)) - change
    image[7, 6, 7] = 0.9
    result = image + OUTLINES.apply(change, around(image, allowed=allowed))
    np.testing.assert_allclose(result, np.where(allowed, 0.5, 0), atol=1e-6)


def test_rules_of_a_card_come_in_one_order() -> None:
    numbers = {"outlines": vars(OUTLINES), "darkening_gate": vars(GATE)}
    assert change_rules_from(numbers) == [GATE, OUTLINES]
    assert change_rules_from({}) == []


def test_cards_and_rules_know_the_same_names_and_numbers() -> None:
    known = {name: get_type_hints(rule) for name, rule in RULES.items()}
    assert known == CHANGE_RULES
    assert list(known) == list(CHANGE_RULES)
