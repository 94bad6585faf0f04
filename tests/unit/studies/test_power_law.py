"""A power law is found again, and refused in words where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clinica_gado.studies.power_law import fit_power_law

SIZES = np.array([21.0, 42.0, 63.0, 84.0, 168.0])


@pytest.mark.parametrize("exponent", [0.4, 1.0, 2.0])
def test_the_law_that_errors_follow_is_found_again(exponent):
    law = fit_power_law(SIZES, 31.0 + 400.0 * SIZES**-exponent)
    found = (law.asymptote, law.scale, law.exponent)
    assert found == pytest.approx((31.0, 400.0, exponent), rel=1e-3)
    assert law.ci_low <= law.asymptote <= law.ci_high
    assert law.at(1000.0) == pytest.approx(31.0 + 400.0 * 1000.0**-exponent, rel=1e-3)
    assert law.note == ""


def test_the_interval_holds_the_asymptote_of_noisy_errors():
    noise = np.random.default_rng(0).normal(0, 0.3, len(SIZES))
    law = fit_power_law(SIZES, 31.0 + 400.0 / SIZES + noise)
    assert law.ci_low < 31.0 < law.ci_high
    assert law.ci_low < law.asymptote < law.ci_high


@pytest.mark.parametrize(
    ("sizes", "errors", "reason"),
    [
        ([10, 20], [3.0, 2.0], "2 sizes of training set: a law of 3 numbers needs 3"),
        ([10, 20, 20], [3.0, 2.0, 2.1], "2 sizes"),
        ([10, 20, 30], [3.0, 2.0, math.nan], "2 sizes"),
        ([10, 20, 30, 40], [1.0, 2.0, 3.0, 4.0], "does not fall"),
        ([10, 20, 40, 80], [9.0, 8.0, 7.0, 6.0], "no sign of saturation"),
        ([2, 4, 6, 8], [500.0, 440, 408, 386], "falls below what the score can be"),
    ],
)
def test_what_has_no_asymptote_is_said_in_words(sizes, errors, reason):
    law = fit_power_law(sizes, errors, least=0.0)
    assert reason in law.note
    assert math.isnan(law.asymptote)


def test_three_networks_have_a_law_and_no_interval():
    law = fit_power_law([10, 20, 40], [3.0, 2.0, 1.5])
    assert law.asymptote == pytest.approx(1.0, abs=1e-3)
    assert math.isnan(law.ci_low)
    assert law.note == "3 sizes of training set leave no freedom for an interval"


def test_networks_of_one_size_give_no_freedom():
    law = fit_power_law([1, 2, 2, 3], [500.0, 350, 350, 300])
    assert math.isnan(law.ci_low)
    assert "3 sizes" in law.note


def test_the_interval_stops_at_the_least_there_can_be():
    errors = 5.0 + 400.0 / SIZES + np.array([0.4, -0.9, 0.9, 0.2, -0.2])
    law = fit_power_law(SIZES, errors, least=0.0)
    assert fit_power_law(SIZES, errors).ci_low < 0 == law.ci_low < law.asymptote
