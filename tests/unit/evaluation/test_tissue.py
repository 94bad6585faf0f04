"""Volume differences against hand-computed values, and what must not change them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinica_gado.errors import SelectionError
from clinica_gado.evaluation.tissue import (
    UNRATED,
    difference_columns,
    find_test_sets,
    left_out,
    planned_sets,
    volume_differences,
)


def rows(participant, nce, ce, synthetic, engine="spm", session="ses-M000"):
    volumes = {"nce": nce, "ce": ce, "synthetic": synthetic}
    return [
        {"participant_id": participant, "session_id": session, "image": image, "engine": engine}
        | dict(zip(("gm_cm3", "wm_cm3", "csf_cm3"), values, strict=True))
        for image, values in volumes.items()
        if values is not None
    ]


@pytest.fixture
def volumes():
    return pd.DataFrame([
        *rows("sub-01", (600, 500, 400), (700, 490, 310), (630, 500, 370)),
        *rows("sub-02", (500, 400, 300), (600, 400, 200), (400, 500, 100)),
    ])  # fmt: skip


def one(table, participant, tissue):
    found = table[(table.participant_id == participant) & (table.tissue == tissue)]
    assert len(found) == 1
    return found.iloc[0]


def test_differences_are_tiv_normalised_and_scaled_by_the_mean_tiv_of_the_nce_images(volumes):
    table = volume_differences(volumes)
    assert list(table.columns) == difference_columns()
    assert set(table.mean_tiv_cm3) == {1350.0}  # (1500 + 1200) / 2
    first = one(table, "sub-01", "gm")
    # 700/1500 - 600/1500 = 1/15, 630/1500 - 600/1500 = 1/50; times 1350 = 90 and 27.
    assert first.ce_signed_cm3 == pytest.approx(90)
    assert first.synthetic_signed_cm3 == pytest.approx(27)
    assert first.nce_normalised_cm3 == pytest.approx(540)
    # sub-02: CSF of 1200, 1200 and 1000 cm³: 1/4, 1/6 and 1/10, times 1350.
    second = one(table, "sub-02", "csf")
    assert second.ce_signed_cm3 == pytest.approx(-112.5)
    assert second.synthetic_signed_cm3 == pytest.approx(-202.5)
    assert (second.ce_cm3, second.synthetic_cm3) == (pytest.approx(112.5), pytest.approx(202.5))


def test_normalised_differences_of_the_three_tissues_cancel(volumes):
    table = volume_differences(volumes)
    assert table.groupby("participant_id").ce_signed_cm3.sum().abs().max() < 1e-9


@settings(max_examples=30)
@given(order=st.permutations(range(6)))
def test_the_order_of_the_rows_changes_no_bit(order):
    base = pd.DataFrame([
        *rows("sub-01", (600.1, 500.7, 400.3), (700.2, 490, 310), (630, 500, 370)),
        *rows("sub-02", (500, 400, 300), (600, 400, 200.9), (400, 500, 100)),
    ])  # fmt: skip
    pd.testing.assert_frame_equal(
        volume_differences(base.iloc[list(order)]), volume_differences(base), check_exact=True
    )


def test_pairs_are_matched_by_session_not_by_row():
    table = pd.DataFrame(
        rows("sub-01", (600, 500, 400), (610, 500, 390), (600, 500, 400), session="ses-2")
        + rows("sub-01", (300, 300, 300), (320, 290, 290), (300, 300, 300), session="ses-10")[::-1]
    )
    found = volume_differences(table).set_index(["session_id", "tissue"])
    assert found.loc[("ses-2", "gm"), "ce_cm3"] == pytest.approx(10 / 1500 * 1200)
    assert found.loc[("ses-10", "gm"), "ce_cm3"] == pytest.approx(20 / 900 * 1200)
    assert (found.synthetic_cm3 == 0).all()


def test_a_visit_without_one_of_the_images_is_left_out_in_words_and_of_the_mean_tiv(volumes):
    table = pd.concat([
        volumes,
        pd.DataFrame(rows("sub-03", None, (900, 900, 900), (900, 900, 900))),
        pd.DataFrame(rows("sub-04", (900, 900, 900), (np.nan, 900, 900), (0, 0, 0))),
        pd.DataFrame(rows("sub-05", (900, 900, 900), (900, 900, 900), (900, 900, 900))),
    ])  # fmt: skip
    exclude = {("sub-05", "ses-M000")}
    pd.testing.assert_frame_equal(
        volume_differences(table, exclude=exclude), volume_differences(volumes)
    )
    reasons = left_out(table, exclude=exclude).set_index("participant_id").reason.to_dict()
    assert reasons == {
        "sub-03": "no tissue volumes of the image: nce",
        "sub-04": "no tissue volumes of the image: ce, synthetic",
        "sub-05": "excluded on request",
    }


def test_engines_are_never_mixed(volumes):
    other = pd.DataFrame(rows("sub-01", (60, 50, 40), (70, 49, 31), (63, 50, 37), "builtin"))
    halves = pd.DataFrame(
        rows("sub-09", (1, 1, 1), None, (1, 1, 1)) + rows("sub-09", None, (1, 1, 1), None, "x")
    )
    both = volume_differences(pd.concat([volumes, other, halves]))
    spm = both[both.engine == "spm"].reset_index(drop=True)
    pd.testing.assert_frame_equal(spm, volume_differences(volumes))
    assert set(both[both.engine == "builtin"].mean_tiv_cm3) == {150.0}
    assert "sub-09" not in set(both.participant_id)


def test_numbers_read_as_text_are_numbers(volumes):
    text = volumes.astype(str)
    text.loc[0, "gm_cm3"] = None
    assert set(volume_differences(text).participant_id) == {"sub-02"}


def test_no_visit_gives_an_empty_table_with_all_columns(volumes):
    empty = volume_differences(volumes.iloc[:0])
    assert (list(empty.columns), len(empty)) == (difference_columns(), 0)
    only_ce = volumes[volumes.image == "ce"]
    assert volume_differences(only_ce).empty
    assert len(left_out(only_ce)) == 2


def test_an_image_listed_twice_is_refused(volumes):
    with pytest.raises(SelectionError, match="sub-01 ses-M000 nce"):
        volume_differences(pd.concat([volumes, volumes.iloc[:1]]))


def test_a_missing_column_is_named(volumes):
    with pytest.raises(SelectionError, match="engine"):
        volume_differences(volumes.drop(columns="engine"))


def test_the_row_of_a_session_is_stronger_than_that_of_its_participant(volumes):
    tiers = pd.DataFrame({
        "participant_id": ["sub-01", "sub-01", "sub-07"],
        "session_id": [None, "ses-M000", None],
        "quality": ["good", "low", "good"],
    })  # fmt: skip
    visits = [("sub-01", "ses-M000"), ("sub-01", "ses-M012"), ("sub-02", "ses-M000")]
    assert find_test_sets(visits, tiers).tolist() == ["low", "good", UNRATED]
    assert planned_sets(tiers) == ("good", "low")
    table = volume_differences(volumes, tiers)
    assert one(table, "sub-01", "gm").test_set == "low"
    assert one(table, "sub-02", "gm").test_set == UNRATED
    # One mean TIV over all test sets.
    assert set(table.mean_tiv_cm3) == {1350.0}


def test_a_visit_with_two_qualities_is_refused(volumes):
    tiers = pd.DataFrame({"participant_id": ["sub-01"] * 2, "quality": ["good", "low"]})
    with pytest.raises(SelectionError, match="sub-01"):
        volume_differences(volumes, tiers)
