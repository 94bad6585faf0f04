"""Detection of lesions against values counted by hand and those of Bône 2022."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.bids.visits import Visit
from clinica_gado.evaluation.detection import (
    CaseDetection,
    compare_readings,
    detect,
    pair_lesions,
    score_readings,
    without_crowded,
)
from clinica_gado.evaluation.lesion_axes import Lesion


def lesion(x=0.0, long=10.0, short=6.0) -> Lesion:
    along, across, centre = np.array([long / 2, 0, 0]), np.array([0, short / 2, 0]), (x, 0, 0)
    return Lesion(np.stack((centre - along, centre + along)),
                  np.stack((centre - across, centre + across)))  # fmt: skip


@pytest.mark.parametrize(("distance", "n_pairs"), [(3.9, 1), (4.1, 0)])
def test_centres_nearer_than_half_the_mean_axis_are_a_pair(distance, n_pairs) -> None:
    assert len(pair_lesions([lesion()], [lesion(distance)])) == n_pairs


def test_a_mark_finds_one_lesion_only_and_the_nearest() -> None:
    reference = [lesion(0), lesion(5)]
    assert pair_lesions(reference, [lesion(4)]) == [(1, 0)]


def test_as_many_pairs_as_can_be_are_made() -> None:
    # The second mark is nearest to the first lesion, but it alone can find the second one.
    assert pair_lesions([lesion(0), lesion(4)], [lesion(-3), lesion(0.5)]) == [(0, 0), (1, 1)]


def test_what_is_found_missed_and_false_is_counted_by_size() -> None:
    reference = [lesion(0, long=12), lesion(100, long=7), lesion(200, long=3)]
    marks = [lesion(1, long=12), lesion(199.5, long=4), lesion(300, long=6), lesion(400, long=2)]
    case = detect(reference, marks)
    assert case.is_found.tolist() == [True, False, True]
    assert [int(case.found(size).sum()) for size in (0, 5, 10)] == [2, 1, 1]
    assert [len(case.found(size)) for size in (0, 5, 10)] == [3, 2, 1]
    assert [case.n_false(size) for size in (0, 5, 10)] == [2, 1, 0]


def test_a_case_without_lesions_has_false_detections_only() -> None:
    case = detect([], [lesion()])
    assert (case.sizes_mm.size, case.n_false(0)) == (0, 1)
    assert detect([lesion()], []).is_found.tolist() == [False]


def reading(n_found: int, n_lesions: int, n_false: int, n_cases: int = 79) -> dict:
    """Return one reading: all lesions in the first case, each false detection in one of its own."""
    none = np.array([])
    cases = {
        Visit(f"sub-{number:02}", "ses-1"): CaseDetection(
            none, none.astype(bool), np.full(int(number < n_false), 12.0)
        )
        for number in range(n_cases)
    }
    first = Visit("sub-00", "ses-1")
    found = np.arange(n_lesions) < n_found
    cases[first] = CaseDetection(np.full(n_lesions, 12.0), found, cases[first].false_sizes_mm)
    return cases


def test_scores_are_those_of_table_5_for_lesions_of_10_mm() -> None:
    readers = [reading(77, 89, 0), reading(79, 89, 3)]
    row = score_readings(readers, strata=(10.0,)).iloc[0]
    assert (row["n_cases"], row["n_lesions"], row["true_positives"]) == (79, 89, 78)
    assert [round(100 * row[name]) for name in ("se", "se_low", "se_high")] == [88, 79, 94]
    assert round(row["fdr"], 2) == 0.02
    assert round((row["fdr_high"] - row["fdr_low"]) / 2, 2) == 0.02
    first, second = (score_readings([reader], strata=(10.0,)).iloc[0] for reader in readers)
    assert [round(100 * first[name]) for name in ("se", "ppv", "f1")] == [87, 100, 93]
    assert [round(100 * second[name]) for name in ("se", "ppv", "f1")] == [89, 96, 92]


def test_seven_lesions_more_on_one_image_have_the_reference_s_mid_p() -> None:
    row = compare_readings([reading(78, 89, 2)], [reading(85, 89, 2)], strata=(10.0,)).iloc[0]
    assert (row["only_first"], row["only_second"]) == (0, 7)
    assert row["se_mid_p"] == pytest.approx(0.0078125)
    assert "all differences are zero" in row["note"]


def test_a_lesion_is_one_however_many_readers_see_it() -> None:
    """Bône 2022, table 5, lesions of 10 mm: readers 77 -> 85 and 79 -> 85, printed p .008."""
    routine = [reading(77, 89, 2), reading(79, 89, 2)]
    row = compare_readings(routine, 2 * [reading(85, 89, 2)], strata=(10.0,)).iloc[0]
    assert (row["only_first"], row["only_second"]) == (0, 7)
    assert row["se_mid_p"] == pytest.approx(0.0078125)


def test_nothing_found_scores_zero() -> None:
    assert score_readings([reading(0, 2, 2)], strata=(0.0,)).iloc[0]["f1"] == 0


def test_false_detections_are_compared_case_by_case() -> None:
    row = compare_readings([reading(5, 9, 0)], [reading(5, 9, 8)], strata=(0.0,)).iloc[0]
    assert row["se_mid_p"] == 1
    assert row["fdr_p"] < 0.05


def test_without_any_lesion_there_is_no_sensitivity() -> None:
    row = score_readings([reading(0, 0, 1)], strata=(0.0,)).iloc[0]
    assert np.isnan(row["se"])
    assert np.isnan(row["f1"])
    assert row["fdr"] == pytest.approx(1 / 79)


def test_readings_of_other_cases_or_fewer_readers_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same cases"):
        score_readings([reading(1, 2, 0), reading(1, 2, 0, n_cases=5)])
    with pytest.raises(ValueError, match="1 readings cannot be paired with 2"):
        compare_readings([reading(1, 2, 0)], 2 * [reading(1, 2, 0)])


def test_cases_of_more_than_twenty_lesions_are_left_out() -> None:
    reference = {Visit("sub-1", "s"): 20 * [lesion()], Visit("sub-2", "s"): 21 * [lesion()]}
    assert list(without_crowded(reference)) == [Visit("sub-1", "s")]
