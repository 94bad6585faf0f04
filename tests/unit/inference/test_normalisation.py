"""Rules that bring an image to the scale a network knows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from skimage.exposure import equalize_hist

from clinica_gado.errors import BundleError, InputImageError
from clinica_gado.inference.normalisation import (
    Equalised,
    MinMax,
    PercentileMedian,
    ZScore,
    card_of,
    normalisation_from,
    training_range,
)

RULES = [MinMax(), PercentileMedian()]
BRAIN_RULES = [ZScore(-2.0, 3.0), Equalised()]


@pytest.fixture
def head() -> np.ndarray:
    """Whole head: noise in the air, tissue around 300, negative overshoot of a spline."""
    generator = np.random.default_rng(0)
    image = np.abs(generator.normal(0, 4, (24, 24, 24)))
    image[6:18, 6:18, 6:18] = generator.normal(300, 40, (12, 12, 12))
    image[5, 6:18, 6:18] = -6
    return image.astype(np.float32)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
def test_inverse_restores_the_image(rule, head) -> None:
    scale = rule.fit(head)
    np.testing.assert_allclose(scale.invert(scale.apply(head)), head, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
def test_gain_of_the_scanner_does_not_matter(rule, head) -> None:
    np.testing.assert_allclose(
        rule.fit(1e-3 * head).apply(1e-3 * head), rule.fit(head).apply(head), atol=1e-5
    )


def test_minmax_fills_zero_to_one(head) -> None:
    normalised = MinMax().fit(head).apply(head)
    assert (normalised.min(), normalised.max()) == (0, 1)


def test_median_of_the_tissue_becomes_one_half(head) -> None:
    normalised = PercentileMedian().fit(head).apply(head)
    assert np.median(normalised[6:18, 6:18, 6:18]) == pytest.approx(0.5, rel=1e-3)


def test_brain_only_and_whole_head_get_one_scale(head) -> None:
    brain = np.zeros_like(head)
    brain[6:18, 6:18, 6:18] = head[6:18, 6:18, 6:18]
    rule = PercentileMedian()
    assert rule.fit(brain).factor == pytest.approx(rule.fit(head).factor, rel=0.01)
    assert (rule.fit(brain).apply(brain)[brain == 0] == 0).all()


def test_a_bright_vessel_moves_minmax_but_not_the_median(head) -> None:
    vessel = head.copy()
    vessel[10, 10, 10:14] = 4000
    assert PercentileMedian().fit(vessel).factor == pytest.approx(
        PercentileMedian().fit(head).factor, rel=0.01
    )
    assert MinMax().fit(vessel).factor < 0.2 * MinMax().fit(head).factor


@pytest.fixture
def brain() -> np.ndarray:
    """Values of a brain: two tissues and a few bright vessels."""
    generator = np.random.default_rng(2)
    tissue = np.concatenate((generator.normal(200, 30, 900), generator.normal(320, 20, 900)))
    return np.concatenate((tissue, generator.normal(700, 40, 20))).astype(np.float32)


def test_z_scores_are_clipped_to_the_range_and_mapped_to_zero_and_one(brain) -> None:
    expected = (stats.zscore(brain).clip(-1, 2) + 1) / 3
    found = ZScore(-1.0, 2.0).fit(brain).apply(brain)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (found.min(), found.max()) == (0, 1)


def test_equalisation_is_that_of_scikit_image_from_zero_to_one(brain) -> None:
    expected = equalize_hist(brain.astype(np.float64))
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    found = Equalised().fit(brain).apply(brain)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert found.min() >= 0
    assert found.max() == pytest.approx(1)


@pytest.mark.parametrize("rule", BRAIN_RULES, ids=lambda rule: rule.rule)
def test_gain_and_offset_do_not_matter_to_the_rules_of_a_brain(rule, brain) -> None:
    found = rule.fit(3 * brain + 50).apply(3 * brain + 50)
    np.testing.assert_allclose(found, rule.fit(brain).apply(brain), atol=1e-3)


@pytest.mark.parametrize("rule", BRAIN_RULES, ids=lambda rule: rule.rule)
def test_the_inverse_restores_what_was_not_clipped(rule, brain) -> None:
    scale = rule.fit(brain)
    normalised = scale.apply(brain)
    kept = (normalised > 0) & (normalised < 1)
    assert kept.mean() > 0.9
    np.testing.assert_allclose(scale.invert(normalised)[kept], brain[kept], rtol=1e-3)


@pytest.mark.parametrize("rule", [*RULES, *BRAIN_RULES], ids=lambda rule: rule.rule)
def test_no_change_gives_the_very_image_and_a_change_is_that_of_the_scale(rule, brain) -> None:
    scale = rule.fit(brain)
    assert np.array_equal(scale.add(brain, np.zeros_like(brain)), brain)
    inside = np.float32(0.5)
    moved = scale.add(scale.invert(inside), np.float32(0.1))
    assert scale.apply(np.atleast_1d(moved))[0] == pytest.approx(0.6, abs=1e-5)


@pytest.mark.parametrize("rule", [*RULES, *BRAIN_RULES], ids=lambda rule: rule.rule)
def test_a_spread_comes_back_in_the_units_of_the_image(rule, brain) -> None:
    scale = rule.fit(brain)
    around = np.array([0.4, 0.5], dtype=np.float32)
    spread = np.full(2, 0.02, dtype=np.float32)
    expected = scale.invert(around + 0.01) - scale.invert(around - 0.01)
    np.testing.assert_allclose(scale.spread(spread, around), expected, rtol=2e-3)


def test_the_range_of_a_training_set_is_that_of_all_z_scores_together() -> None:
    generator = np.random.default_rng(3)
    others = [generator.gamma(shape, 50, 20000).astype(np.float32) for shape in (4, 9, 20)]
    pooled = np.concatenate([stats.zscore(values) for values in others])
    rule = training_range(iter(others))
    assert rule.low == pytest.approx(np.percentile(pooled, 1), abs=5e-3)
    assert rule.high == pytest.approx(np.percentile(pooled, 99), abs=5e-3)


@pytest.mark.parametrize("rule", BRAIN_RULES, ids=lambda rule: rule.rule)
@pytest.mark.parametrize("value", [3.0, np.nan])
def test_a_brain_without_tissue_is_refused(rule, value) -> None:
    with pytest.raises(InputImageError):
        rule.fit(np.full(100, value, dtype=np.float32))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_image_that_shows_nothing_is_refused(rule, value) -> None:
    with pytest.raises(InputImageError):
        rule.fit(np.full((4, 4, 4), value, dtype=np.float32))


@pytest.mark.parametrize("rule", [*RULES, *BRAIN_RULES], ids=lambda rule: rule.rule)
def test_a_card_rebuilds_its_rule(rule) -> None:
    assert normalisation_from(card_of(rule)) == rule


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"rule": "histogram"},
        {"rule": "minmax", "median": 1},
        {"rule": "percentile", "median": 0},
        {"rule": "zscore"},
        {"rule": "zscore", "low": 2, "high": 2},
    ],
)
def test_an_unknown_rule_or_number_is_refused(numbers) -> None:
    with pytest.raises(BundleError, match="normalisation"):
        normalisation_from(numbers)
