"""Visits: from folders, from the user's table, with and without sessions."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from clinica_gado.bids.visits import Visit, list_visits
from clinica_gado.errors import SelectionError

HEADER = "participant_id session_id"


def visits(*args: Any) -> list[tuple[str, str]]:
    return [tuple(folder.visit) for folder in list_visits(*args).folders]


def test_visits_come_from_folders_in_order(dataset: Any) -> None:
    dataset.add("sub-02_ses-M000_T1w.nii", "sub-01_ses-M012_T1w.nii", "sub-01_ses-M000_T1w.nii")
    expected = [("sub-01", "ses-M000"), ("sub-01", "ses-M012"), ("sub-02", "ses-M000")]
    assert visits(dataset.root) == expected


def test_a_visit_without_session_is_written_under_m000(dataset: Any) -> None:
    dataset.add("sub-01_T1w.nii.gz")
    (folder,) = list_visits(dataset.root).folders
    assert folder.visit == Visit("sub-01", "ses-M000")
    assert folder.cross_sectional


def test_images_without_session_beside_a_real_m000_are_a_problem(dataset: Any) -> None:
    dataset.add("sub-01_T1w.nii.gz", "sub-01_ses-M000_T1w.nii.gz")
    listing = list_visits(dataset.root)
    assert [folder.cross_sectional for folder in listing.folders] == [False]
    assert "would mix with ses-M000" in listing.problems[0].reason


def test_derivatives_hidden_files_and_stray_files_are_no_visits(dataset: Any) -> None:
    dataset.add("sub-01_T1w.nii.gz")
    dataset.write("derivatives/x/sub-09/anat/sub-09_T1w.nii.gz", "")
    dataset.write(".git/sub-08/anat/sub-08_T1w.nii.gz", "")
    dataset.write("sub-07.txt", "")
    assert visits(dataset.root) == [("sub-01", "ses-M000")]


def test_linked_participants_are_followed(dataset: Any, tmp_path: Path) -> None:
    dataset.add("sub-01_T1w.nii.gz")
    (dataset.root / "sub-01").rename(tmp_path / "elsewhere")
    (dataset.root / "sub-01").symlink_to(tmp_path / "elsewhere")
    assert visits(dataset.root) == [("sub-01", "ses-M000")]


def test_a_participant_whose_link_leads_in_a_circle_costs_itself_alone(dataset: Any) -> None:
    dataset.add("sub-02_T1w.nii.gz")
    (dataset.root / "sub-01").symlink_to(dataset.root / "sub-01")
    listing = list_visits(dataset.root)
    assert [folder.visit.participant_id for folder in listing.folders] == ["sub-02"]
    ((visit, _, reason),) = listing.problems
    assert visit.participant_id == "sub-01"
    assert "cannot read its folder" in reason


def test_the_table_chooses_visits_and_repeated_lines_count_once(dataset: Any, tsv: Any) -> None:
    dataset.add("sub-01_ses-M000_T1w.nii", "sub-01_ses-M012_T1w.nii", "sub-02_T1w.nii")
    row = "sub-01 ses-M012"
    table = tsv(HEADER, row, row, "sub-02 n/a", "sub-02 ses-M000")
    assert visits(dataset.root, table) == [("sub-01", "ses-M012"), ("sub-02", "ses-M000")]


def test_a_visit_that_is_not_there_is_a_problem_not_an_error(dataset: Any, tsv: Any) -> None:
    dataset.add("sub-01_ses-M000_T1w.nii")
    table = tsv(HEADER, "sub-01 ses-M000", "sub-01 ses-M099", "sub-09 ses-M000", "sub-1/.. n/a")
    listing = list_visits(dataset.root, table)
    assert len(listing.folders) == 1
    absent = [tuple(problem.visit) for problem in listing.problems]
    assert absent == [("sub-01", "ses-M099"), ("sub-09", "ses-M000"), ("sub-1/..", "ses-M000")]
    assert "table.tsv" in listing.problems[0].reason


def test_every_line_that_names_no_visit_is_listed_at_once(dataset: Any, tsv: Any) -> None:
    dataset.add("sub-01_ses-M000_T1w.nii")
    table = tsv(HEADER, "01 ses-M000", "sub-01 M000", "n/a n/a", "sub-01 ses-M000")
    with pytest.raises(SelectionError, match="3 problems") as caught:
        list_visits(dataset.root, table)
    assert all(f"row {number}" in str(caught.value) for number in (1, 2, 3))


def test_a_table_of_other_visits_only_is_refused(dataset: Any, tsv: Any) -> None:
    dataset.add("sub-01_ses-M000_T1w.nii")
    with pytest.raises(SelectionError, match="lists 1 visit, none of them in"):
        list_visits(dataset.root, tsv(HEADER, "sub-02 ses-M000"))


@pytest.mark.parametrize("lines", [["participant_id,session_id"], ["participant_id"], []])
def test_a_malformed_table_is_refused_in_one_line(dataset: Any, tsv: Any, lines: list[str]) -> None:
    dataset.add("sub-01_ses-M000_T1w.nii")
    with pytest.raises(SelectionError, match=r"table\.tsv") as caught:
        list_visits(dataset.root, tsv(*lines))
    assert "\n" not in str(caught.value)


def test_an_absent_or_empty_dataset_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SelectionError, match="does not exist"):
        list_visits(tmp_path / "nowhere")
    with pytest.raises(SelectionError, match=r"No sub-\* folder"):
        list_visits(tmp_path)


def test_a_missing_description_is_only_warned_of(
    dataset: Any, caplog: pytest.LogCaptureFixture
) -> None:
    dataset.add("sub-01_T1w.nii.gz")
    (dataset.root / "dataset_description.json").unlink()
    with caplog.at_level(logging.WARNING):
        assert len(visits(dataset.root)) == 1
    assert "no dataset_description.json" in caplog.text
