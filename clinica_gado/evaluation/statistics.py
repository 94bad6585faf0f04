"""Paired tests of volume differences: Student's t, Wilcoxon, Bonferroni."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from clinica_gado.evaluation.tissue import TISSUES, require_columns
from clinica_gado.roles import REMOVAL_ROLES, Roles

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
EXACT_MAX_N = 50
"""Wilcoxon's p is exact up to so many differences without ties, as in scipy."""
NEGLIGIBLE_DIGITS = 9
"""Differences are rounded to 1e-9: what is equal but for floating point is then equal."""
TEST_COLUMNS = (
    "mean_difference", "ci_low", "ci_high", "t", "df", "p", "p_bonferroni", "m", "d_z",
    "wilcoxon_statistic", "wilcoxon_p", "wilcoxon_p_bonferroni", "note",
)  # fmt: skip
"""What `compare_pairs` returns beside n."""
_WITH_UNIT = ("mean_difference", "ci_low", "ci_high")
NO_ENGINE = "n/a"
_NAN = float("nan")


class StudentTest(NamedTuple):
    """Two-sided one-sample t-test of paired differences against 0.

    Attributes
    ----------
    ci_low, ci_high : 95 % confidence interval of the mean difference, by Student's t.
    d_z : mean difference over the standard deviation (n - 1) of the differences.
    note : why there is no test; empty when there is one.
    """

    t: float = _NAN
    p: float = _NAN
    ci_low: float = _NAN
    ci_high: float = _NAN
    d_z: float = _NAN
    note: str = ""


class WilcoxonTest(NamedTuple):
    """Two-sided Wilcoxon signed-rank test; `statistic` is the smaller of the two rank sums."""

    statistic: float = _NAN
    p: float = _NAN
    note: str = ""


def columns_of_tests(roles: Roles = REMOVAL_ROLES) -> list[str]:
    """Return the columns of `test_differences`."""
    means = [f"mean_{image}_cm3" for image in roles.compared]
    return ["test_set", "engine", "tissue", "n", *means, *map(_in_cm3, TEST_COLUMNS)]


def test_differences(  # of statistics, not of pytest: import the module in tests
    differences: pd.DataFrame,
    m: int | None = None,  # noqa: PT028
    test_sets: Sequence[str] = (),  # noqa: PT028
    roles: Roles = REMOVAL_ROLES,  # noqa: PT028
) -> pd.DataFrame:
    """Test whether synthetic images are nearer to the real ones than the images before are.

    A paired two-sided t-test of |dV| before (ce, or what `roles` say) against |dV| of synthetic,
    for each tissue and test set. The difference is before - synthetic: positive when the synthetic
    image is the nearer one. Beside it a Wilcoxon signed-rank test of the same differences: zeros
    are left out (Wilcoxon's own policy), ties get mean ranks; p is exact up to 50 differences
    without ties, else by the normal approximation without continuity correction. Bonferroni:
    p_adj = min(1, m p), both tests alike.

    Parameters
    ----------
    differences : of `volume_differences`.
    m : tests in the family; by default those planned for one engine, tissues times test sets,
        counting those that could not be computed.
    test_sets : sets that were planned, so that one without any visit has its row too.

    Returns
    -------
    One row an engine, test set and tissue (`columns_of_tests`), volumes in cm³. What cannot be
    computed is NaN, with the reason in `note`.
    """
    compared = [f"{image}_cm3" for image in roles.compared]
    require_columns(differences, ["test_set", "engine", "tissue", *compared], "differences")
    if m is not None and m < 1:
        raise ValueError(f"A family has at least one test; m is {m}.")
    engines = sorted(differences["engine"].unique()) or [NO_ENGINE]
    rows = []
    for engine in engines:
        table = differences[differences["engine"] == engine]
        sets = sorted({*table["test_set"], *test_sets})
        size = m if m is not None else len(sets) * len(TISSUES)
        rows += [
            {"test_set": name, "engine": engine, "tissue": tissue, **_test(cell, size)}
            for name in sets
            for tissue, cell in _cells(table[table["test_set"] == name], compared)
        ]
    found = pd.DataFrame(rows, columns=columns_of_tests(roles))
    return found.astype({"n": int, "m": int, "df": "Int64"})


def paired_t_test(difference: NDArray[np.float64]) -> StudentTest:
    """Test differences, (n,), against 0; n < 2 and zero variance give a reason instead.

    Variance that floating point alone may have made is none: differences within 1e-9, or within
    1e-9 of the largest of them, are equal.
    """
    n = len(difference)
    if n < 2:
        return StudentTest(note=_too_few(n))
    if np.ptp(difference) < 10.0**-NEGLIGIBLE_DIGITS * max(1.0, np.abs(difference).max()):
        return StudentTest(
            note=f"all {n} differences are equal: without variance there is no t-test, "
            "interval or d_z"
        )
    result = stats.ttest_1samp(difference, 0.0)
    interval = result.confidence_interval(CONFIDENCE)
    return StudentTest(
        t=float(result.statistic),
        p=float(result.pvalue),
        ci_low=float(interval.low),
        ci_high=float(interval.high),
        d_z=float(difference.mean() / difference.std(ddof=1)),
    )


def wilcoxon_test(difference: NDArray[np.float64]) -> WilcoxonTest:
    """Test differences, (n,), for symmetry about 0; see `test_differences` for zeros and ties."""
    if len(difference) < 2:
        return WilcoxonTest()
    ranked = difference[difference != 0]
    if not len(ranked):
        return WilcoxonTest(note="no Wilcoxon test: all differences are zero")
    has_ties = len(np.unique(np.abs(ranked))) < len(ranked)
    is_exact = not has_ties and len(ranked) <= EXACT_MAX_N
    result = stats.wilcoxon(ranked, correction=False, method="exact" if is_exact else "approx")
    return WilcoxonTest(
        float(result.statistic),
        float(result.pvalue),
        _wilcoxon_note(len(difference) - len(ranked), len(ranked), has_ties, is_exact),
    )


def bonferroni(p: float, m: int) -> float:
    """Return min(1, m p); NaN stays NaN."""
    return p if np.isnan(p) else min(1.0, m * p)


def _cells(table: pd.DataFrame, columns: list[str]) -> list[tuple[str, pd.DataFrame]]:
    return [(name, table.loc[table["tissue"] == name, columns].dropna()) for name in TISSUES]


def _test(cell: pd.DataFrame, m: int) -> dict[str, Any]:
    before, synthetic = (cell[name].to_numpy(dtype=np.float64) for name in cell)
    tested = compare_pairs(before, synthetic, m)
    means = {f"mean_{name}": mean_of(cell[name].to_numpy(dtype=np.float64)) for name in cell}
    return {**means, **{_in_cm3(name): value for name, value in tested.items()}}


def _in_cm3(name: str) -> str:
    return f"{name}_cm3" if name in _WITH_UNIT else name


def compare_pairs(
    first: NDArray[np.float64], second: NDArray[np.float64], m: int
) -> dict[str, Any]:
    """Test first - second, (n,) each, by both tests, with Bonferroni's correction for m tests.

    Returns
    -------
    `n` and `TEST_COLUMNS`; see `test_differences`.
    """
    # Sorted, so that not even the last digit depends on the order of the rows.
    difference = np.sort(np.round(first - second, NEGLIGIBLE_DIGITS))
    student, wilcoxon = paired_t_test(difference), wilcoxon_test(difference)
    n = len(difference)
    return {
        "n": n,
        "mean_difference": mean_of(difference),
        "ci_low": student.ci_low,
        "ci_high": student.ci_high,
        "t": student.t,
        "df": pd.NA if np.isnan(student.t) else n - 1,
        "p": student.p,
        "p_bonferroni": bonferroni(student.p, m),
        "m": m,
        "d_z": student.d_z,
        "wilcoxon_statistic": wilcoxon.statistic,
        "wilcoxon_p": wilcoxon.p,
        "wilcoxon_p_bonferroni": bonferroni(wilcoxon.p, m),
        "note": "; ".join(filter(None, (student.note, wilcoxon.note))),
    }


def mean_of(values: NDArray[np.float64]) -> float:
    """Return the mean of values, (n,), whatever their order; NaN of none."""
    return float(np.sort(values).mean()) if len(values) else _NAN


def _too_few(n: int) -> str:
    if n == 0:
        return "no visit with all that is compared: a test needs 2"
    return "only 1 visit with all that is compared: a test needs 2"


def _wilcoxon_note(n_zeros: int, n_ranked: int, has_ties: bool, is_exact: bool) -> str:
    smallest = 2.0 ** (1 - n_ranked)
    why = "ties" if has_ties else f"more than {EXACT_MAX_N} differences"
    found = {
        f"Wilcoxon without {n_zeros} zero difference{'s' * (n_zeros > 1)}": n_zeros > 0,
        f"Wilcoxon by the normal approximation ({why})": not is_exact,
        f"Wilcoxon of {n_ranked} differences cannot give less than p = {smallest:.3g}": (
            smallest > 1 - CONFIDENCE
        ),
    }
    return "; ".join(text for text, is_true in found.items() if is_true)
