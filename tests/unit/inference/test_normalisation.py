"""Rules that bring an image to the scale a network knows."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.errors import BundleError, InputImageError
from clinica_gado.inference.normalisation import (
    MinMax,
    PercentileMedian,
    card_of,
    normalisation_from,
)

RULES = [MinMax(), PercentileMedian()]


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


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_image_that_shows_nothing_is_refused(rule, value) -> None:
    with pytest.raises(InputImageError):
        rule.fit(np.full((4, 4, 4), value, dtype=np.float32))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
def test_a_card_rebuilds_its_rule(rule) -> None:
    assert normalisation_from(card_of(rule)) == rule


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"rule": "histogram"},
        {"rule": "minmax", "median": 1},
        {"rule": "percentile", "median": 0},
    ],
)
def test_an_unknown_rule_or_number_is_refused(numbers) -> None:
    with pytest.raises(BundleError, match="normalisation"):
        normalisation_from(numbers)
