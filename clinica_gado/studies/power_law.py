"""What an error comes to with ever more cases: a power law with an asymptote."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CONFIDENCE = 0.95
EXPONENTS = (0.05, 5.0)
"""A slower fall than n^-0.05 shows no asymptote, a faster one than n^-5 has reached it."""
N_PARAMETERS = 3
_NAN = float("nan")


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = asymptote + scale · n^-exponent.

    Attributes
    ----------
    ci_low, ci_high : 95 % interval of the asymptote, Student's t with the covariance of the fit.
    note : why there is no fit, or no interval; empty when there are both.
    """

    asymptote: float = _NAN
    scale: float = _NAN
    exponent: float = _NAN
    ci_low: float = _NAN
    ci_high: float = _NAN
    note: str = ""

    def at(self, n: float) -> float:
        """Return the error that the law says for so many cases."""
        return float(_law(np.asarray(n, dtype=np.float64), *self._parameters))

    @property
    def _parameters(self) -> tuple[float, float, float]:
        return self.asymptote, self.scale, self.exponent


def fit_power_law(
    n_cases: Sequence[float], errors: Sequence[float], least: float = -np.inf
) -> PowerLaw:
    """Fit a power law by least squares; where that cannot be done, say why.

    Parameters
    ----------
    n_cases, errors : one a network; errors are lower where a network is better.
    least : the lowest that an error can be; the interval stops there.
    """
    n, error = (np.asarray(values, dtype=np.float64) for values in (n_cases, errors))
    known = np.isfinite(error)
    n, error = n[known], error[known]
    n_sizes = len(np.unique(n))
    if n_sizes < N_PARAMETERS:
        return PowerLaw(
            note=f"{n_sizes} sizes of training set: a law of {N_PARAMETERS} numbers needs "
            f"{N_PARAMETERS}"
        )
    start = _start(n, error)
    if start is None:
        return PowerLaw(note="the error does not fall with the number of cases")
    low, high = EXPONENTS
    bounds = ([-np.inf, 0.0, low], [np.inf, np.inf, high])
    try:
        with warnings.catch_warnings():
            # Said in words below.
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            found, covariance = optimize.curve_fit(
                _law, n, error, start, bounds=bounds, x_scale="jac"
            )
    except RuntimeError as error_of_fit:
        return PowerLaw(note=f"the fit did not end: {error_of_fit}")
    if found[2] < 1.1 * low:
        return PowerLaw(note="no sign of saturation: the asymptote cannot be told from these sizes")
    if found[0] < least:
        return PowerLaw(note="the law falls below what the score can be: the sizes are too few")
    # Networks of one size learn from the same cases: they are no more than one of it.
    law = _with_interval(found, covariance, n_sizes)
    return replace(law, ci_low=float(np.maximum(law.ci_low, least)))


def _law(n: Array, asymptote: float, scale: float, exponent: float) -> Array:
    return np.asarray(asymptote + scale * n**-exponent)


def _start(n: Array, error: Array) -> tuple[float, float, float] | None:
    """Return the best of a row of exponents, the rest being linear; None where nothing falls."""
    best: tuple[float, tuple[float, float, float]] | None = None
    for exponent in np.geomspace(*EXPONENTS, 60):
        design = np.stack([np.ones_like(n), n**-exponent], axis=1)
        (asymptote, scale), *_ = np.linalg.lstsq(design, error, rcond=None)
        missed = float(np.sum((design @ (asymptote, scale) - error) ** 2))
        if scale > 0 and (best is None or missed < best[0]):
            best = missed, (float(asymptote), float(scale), float(exponent))
    return None if best is None else best[1]


def _with_interval(found: Array, covariance: Array, n_sizes: int) -> PowerLaw:
    asymptote, scale, exponent = (float(value) for value in found)
    freedom, spread = n_sizes - N_PARAMETERS, float(np.sqrt(covariance[0, 0]))
    if freedom < 1 or not np.isfinite(spread):
        note = f"{n_sizes} sizes of training set leave no freedom for an interval"
        return PowerLaw(asymptote, scale, exponent, note=note)
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * spread
    return PowerLaw(asymptote, scale, exponent, asymptote - reach, asymptote + reach)
