"""File names: what is read, what is refused, and the order in which they are written."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinica_gado.bids.entities import (
    BIDS_ORDER,
    CAPS_ORDER,
    BidsName,
    BidsNameError,
    format_name,
    parse_name,
    run_key,
)

LABEL = st.text("abcXYZ0189", min_size=1, max_size=8)
ENTITY = st.sampled_from([*(e for e in BIDS_ORDER if e != "*"), "dose", "xyz"])
NAME = st.builds(
    BidsName,
    st.dictionaries(ENTITY, LABEL).flatmap(
        lambda entities: LABEL.map(lambda label: {**entities, "sub": label})
    ),
    st.sampled_from(["T1w", "ADC", "FLAIR"]),
    st.sampled_from([".nii.gz", ".nii", ".NII.GZ", ".json", ""]),
)


@given(NAME)
def test_a_name_written_and_read_is_itself(name: BidsName) -> None:
    assert parse_name(format_name(name)) == name
    assert parse_name(format_name(name, CAPS_ORDER)) == name


@given(NAME)
def test_writing_does_not_depend_on_the_order_read(name: BidsName) -> None:
    known = {e: label for e, label in name.entities.items() if e in BIDS_ORDER}
    name = BidsName(known, name.suffix, name.extension)
    backwards = BidsName(dict(reversed(known.items())), name.suffix, name.extension)
    assert format_name(backwards) == format_name(name)


def test_entities_are_read_in_order_with_suffix_and_extension() -> None:
    name = parse_name("sub-01_ses-M000_acq-x_ce-gadolinium_run-01_T1w.nii.gz")
    expected = {"sub": "01", "ses": "M000", "acq": "x", "ce": "gadolinium", "run": "01"}
    assert list(name.entities.items()) == list(expected.items())
    assert (name.suffix, name.extension) == ("T1w", ".nii.gz")


@pytest.mark.parametrize(
    "filename",
    [
        "sub-01_T1w.nii",
        "sub-01_ses-M000_ADC.nii.gz",
        "sub-01_desc-ADC_dwi.nii.gz",
        "sub-01_run-1_ce-gd_T1w.nii.gz",
        "sub-01_dose-0.1_T1w.NII.GZ",
        "sub-01-02_T1w.nii.gz",
    ],
)
def test_ordinary_and_odd_names_are_read(filename: str) -> None:
    assert parse_name(filename).get("sub") is not None


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("T1w.nii.gz", "no sub- entity"),
        ("ses-M000_T1w.nii.gz", "no sub- entity"),
        ("sub-01_T1w (1).nii.gz", "suffix"),
        ("sub-01_run-1.nii.gz", "suffix"),
        ("sub-01_brain_T1w.nii.gz", "'brain' is not an entity-label pair"),
        ("sub-01_run-1_run-2_T1w.nii.gz", "run- twice"),
        ("sub-_T1w.nii.gz", "'sub-' is not"),
        ("sub-01__T1w.nii.gz", "'' is not"),
        ("", "suffix"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(filename: str, reason: str) -> None:
    with pytest.raises(BidsNameError, match="is no BIDS name") as caught:
        parse_name(filename)
    assert reason in str(caught.value)


@given(st.text(max_size=30))
def test_no_text_crashes_the_reader(filename: str) -> None:
    with contextlib.suppress(BidsNameError):
        assert parse_name(filename).get("sub")


def test_unknown_entities_stand_after_raw_ones_and_before_space() -> None:
    name = parse_name("sub-01_dose-low_space-MNI_run-1_acq-x_T1w.nii.gz")
    assert format_name(name) == "sub-01_acq-x_run-1_dose-low_space-MNI_T1w.nii.gz"


def test_caps_names_have_desc_before_res() -> None:
    name = parse_name("sub-01_ses-M000_ce-gadolinium_T1w.nii.gz").with_entities(
        res="1x1x1", desc="SynthNCE", space="MNI152NLin2009cSym"
    )
    stem = "sub-01_ses-M000_ce-gadolinium_space-MNI152NLin2009cSym"
    assert format_name(name, CAPS_ORDER) == f"{stem}_desc-SynthNCE_res-1x1x1_T1w.nii.gz"
    assert str(name) == f"{stem}_res-1x1x1_desc-SynthNCE_T1w.nii.gz"


def test_an_entity_set_to_none_is_removed_and_the_original_kept() -> None:
    name = parse_name("sub-01_ce-gd_T1w.nii.gz")
    assert str(name.with_entities(ce=None)) == "sub-01_T1w.nii.gz"
    assert name.get("ce") == "gd"


def test_runs_sort_by_number() -> None:
    runs = [
        "sub-1_run-b_T1w",
        "sub-1_run-11_T1w",
        "sub-1_run-02_T1w",
        "sub-1_T1w",
        "sub-1_run-1_T1w",
    ]
    assert sorted(runs, key=lambda run: run_key(parse_name(run))) == [
        "sub-1_T1w",
        "sub-1_run-1_T1w",
        "sub-1_run-02_T1w",
        "sub-1_run-11_T1w",
        "sub-1_run-b_T1w",
    ]
