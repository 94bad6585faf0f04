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
"""Wilcoxon's p is exact up to so many differences."""
NEGLIGIBLE_DIGITS = 9
"""Differences are rounded to 1e-9: what is equal but for floating point is then equal."""
PARTICIPANT = "participant_id"
TEST_COLUMNS = (
    "mean_difference", "ci_low", "ci_high", "t", "df", "p", "p_bonferroni", "m", "d_z",
    "wilcoxon_statistic", "wilcoxon_p", "wilcoxon_p_bonferroni", "note",
)  # fmt: skip
"""What `compare_pairs` returns beside `COUNTS`."""
COUNTS = ("n", "n_visits")
"""Participants, whose means over their visits are tested, and visits."""
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
    return ["test_set", "engine", "tissue", *COUNTS, *means, *map(_in_cm3, TEST_COLUMNS)]


def test_differences(  # of statistics, not of pytest: import the module in tests
    differences: pd.DataFrame,
    m: int | None = None,  # noqa: PT028
    test_sets: Sequence[str] = (),  # noqa: PT028
    roles: Roles = REMOVAL_ROLES,  # noqa: PT028
) -> pd.DataFrame:
    """Test whether synthetic images are nearer to the real ones than the images before are.

    A paired two-sided t-test of |dV| before (ce, or what `roles` say) against |dV| of synthetic,
    for each tissue and test set. The difference is before - synthetic: positive when the synthetic
    image is the nearer one. Visits of one participant are no independent observations: their mean
    is tested, so that `n` counts participants. Beside it a Wilcoxon signed-rank test of the same
    differences: zeros are left out (Wilcoxon's own policy), ties get mean ranks; p is exact up to
    50 differences (`wilcoxon_test`), else by the normal approximation without continuity
    correction. Bonferroni: p_adj = min(1, m p), both tests alike.

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

    Raises
    ------
    SelectionError
        The table lacks a column.
    ValueError
        `m` is below 1.
    """
    compared = [f"{image}_cm3" for image in roles.compared]
    columns = ["test_set", "engine", "tissue", PARTICIPANT, *compared]
    require_columns(differences, columns, "differences")
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
    return found.astype({**dict.fromkeys(COUNTS, int), "m": int, "df": "Int64"})


def by_participant(values: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each column over the visits of each participant.

    Parameters
    ----------
    values : one row a visit without missing numbers, with `participant_id` in its index.
    """
    # Sorted, so that not even the last digit depends on the order of the rows.
    in_order = values.sort_values(list(values.columns))
    return in_order.groupby(level=PARTICIPANT, sort=True).mean()


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
    """Test differences, (n,), for symmetry about 0; see `test_differences` for zeros and ties.

    The exact p is that of all 2^n signs of the mean ranks, counted by the shift algorithm
    (Streitberg and Röhmel 1986): ties, such as of counts and grades, do not spoil it.
    """
    if len(difference) < 2:
        return WilcoxonTest()
    difference = np.round(difference, NEGLIGIBLE_DIGITS)
    ranked = difference[difference != 0]
    if not len(ranked):
        return WilcoxonTest(note="no Wilcoxon test: all differences are zero")
    n_zeros, is_exact = len(difference) - len(ranked), len(ranked) <= EXACT_MAX_N
    if is_exact:
        found = _exact_wilcoxon(ranked)
    else:
        result = stats.wilcoxon(ranked, correction=False, method="approx")
        found = WilcoxonTest(float(result.statistic), float(result.pvalue))
    return found._replace(note=_wilcoxon_note(n_zeros, len(ranked), is_exact))


def _exact_wilcoxon(ranked: NDArray[np.float64]) -> WilcoxonTest:
    doubled = np.rint(2 * stats.rankdata(np.abs(ranked))).astype(int)  # whole: ties end in a half
    n_ways = np.zeros(doubled.sum() + 1)
    n_ways[0] = 1
    for rank in doubled:
        n_ways[rank:] += n_ways[:-rank].copy()
    smaller = min(doubled[ranked > 0].sum(), doubled[ranked < 0].sum())
    p = 2 * n_ways[: smaller + 1].sum() / 2.0 ** len(ranked)
    return WilcoxonTest(float(smaller / 2), min(1.0, float(p)))


def bonferroni(p: float, m: int) -> float:
    """Return min(1, m p); NaN stays NaN."""
    return p if np.isnan(p) else min(1.0, m * p)


def _cells(table: pd.DataFrame, columns: list[str]) -> list[tuple[str, pd.DataFrame]]:
    by_visit = table.set_index(PARTICIPANT)
    return [(name, by_visit.loc[by_visit["tissue"] == name, columns].dropna()) for name in TISSUES]


def _test(cell: pd.DataFrame, m: int) -> dict[str, Any]:
    tested = compare_pairs(cell, m)
    means = {f"mean_{name}": mean_of(by_participant(cell)[name].to_numpy()) for name in cell}
    return {**means, **{_in_cm3(name): value for name, value in tested.items()}}


def _in_cm3(name: str) -> str:
    return f"{name}_cm3" if name in _WITH_UNIT else name


def compare_pairs(pairs: pd.DataFrame, m: int) -> dict[str, Any]:
    """Test the first column minus the second by both tests, corrected by Bonferroni for m tests.

    Parameters
    ----------
    pairs : two columns, a row a visit, with `participant_id` in its index.

    Returns
    -------
    `COUNTS` and `TEST_COLUMNS`; see `test_differences`.
    """
    finite = pairs[np.isfinite(pairs).all(axis=1)]
    first, second = by_participant(finite).to_numpy(dtype=np.float64).T
    difference = np.sort(first - second)
    student, wilcoxon = paired_t_test(difference), wilcoxon_test(difference)
    n, n_endless = len(difference), len(pairs) - len(finite)
    endless = f"without {n_endless} that {_is_are(n_endless)} infinite" if n_endless else ""
    return {
        "n": n,
        "n_visits": len(finite),
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
        "note": "; ".join(filter(None, (student.note, wilcoxon.note, endless))),
    }


def mean_of(values: NDArray[np.float64]) -> float:
    """Return the mean of values, (n,), whatever their order; NaN of none."""
    return float(np.sort(values).mean()) if len(values) else _NAN


def _too_few(n: int) -> str:
    if n == 0:
        return "no participant with all that is compared: a test needs 2"
    return "only 1 participant with all that is compared: a test needs 2"


def _is_are(n: int) -> str:
    return "is" if n == 1 else "are"


def _wilcoxon_note(n_zeros: int, n_ranked: int, is_exact: bool) -> str:
    smallest = 2.0 ** (1 - n_ranked)
    approximated = f"Wilcoxon by the normal approximation (more than {EXACT_MAX_N} differences)"
    found = {
        f"Wilcoxon without {n_zeros} zero difference{'s' * (n_zeros > 1)}": n_zeros > 0,
        approximated: not is_exact,
        f"Wilcoxon of {n_ranked} differences cannot give less than p = {smallest:.3g}": (
            smallest > 1 - CONFIDENCE
        ),
    }
    return "; ".join(text for text, is_true in found.items() if is_true)
