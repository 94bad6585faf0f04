"""References in another session, named by the user's table."""

from __future__ import annotations

from typing import Any

import pytest

from clinica_gado.bids.selection import Selection, select
from clinica_gado.bids.visits import Visit
from clinica_gado.errors import SelectionError

HEADER = "participant_id session_id reference_session_id"
NCE, CE = "sub-01_ses-M000_T1w.nii.gz", "sub-01_ses-M012_ce-gd_T1w.nii.gz"


@pytest.fixture
def two_dates(dataset: Any) -> Any:
    dataset.add(NCE, CE)
    return dataset


def row_of(selection: Selection, name: str) -> Any:
    table = selection.table
    return table[table["filename"].str.endswith(name)].iloc[0]


def test_without_the_table_an_image_of_another_date_is_no_reference(two_dates: Any) -> None:
    assert select(two_dates.root).jobs[0].reference is None


def test_the_table_pairs_two_dates_and_states_the_contrast(two_dates: Any, tsv: Any) -> None:
    selection = select(two_dates.root, pairs_tsv=tsv(HEADER, "sub-01 ses-M012 ses-M000"))
    (job,) = selection.jobs
    assert job.visit == Visit("sub-01", "ses-M012")
    assert job.reference_visit == Visit("sub-01", "ses-M000")
    assert job.reference is not None
    assert job.reference.name == NCE
    row = row_of(selection, NCE)
    assert (row.contrast, row.evidence, row.role) == ("nce", "pairs-tsv", "reference")
    assert row.reason == "reference of sub-01 ses-M012"
    assert row_of(selection, CE).reference == f"sub-01/ses-M000/anat/{NCE}"


def test_a_reference_outside_the_visits_asked_for_is_read(two_dates: Any, tsv: Any) -> None:
    visits = tsv("participant_id session_id", "sub-01 ses-M012", name="visits.tsv")
    pairs = tsv(HEADER, "sub-01 ses-M012 ses-M000", name="pairs.tsv")
    selection = select(two_dates.root, visits_tsv=visits, pairs_tsv=pairs)
    assert selection.jobs[0].reference is not None
    assert len(selection.table) == 2


def test_the_pair_takes_precedence_over_the_same_visit(two_dates: Any, tsv: Any) -> None:
    own = "sub-01_ses-M012_T1w.nii.gz"
    two_dates.add(own)
    selection = select(two_dates.root, pairs_tsv=tsv(HEADER, "sub-01 ses-M012 ses-M000"))
    assert selection.jobs[0].reference_visit == Visit("sub-01", "ses-M000")
    assert "--pairs-tsv" in row_of(selection, own).reason


def test_a_reference_of_two_visits_says_both(two_dates: Any, tsv: Any) -> None:
    two_dates.add("sub-01_ses-M000_ce-gd_T1w.nii.gz")
    selection = select(two_dates.root, pairs_tsv=tsv(HEADER, "sub-01 ses-M012 ses-M000"))
    assert [job.reference.name for job in selection.jobs if job.reference] == [NCE, NCE]
    reason = row_of(selection, NCE).reason
    assert "same visit" in reason
    assert "reference of sub-01 ses-M012" in reason


def test_a_filename_says_which_of_several(two_dates: Any, tsv: Any) -> None:
    other = "sub-01_ses-M000_acq-x_T1w.nii.gz"
    two_dates.add(other)
    pairs = tsv(f"{HEADER} reference_filename", f"sub-01 ses-M012 ses-M000 {other}")
    (job,) = select(two_dates.root, pairs_tsv=pairs).jobs
    assert job.reference is not None
    assert job.reference.name == other


def test_every_fault_is_listed_at_once(two_dates: Any, tsv: Any) -> None:
    two_dates.add("sub-02_ses-M000_ce-gd_T1w.nii", "sub-02_ses-M001_ce-gd_T1w.nii")
    two_dates.add("sub-03_ses-M000_ce-gd_T1w.nii", "sub-03_ses-M001_T1w.nii")
    pairs = tsv(
        f"{HEADER} reference_filename",
        "sub-01 ses-M012 ses-M099",
        "sub-01 ses-M012 ses-M000",
        "sub-02 ses-M000 ses-M001",
        "sub-02 ses-M001 n/a",
        "sub-03 ses-M000 ses-M001 other_T1w.nii",
        "03 ses-M000 ses-M001",
    )
    with pytest.raises(SelectionError, match="6 problems") as caught:
        select(two_dates.root, pairs_tsv=pairs)
    for words in (
        "sub-01 ses-M099 is not in the BIDS dataset",
        "sub-01 ses-M012 already has another reference",
        "sub-02 ses-M001 has no usable T1w without contrast",
        "sub-02 ses-M001 has no reference_session_id",
        "sub-03 ses-M001 has no T1w named other_T1w.nii",
        "participant_id must be sub-…",
    ):
        assert words in str(caught.value)


def test_a_line_repeated_is_no_fault(two_dates: Any, tsv: Any) -> None:
    line = "sub-01 ses-M012 ses-M000"
    assert select(two_dates.root, pairs_tsv=tsv(HEADER, line, line)).jobs[0].reference is not None
