"""The user's table of contrast: which image a line is about, and what is wrong with it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from clinica_gado.bids.selection import select
from clinica_gado.errors import SelectionError

HEADER = "participant_id session_id contrast"
S = "sub-01_ses-M000"


@pytest.fixture
def two_runs(dataset: Any) -> Any:
    dataset.add(f"{S}_run-1_T1w.nii.gz", f"{S}_run-11_T1w.nii.gz")
    return dataset


def test_a_line_about_the_only_t1w_of_a_visit_needs_no_name(dataset: Any, tsv: Any) -> None:
    dataset.add(f"{S}_T1w.nii.gz", f"{S}_T1w.nii", "sub-02_T1w.nii.gz")
    table = tsv(HEADER, "sub-01 ses-M000 ce", "sub-02 n/a yes")
    jobs = select(dataset.root, contrast_tsv=table).jobs
    assert [job.evidence.source.value for job in jobs] == ["contrast-tsv", "contrast-tsv"]


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        ("filename", f"{S}_run-1_T1w.nii.gz", f"{S}_run-11_T1w"),
        ("path", f"sub-01/ses-M000/anat/{S}_run-1_T1w.nii.gz", f"{S}_run-11_T1w.nii.gz"),
        ("run", "01", "run-11"),
    ],
)
def test_a_line_names_its_image_by_file_path_or_run(
    two_runs: Any, tsv: Any, column: str, first: str, second: str
) -> None:
    rows = f"sub-01 ses-M000 nce {first}", f"sub-01 ses-M000 ce {second}"
    (job,) = select(two_runs.root, contrast_tsv=tsv(f"{HEADER} {column}", *rows)).jobs
    assert job.source.name == f"{S}_run-11_T1w.nii.gz"
    assert job.reference is not None
    assert job.reference.name == f"{S}_run-1_T1w.nii.gz"


def test_faults_are_listed_at_once(two_runs: Any, tsv: Any) -> None:
    table = tsv(
        f"{HEADER} run",
        "sub-01 ses-M000 ce n/a",
        "sub-01 ses-M000 ce 7",
        "sub-01 ses-M000 perhaps 1",
        "sub-01 ses-M000 ce 1",
        "sub-01 ses-M000 nce 1",
        "01 ses-M000 nce 1",
    )
    with pytest.raises(SelectionError) as caught:
        select(two_runs.root, contrast_tsv=table)
    text = str(caught.value)
    for words in ("say which", "no such T1w", "'perhaps'", "contradicts an earlier row", "sub-…"):
        assert words in text


def test_a_line_of_a_visit_not_treated_now_is_left_out(two_runs: Any, tsv: Any) -> None:
    two_runs.add("sub-02_T1w.nii.gz")
    visits = tsv("participant_id session_id", "sub-02 n/a", name="visits.tsv")
    table = tsv(HEADER, "sub-01 ses-M000 ce", "sub-02 n/a ce")
    assert len(select(two_runs.root, visits_tsv=visits, contrast_tsv=table).jobs) == 1


def test_a_line_of_a_visit_that_is_not_there_is_warned_of(
    dataset: Any, tsv: Any, caplog: pytest.LogCaptureFixture
) -> None:
    dataset.add(f"{S}_T1w.nii.gz")
    with caplog.at_level(logging.WARNING):
        select(dataset.root, contrast_tsv=tsv(HEADER, "sub-9 ses-M000 ce"))
    assert "sub-9 ses-M000" in caplog.text


def test_unknown_in_the_table_stops_the_inference(dataset: Any, tsv: Any) -> None:
    dataset.add(f"{S}_T1w.nii.gz", f"{S}_ce-gd_T1w.nii.gz")
    table = tsv(f"{HEADER} filename", f"sub-01 ses-M000 unknown {S}_T1w.nii.gz")
    (job,) = select(dataset.root, contrast_tsv=table).jobs
    assert job.reference is None
