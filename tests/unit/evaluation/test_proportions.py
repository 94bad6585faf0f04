"""Intervals and tests of proportions against published values and standard libraries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from clinica_gado.evaluation.proportions import (
    clopper_pearson,
    mcnemar_mid_p,
    student_interval,
)


@pytest.mark.parametrize(
    ("found", "n", "percent"),
    [
        (85, 89, (89, 99)),
        (78, 89, (79, 94)),
        (101.5, 145, (62, 77)),
        (123.5, 145, (78, 91)),
        (108.5, 187, (51, 65)),
        (140, 187, (68, 81)),
    ],
)
def test_intervals_of_sensitivity_are_those_of_table_5(found, n, percent) -> None:
    assert tuple(round(100 * end) for end in clopper_pearson(found, n)) == percent


def test_the_interval_is_the_reference_s_and_that_of_statsmodels() -> None:
    assert [round(end, 3) for end in clopper_pearson(85, 89)] == [0.889, 0.988]
    for found, n in ((0, 10), (3, 10), (10, 10), (79, 89)):
        expected = proportion_confint(found, n, method="beta")
        np.testing.assert_allclose(clopper_pearson(found, n), expected, rtol=1e-9)


def test_no_trial_has_no_interval_and_more_successes_than_trials_no_meaning() -> None:
    assert np.isnan(clopper_pearson(0, 0)).all()
    with pytest.raises(ValueError, match="4 successes of 3"):
        clopper_pearson(4, 3)


@pytest.mark.parametrize(
    ("only_first", "only_second", "expected"),
    [
        (7, 0, 0.0078125),
        (0, 7, 0.0078125),
        (0, 0, 1.0),
        (3, 3, 1 - stats.binom.pmf(3, 6, 0.5) / 2),
        (1, 6, 2 * stats.binom.cdf(1, 7, 0.5) - stats.binom.pmf(1, 7, 0.5)),
    ],
)
def test_mcnemar_mid_p(only_first, only_second, expected) -> None:
    assert mcnemar_mid_p(only_first, only_second) == pytest.approx(expected, abs=1e-12)


def test_mid_p_lies_between_the_exact_p_and_that_without_the_observed_table() -> None:
    exact = stats.binomtest(2, 9, 0.5).pvalue
    assert exact - stats.binom.pmf(2, 9, 0.5) == pytest.approx(mcnemar_mid_p(2, 7))


def test_the_interval_of_a_mean_is_scipy_s() -> None:
    values = np.array([0, 0, 1, 0, 2, 0, 0, 1.0])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(student_interval(values), (expected.low, expected.high))
    assert np.isnan(student_interval(values[:1])).all()
