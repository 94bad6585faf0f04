"""The paired tests against statsmodels, scipy's permutations and values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clinica_gado.evaluation import statistics
from clinica_gado.evaluation.statistics import (
    bonferroni,
    columns_of_tests,
    paired_t_test,
    wilcoxon_test,
)


def differences(ce, synthetic, test_set="all", engine="spm"):
    return pd.concat([
        pd.DataFrame({
            "participant_id": [f"sub-{index:02d}" for index in range(len(ce))],
            "session_id": "ses-M000", "test_set": test_set, "engine": engine, "tissue": tissue,
            "ce_cm3": np.asarray(ce, dtype=float), "synthetic_cm3": np.asarray(synthetic, float),
        })
        for tissue in ("gm", "wm", "csf")
    ])  # fmt: skip


def test_by_hand():
    """Differences 1, 2, 3, 4, 5: mean 3, SD sqrt(2.5), SE sqrt(.5)."""
    row = statistics.test_differences(differences([3, 5, 7, 9, 11], [2, 3, 4, 5, 6])).iloc[0]
    assert (row.n, row.df, row.m) == (5, 4, 3)
    assert (row.mean_ce_cm3, row.mean_synthetic_cm3) == (7, 4)
    assert row.mean_difference_cm3 == 3
    assert row.t == pytest.approx(3 / math.sqrt(0.5))
    assert row.d_z == pytest.approx(3 / math.sqrt(2.5))
    # Student's t with 4 degrees of freedom has the distribution function
    # F(t) = 1/2 + 3/8 * s * (1 - s^2 / 12) with s = t / sqrt(1 + t^2 / 4).
    s = row.t / math.sqrt(1 + row.t**2 / 4)
    assert row.p == pytest.approx(1 - 2 * 3 / 8 * s * (1 - s**2 / 12))
    assert row.p == pytest.approx(0.0132356, abs=1e-7)
    assert row.p_bonferroni == pytest.approx(3 * row.p)
    # 97.5th percentile of that distribution, from tables.
    assert row.ci_low_cm3 == pytest.approx(3 - 2.776445 * math.sqrt(0.5), abs=1e-6)
    assert row.ci_high_cm3 == pytest.approx(3 + 2.776445 * math.sqrt(0.5), abs=1e-6)
    # All five of one sign: 2 of the 32 sign patterns are as extreme.
    assert (row.wilcoxon_statistic, row.wilcoxon_p) == (0, 2 / 32)
    assert row.wilcoxon_p_bonferroni == pytest.approx(6 / 32)
    assert row.note == "Wilcoxon of 5 differences cannot give less than p = 0.0625"


def test_against_statsmodels():
    weightstats = pytest.importorskip("statsmodels.stats.weightstats", reason="needs statsmodels")
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="needs statsmodels")
    rng = np.random.default_rng(1)
    good = differences(rng.gamma(3, 9, 26), rng.gamma(2, 5, 26), "good")
    low = differences(rng.gamma(3, 20, 51), rng.gamma(3, 19, 51), "low")
    table = statistics.test_differences(pd.concat([good, low]))
    for (name, cells), n in zip((("good", good), ("low", low)), (26, 51), strict=True):
        cell = cells[cells.tissue == "gm"]
        described = weightstats.DescrStatsW(cell.ce_cm3 - cell.synthetic_cm3)
        row = table[(table.test_set == name) & (table.tissue == "gm")].iloc[0]
        assert (row.t, row.p, row.df) == pytest.approx(described.ttest_mean(0), rel=1e-6)
        interval = described.tconfint_mean()
        assert (row.ci_low_cm3, row.ci_high_cm3) == pytest.approx(interval, rel=1e-6)
        assert row.n == n
        assert row.t == pytest.approx(row.d_z * math.sqrt(n))
    _, adjusted, _, _ = multitest.multipletests(table.p, method="bonferroni")
    assert table.p_bonferroni.to_numpy() == pytest.approx(adjusted)
    assert set(table.m) == {6}


@pytest.mark.parametrize(
    ("values", "statistic"),
    [
        ([1.5, -2.25, 3, 4.5, 6, -0.5, 7, 8.25], 4.0),  # ranks 1 and 3 are negative
        ([1, 1, -2, 3, 3, 3, 4, 5, -1, 6], 6.0),  # ranks 2 and 4
        ([1, 1, 1, 1, 1], 0.0),
        ([0.1, 0.3 - 0.2, -0.1], 2.0),  # equal but for floating point
    ],
)
def test_wilcoxon_is_that_of_all_signs_with_ties_or_without(values, statistic):
    values = np.array(values, dtype=float)
    everything = stats.permutation_test(
        (np.round(values, 9),), lambda d: stats.rankdata(np.abs(d))[d > 0].sum(),
        permutation_type="samples", n_resamples=np.inf,
    )  # fmt: skip
    found = wilcoxon_test(values)
    assert found.p == pytest.approx(min(1, everything.pvalue))
    assert found.statistic == statistic
    assert "normal" not in found.note


def test_zeros_are_left_out_of_wilcoxon_and_said_so():
    with_zeros = wilcoxon_test(np.array([0, 1.5, -2.25, 3, 4.5, 0, 6, -0.5, 7, 8.25]))
    without = wilcoxon_test(np.array([1.5, -2.25, 3, 4.5, 6, -0.5, 7, 8.25]))
    assert with_zeros[:2] == without[:2]
    assert "without 2 zero differences" in with_zeros.note


def test_beyond_fifty_differences_the_approximation_is_named():
    found = wilcoxon_test(np.arange(1.0, 52) * np.where(np.arange(51) % 3, 1, -1))
    assert "more than 50 differences" in found.note


@pytest.mark.parametrize(("n", "words"), [(0, "no participant"), (1, "only 1 participant")])
def test_too_few_participants_give_nan_and_a_reason(n, words):
    table = statistics.test_differences(differences([5.0] * n, [3.0] * n), test_sets=["all"])
    assert len(table) == 3
    assert list(table.columns) == columns_of_tests()
    assert table.note.str.contains(words).all()
    assert table[["t", "p", "p_bonferroni", "ci_low_cm3", "d_z", "wilcoxon_p"]].isna().all(None)
    assert table.df.isna().all()
    assert set(table.n) == {n}


def test_zero_variance_gives_nan_and_a_reason_even_with_rounding_noise():
    row = statistics.test_differences(differences([0.3, 0.2, 1.1], [0.2, 0.1, 1.0])).iloc[0]
    assert "without variance" in row.note
    assert math.isnan(row.t)
    assert math.isnan(row.p_bonferroni)
    assert row.mean_difference_cm3 == pytest.approx(0.1)


def test_all_differences_zero():
    row = statistics.test_differences(differences([1, 2, 3], [1, 2, 3])).iloc[0]
    assert row.mean_difference_cm3 == 0
    assert math.isnan(row.wilcoxon_p)
    assert "all differences are zero" in row.note


def test_m_is_what_was_planned_unless_it_is_given():
    table = differences([3, 5, 8], [2, 3, 3])
    assert set(statistics.test_differences(table, test_sets=["good", "low", "all"]).m) == {9}
    given_m = statistics.test_differences(table, m=2)
    assert given_m.p_bonferroni.to_numpy() == pytest.approx(np.minimum(1, 2 * given_m.p))
    with pytest.raises(ValueError, match="at least one"):
        statistics.test_differences(table, m=0)


def test_visits_of_one_participant_count_once():
    """Means 1, 2, 3 of three participants: the t-test is theirs, however many visits they had."""
    table = differences([2, 2, 3, 5, 5], [0, 2, 1, 1, 3]).assign(
        participant_id=[f"sub-{n}" for n in (1, 1, 2, 3, 3)] * 3,
        session_id=[f"ses-{n}" for n in range(5)] * 3,
    )
    row = statistics.test_differences(table).iloc[0]
    assert (row.n, row.n_visits, row.df) == (3, 5, 2)
    expected = stats.ttest_1samp([1, 2, 3], 0)
    assert (row.t, row.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert (row.mean_ce_cm3, row.mean_synthetic_cm3) == pytest.approx((10 / 3, 4 / 3))


def test_what_is_infinite_is_left_out_and_said_so():
    pairs = pd.DataFrame(
        {"first": [4.0, 6, math.inf], "second": [1.0, 2, 3]},
        index=pd.Index(["sub-1", "sub-2", "sub-3"], name="participant_id"),
    )
    found = statistics.compare_pairs(pairs, 1)
    assert (found["n"], found["mean_difference"]) == (2, 3.5)
    assert "without 1 that is infinite" in found["note"]


def test_each_engine_is_a_family_of_its_own():
    table = pd.concat([
        differences([3, 5, 8], [2, 3, 3]), differences([3, 5, 9], [2, 3, 3], engine="builtin"),
    ])  # fmt: skip
    found = statistics.test_differences(table)
    assert list(found.engine) == ["builtin"] * 3 + ["spm"] * 3
    assert set(found.m) == {3}


@settings(max_examples=30)
@given(
    pairs=st.lists(
        st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=2, max_size=12, unique=True
    ),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_the_visits_changes_no_bit(pairs, order):
    table = differences(*zip(*pairs, strict=True))
    shuffled = list(range(len(table)))
    order.shuffle(shuffled)
    pd.testing.assert_frame_equal(
        statistics.test_differences(table.iloc[shuffled]),
        statistics.test_differences(table),
        check_exact=True,
    )


def test_bonferroni_stops_at_one():
    assert bonferroni(0.3, 6) == 1
    assert bonferroni(0.01, 6) == pytest.approx(0.06)
    assert math.isnan(bonferroni(float("nan"), 6))


def test_exchanging_the_images_changes_the_sign_alone():
    first = paired_t_test(np.array([1.0, -2, 4, 5]))
    second = paired_t_test(np.array([-1.0, 2, -4, -5]))
    assert (first.t, first.p, first.ci_low) == pytest.approx((-second.t, second.p, -second.ci_high))
