"""Grades of readers, compared by case."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clinica_gado.evaluation.readers import compare_grades, compare_readers

RNG = np.random.default_rng(0)
CASES = [f"sub-{number:02}" for number in range(12)]
GRADES = {
    (reader, image): RNG.integers(1, 5, len(CASES)).astype(float)
    for reader in ("R1", "R2")
    for image in ("T1c", "T1c-pro", "T1c-vfa")
}


@pytest.fixture
def grades() -> pd.DataFrame:
    rows = [
        {
            "participant_id": case,
            "session_id": "ses-1",
            "reader": reader,
            "image": image,
            "grade": g,
        }
        for (reader, image), values in GRADES.items()
        for case, g in zip(CASES, values, strict=True)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=1)


def row_of(table, **conditions) -> pd.Series:
    for column, value in conditions.items():
        table = table[table[column] == value]
    (row,) = (row for _, row in table.iterrows())
    return row


def swap(row) -> int:
    return 1 if (row["first"], row["second"]) == ("T1c", "T1c-pro") else -1


@pytest.mark.parametrize("reader", ["R1", "R2", "average"])
def test_kinds_of_image_are_compared_by_paired_t_tests(grades, reader) -> None:
    table = compare_grades(grades)
    assert len(table) == 3 * 3
    readers = ("R1", "R2") if reader == "average" else (reader,)
    plain, pro = (
        np.mean([GRADES[name, image] for name in readers], axis=0) for image in ("T1c", "T1c-pro")
    )
    expected = stats.ttest_rel(plain, pro)
    pair = {"T1c", "T1c-pro"}
    rows = table[
        (table["reader"] == reader) & table["first"].isin(pair) & table["second"].isin(pair)
    ]
    (row,) = (row for _, row in rows.iterrows())
    assert row["t"] * swap(row) == pytest.approx(expected.statistic)
    assert row["p"] == pytest.approx(expected.pvalue)
    assert row["n"] == 12
    first = plain if swap(row) == 1 else pro
    assert (row["mean_first"], row["sd_first"]) == pytest.approx((first.mean(), first.std(ddof=1)))


def test_readers_are_compared_on_each_kind_of_image(grades) -> None:
    table = compare_readers(grades)
    assert len(table) == 3
    row = row_of(table, image="T1c-vfa")
    expected = stats.ttest_rel(GRADES[row["first"], "T1c-vfa"], GRADES[row["second"], "T1c-vfa"])
    assert row["p"] == pytest.approx(expected.pvalue)


def test_reading_times_are_compared_like_grades(grades) -> None:
    times = grades.rename(columns={"grade": "seconds"})
    pd.testing.assert_frame_equal(compare_grades(times, "seconds"), compare_grades(grades))


def test_a_case_that_lacks_one_of_two_is_left_out_of_that_test(grades) -> None:
    missing = (grades["participant_id"] == "sub-03") & (grades["image"] == "T1c-vfa")
    table = compare_grades(grades[~(missing & (grades["reader"] == "R1"))])
    for _, row in table[table["reader"] == "R1"].iterrows():
        assert row["n"] == (11 if "T1c-vfa" in (row["first"], row["second"]) else 12)


def test_the_average_compares_the_same_readers() -> None:
    """R2 is a point stricter and lacks one image of half the cases: the images do not differ."""
    rows = [
        (f"sub-{case}", "ses-1", reader, image, 2 + case % 3 + (reader == "R2"))
        for case in range(8)
        for reader in ("R1", "R2")
        for image in ("T1c", "T1c-pro")
        if not (reader == "R2" and image == "T1c-pro" and case % 2)
    ]
    columns = ["participant_id", "session_id", "reader", "image", "grade"]
    row = row_of(compare_grades(pd.DataFrame(rows, columns=columns)), reader="average")
    assert (row["n"], row["mean_difference"]) == (8, 0)


@pytest.mark.filterwarnings("error")
def test_a_difference_that_is_constant_but_for_rounding_gives_the_reason_and_no_test(
    grades,
) -> None:
    plain = grades[grades["image"] == "T1c"].assign(grade=lambda table: table["grade"] + 0.1)
    shifted = plain.assign(image="T1c-pro", grade=plain["grade"] + 0.7)
    assert np.ptp(shifted["grade"] - plain["grade"]) > 0
    table = compare_grades(pd.concat([plain, shifted]))
    assert table[["p", "t", "ci_low", "ci_high"]].isna().all(axis=None)
    assert table["mean_difference"].abs().to_list() == pytest.approx([0.7] * 3)
    assert table["note"].str.startswith("all 12 differences are equal").all()


def test_one_case_gives_the_reason_and_no_test(grades) -> None:
    table = compare_grades(grades[grades["participant_id"] == "sub-01"])
    assert table["p"].isna().all()
    assert set(table["note"]) == {"1 participant has both: a test needs 2"}
