"""Choice of images: Clinica's traps, several candidates, and a reason for each T1w found."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from clinica_gado.bids.filters import parse_filter
from clinica_gado.bids.selection import SELECTION_COLUMNS, Selection, select
from clinica_gado.errors import SelectionError

S = "sub-01_ses-M000"


def chosen(selection: Selection) -> list[tuple[str, str | None]]:
    return [(j.source.name, j.reference.name if j.reference else None) for j in selection.jobs]


def roles(selection: Selection) -> dict[str, str]:
    return {Path(d.filename).name: d.role.value for d in selection.decisions}


def reason(selection: Selection, name: str) -> str:
    (found,) = [d.reason for d in selection.decisions if Path(d.filename).name == name]
    return found


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["T1w", "ce-gadolinium_T1w"], [("ce-gadolinium_T1w", "T1w")]),
        (["run-01_T1w", "ce-gd_run-02_T1w"], [("ce-gd_run-02_T1w", "run-01_T1w")]),
        (["ce-gadolinium_T1w"], [("ce-gadolinium_T1w", None)]),
        (["ce-gd_run-1_T1w", "ce-gd_run-11_T1w"], [("ce-gd_run-1_T1w", None)]),
        (["ce-gd_run-10_T1w", "ce-gd_run-2_T1w"], [("ce-gd_run-2_T1w", None)]),
        (["run-1_T1w", "run-11_T1w"], []),
        (["T1w"], []),
        (["ce-none_T1w"], []),
        (["ce-iodine_T1w", "T1w"], []),
        (["ce-gd_T2w", "T1w"], []),
        (["ce-gd_ADC", "ce-gd_FLAIR", "ce-gd_T1w"], [("ce-gd_T1w", None)]),
        (["ce-none_T1w", "ce-post_T1w", "T2w"], [("ce-post_T1w", "ce-none_T1w")]),
    ],
)
def test_the_input_and_its_reference(
    dataset: Any, names: list[str], pairs: list[tuple[str, str | None]]
) -> None:
    dataset.add(*(f"{S}_{name}.nii.gz" for name in names))
    full = [(f"{S}_{ce}.nii.gz", f"{S}_{nce}.nii.gz" if nce else None) for ce, nce in pairs]
    assert chosen(select(dataset.root)) == full


@pytest.mark.parametrize(
    ("winner", "loser", "why"),
    [
        ("ce-gd_run-2_T1w", "ce-gd_rec-norm_run-1_T1w", "no rec-"),
        ("ce-gd_run-2_T1w", "acq-x_ce-gd_run-1_T1w", "fewer entities"),
        ("ce-gd_run-02_T1w", "ce-gd_run-10_T1w", "run number is lower"),
        ("ce-gd_T1w", "ce-gd_run-01_T1w", "run number is lower"),
        ("ce-gad_T1w", "ce-gd_T1w", "by name"),
    ],
)
def test_of_several_inputs_the_rule_takes_one_and_says_why(
    dataset: Any, winner: str, loser: str, why: str
) -> None:
    winner, loser = f"{S}_{winner}.nii.gz", f"{S}_{loser}.nii.gz"
    dataset.add(winner, loser)
    selection = select(dataset.root)
    assert chosen(selection) == [(winner, None)]
    assert winner in reason(selection, loser)
    assert why in reason(selection, loser)
    assert "among 2" in reason(selection, winner)


@pytest.mark.parametrize(
    ("source", "winner", "loser"),
    [
        ("acq-a_ce-gd_T1w", "acq-a_rec-x_T1w", "acq-b_T1w"),
        ("ce-gd_rec-x_T1w", "rec-x_T1w", "T1w"),
        ("ce-gd_run-02_T1w", "run-2_T1w", "run-01_T1w"),
        ("ce-gd_run-02_T1w", "run-01_T1w", "run-03_T1w"),
        ("ce-gd_T1w", "T1w", "acq-b_T1w"),
    ],
)
def test_the_reference_is_the_one_nearest_to_the_input(
    dataset: Any, source: str, winner: str, loser: str
) -> None:
    source, winner, loser = (f"{S}_{name}.nii.gz" for name in (source, winner, loser))
    dataset.add(source, winner, loser)
    selection = select(dataset.root)
    assert chosen(selection) == [(source, winner)]
    assert f"{winner} is the reference" in reason(selection, loser)


def test_the_filter_is_for_inputs_and_names_the_unmet_condition(dataset: Any) -> None:
    dataset.add(f"{S}_acq-a_ce-gd_T1w.nii", f"{S}_acq-b_ce-gd_T1w.nii", f"{S}_T1w.nii")
    selection = select(dataset.root, input_filter=parse_filter(["acq=b"]))
    assert chosen(selection) == [(f"{S}_acq-b_ce-gd_T1w.nii", f"{S}_T1w.nii")]
    assert "does not pass --input-filter acq=b" in reason(selection, f"{S}_acq-a_ce-gd_T1w.nii")


def test_a_filter_that_nothing_passes_leaves_the_visit_alone(
    dataset: Any, caplog: pytest.LogCaptureFixture
) -> None:
    dataset.add(f"{S}_ce-gd_T1w.nii", f"{S}_T1w.nii")
    with caplog.at_level(logging.WARNING):
        selection = select(dataset.root, input_filter=parse_filter(["aqc=b"]))
    assert roles(selection) == {f"{S}_ce-gd_T1w.nii": "rejected", f"{S}_T1w.nii": "left-alone"}
    assert "passes --input-filter" in reason(selection, f"{S}_T1w.nii")
    assert "no T1w carries aqc-" in caplog.text


def test_a_visit_without_contrast_is_recorded_and_left_alone(dataset: Any) -> None:
    dataset.add(f"{S}_T1w.nii.gz", ContrastBolusIngredient="NONE")
    selection = select(dataset.root)
    assert roles(selection) == {f"{S}_T1w.nii.gz": "left-alone"}
    assert "no contrast-enhanced T1w in this visit" in reason(selection, f"{S}_T1w.nii.gz")
    assert not selection.problems


def test_an_unknown_image_alone_is_neither_input_nor_reference(dataset: Any) -> None:
    dataset.add(f"{S}_T1w.nii.gz")
    (decision,) = select(dataset.root).decisions
    assert (decision.role.value, decision.evidence.contrast.value) == ("left-alone", "unknown")
    assert decision.doubtful


def test_the_companion_is_an_inference_that_can_be_switched_off(dataset: Any) -> None:
    dataset.add(f"{S}_T1w.nii.gz", f"{S}_ce-gd_T1w.nii.gz")
    job = select(dataset.root).jobs[0]
    assert job.reference_evidence is not None
    assert job.reference_evidence.source.value == "companion"
    assert select(dataset.root, infer_companions=False).jobs[0].reference is None


def test_only_the_entity_of_a_sibling_makes_a_companion(dataset: Any) -> None:
    dataset.add(f"{S}_run-1_T1w.nii.gz", ContrastBolusIngredient="GADOLINIUM")
    dataset.add(f"{S}_run-2_T1w.nii.gz")
    assert chosen(select(dataset.root)) == [(f"{S}_run-1_T1w.nii.gz", None)]


def test_an_image_said_to_be_unknown_is_no_companion(dataset: Any) -> None:
    dataset.add(f"{S}_T1w.nii.gz", ContrastBolusIngredient="UNKNOWN")
    dataset.add(f"{S}_ce-gd_T1w.nii.gz")
    assert chosen(select(dataset.root)) == [(f"{S}_ce-gd_T1w.nii.gz", None)]


def test_a_contradiction_is_doubtful_and_comes_first_in_the_table(dataset: Any) -> None:
    dataset.add(f"{S}_ce-gd_T1w.nii.gz", f"{S}_T1w.nii.gz")
    dataset.add("sub-02_ce-gd_T1w.nii.gz", ContrastBolusIngredient="NONE")
    table = select(dataset.root).table
    assert tuple(table.columns) == SELECTION_COLUMNS
    assert list(table["participant_id"]) == ["sub-02", "sub-01", "sub-01"]
    assert list(table["doubtful"]) == [True, False, False]
    assert "contradicted" in table["detail"][0]


def test_a_corrupt_sidecar_is_noted_and_is_no_evidence(dataset: Any) -> None:
    dataset.add(f"{S}_T1w.nii.gz")
    dataset.write(f"sub-01/ses-M000/anat/{S}_T1w.json", '{"ContrastBolusIngredient": "GADO')
    table = select(dataset.root).table
    assert table["contrast"][0] == "unknown"
    assert f"{S}_T1w.json cannot be read" in table["detail"][0]


def test_synthetic_images_are_never_taken_nor_make_companions(dataset: Any) -> None:
    dataset.add(f"{S}_ce-gd_T1w.nii.gz", SyntheticImage=True)
    dataset.add(f"{S}_ce-gd_desc-SynthCE_T1w.nii.gz", f"{S}_T1w.nii.gz")
    selection = select(dataset.root)
    assert not selection.jobs
    assert roles(selection)[f"{S}_ce-gd_T1w.nii.gz"] == "rejected"
    assert roles(selection)[f"{S}_ce-gd_desc-SynthCE_T1w.nii.gz"] == "rejected"
    assert roles(selection)[f"{S}_T1w.nii.gz"] == "left-alone"


def test_of_two_formats_of_one_image_the_compressed_is_taken(dataset: Any) -> None:
    dataset.add(f"{S}_ce-gd_T1w.nii", f"{S}_ce-gd_T1w.nii.gz", f"{S}_ce-gd_T1w.NII.GZ")
    selection = select(dataset.root)
    assert chosen(selection) == [(f"{S}_ce-gd_T1w.nii.gz", None)]
    assert "another format" in reason(selection, f"{S}_ce-gd_T1w.nii")


def test_images_outside_anat_are_never_taken(dataset: Any) -> None:
    dataset.add(f"{S}_T1w.nii.gz")
    for folder in ("derivatives/x/sub-01/ses-M000/anat", "sub-01/ses-M000/extra", "sourcedata"):
        dataset.write(f"{folder}/{S}_ce-gd_T1w.nii.gz", "")
    dataset.write(f"sub-01/ses-M000/anat/.hidden_{S}_ce-gd_T1w.nii.gz", "")
    selection = select(dataset.root)
    assert roles(selection) == {f"{S}_T1w.nii.gz": "left-alone"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"{S}_ce-gd_T1w (1).nii.gz", "no BIDS name"),
        (f"{S}_copy_ce-gd_T1w.nii.gz", "'copy' is not an entity"),
        ("sub-02_ses-M000_ce-gd_T1w.nii.gz", "the name says sub-02"),
        ("sub-01_ses-M012_ce-gd_T1w.nii.gz", "the name says ses-M012"),
    ],
)
def test_names_that_cannot_be_used_are_rejected_with_reason(
    dataset: Any, name: str, words: str
) -> None:
    dataset.write(f"sub-01/ses-M000/anat/{name}", "")
    (decision,) = select(dataset.root).decisions
    assert (decision.role.value, decision.doubtful) == ("rejected", True)
    assert words in decision.reason


def test_names_and_folders_without_session_are_cross_sectional(dataset: Any) -> None:
    dataset.add("sub-01_ce-gd_T1w.nii.gz", "sub-01_T1w.nii.gz", "sub-02_ses-M006_ce-gd_T1w.NII.GZ")
    selection = select(dataset.root)
    assert [tuple(job.visit) for job in selection.jobs] == [
        ("sub-01", "ses-M000"),
        ("sub-02", "ses-M006"),
    ]
    assert [job.cross_sectional for job in selection.jobs] == [True, False]
    assert selection.jobs[0].reference_visit == selection.jobs[0].visit


def test_a_link_to_nothing_is_a_problem_of_its_visit(dataset: Any) -> None:
    dataset.add(f"{S}_T1w.nii.gz")
    (dataset.root / f"sub-01/ses-M000/anat/{S}_ce-gd_T1w.nii.gz").symlink_to("../annex/absent")
    selection = select(dataset.root)
    assert not selection.jobs
    assert selection.problems[0].filename.endswith(f"{S}_ce-gd_T1w.nii.gz")
    assert "not there" in selection.problems[0].reason


def test_visits_asked_for_without_any_t1w_are_problems(dataset: Any, tsv: Any) -> None:
    dataset.add("sub-01_ses-M000_T2w.nii.gz", f"{S}_FLAIR.nii.gz")
    visits = tsv("participant_id session_id", "sub-01 ses-M000")
    assert not select(dataset.root).problems
    assert "no T1w" in select(dataset.root, visits_tsv=visits).problems[0].reason


def test_the_same_dataset_gives_the_same_table(dataset: Any) -> None:
    dataset.add(*(f"sub-0{i}_ce-gd_run-{r}_T1w.nii.gz" for i in (3, 1, 2) for r in (2, 10, 1)))
    first, second = select(dataset.root), select(dataset.root)
    assert first.jobs == second.jobs
    assert first.table.equals(second.table)


def test_faults_of_all_tables_are_listed_at_once(dataset: Any, tsv: Any) -> None:
    dataset.add(f"{S}_ce-gd_T1w.nii.gz")
    contrast = tsv(
        "participant_id session_id contrast", "sub-01 ses-M000 maybe", name="contrast.tsv"
    )
    pairs = tsv("participant_id session_id", "sub-01 ses-M000", name="pairs.tsv")
    with pytest.raises(SelectionError, match="2 problems") as caught:
        select(dataset.root, contrast_tsv=contrast, pairs_tsv=pairs)
    assert "'maybe'" in str(caught.value)
    assert "reference_session_id" in str(caught.value)


def test_of_a_share_of_the_visits_it_is_said_of_how_many(
    dataset: Any, caplog: pytest.LogCaptureFixture
) -> None:
    dataset.add("sub-01_ses-M000_ce-gd_T1w.nii.gz", "sub-02_ses-M000_ce-gd_T1w.nii.gz")
    caplog.set_level(logging.INFO)
    found = select(dataset.root, keep=lambda visit: visit.participant_id == "sub-02")
    assert chosen(found) == [("sub-02_ses-M000_ce-gd_T1w.nii.gz", None)]
    assert "the T1w of 1 of the 2 visits" in caplog.text
    caplog.clear()
    select(dataset.root, keep=lambda visit: True)
    assert "the T1w of 2 visits" in caplog.text
