"""Proportions and counts of paired readings: intervals and tests (Bône 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats
from scipy.special import betainc, gammaln

from clinica_gado.evaluation.statistics import CONFIDENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Interval(NamedTuple):
    """A confidence interval; NaN where there is none."""

    low: float
    high: float


def clopper_pearson(successes: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the exact interval of a proportion by the quantiles of the beta distribution.

    Parameters
    ----------
    successes
        From 0 to `n`; need not be whole, as means over readers are not.
    n
        Trials; the interval of none is NaN.

    Raises
    ------
    ValueError
        There are more successes than trials, or fewer than none.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"There cannot be {successes} successes of {n}.")
    if n == 0:
        return Interval(float("nan"), float("nan"))
    tail = (1 - confidence) / 2
    low = stats.beta.ppf(tail, successes, n - successes + 1) if successes > 0 else 0.0
    high = stats.beta.ppf(1 - tail, successes + 1, n - successes) if successes < n else 1.0
    return Interval(float(low), float(high))


def mcnemar_mid_p(only_first: float, only_second: float) -> float:
    """Return the two-sided mid-p of McNemar's test (Fagerland 2013).

    Parameters
    ----------
    only_first, only_second
        Pairs in which one alone succeeded; without any, p is 1. They need not be whole, as means
        over readers are not: the binomial is then taken by its beta and gamma functions.
    """
    n, smaller = only_first + only_second, min(only_first, only_second)
    if n == 0:
        return 1.0
    ways = gammaln(n + 1) - gammaln(smaller + 1) - gammaln(n - smaller + 1)
    point = float(np.exp(ways - n * np.log(2)))
    if only_first == only_second:
        return 1.0 - point / 2
    return 2 * float(betainc(n - smaller, smaller + 1, 0.5)) - point


def student_interval(values: NDArray[np.float64], confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of a mean by Student's t, of values (n,); NaN for fewer than two."""
    n = len(values)
    if n < 2:
        return Interval(float("nan"), float("nan"))
    error = float(np.std(values, ddof=1)) / np.sqrt(n)
    reach = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * error
    mean = float(np.mean(values))
    return Interval(mean - reach, mean + reach)
