"""The images of a visit, in any combination that a model takes, and the reason for each file."""

from __future__ import annotations

from typing import Any

import pytest

from clinica_gado.bids import InputRequest, Role, parse_input_filters, select_inputs
from clinica_gado.bids.inputs import INPUT_COLUMNS
from clinica_gado.errors import SelectionError

VISIT = "sub-01_ses-M000"
BONE = ("T1w", "FLAIR", "ADC", "T1w-lowdose")


def request(*names: str, required: tuple[str, ...] | None = None, **options: Any) -> InputRequest:
    return InputRequest(names, frozenset(names if required is None else required), **options)


def add_dwi(dataset: Any, *names: str) -> None:
    for name in names:
        dataset.write(f"sub-01/ses-M000/dwi/{VISIT}_{name}", "")


@pytest.fixture
def whole(dataset: Any) -> Any:
    """Fill a visit with everything a model of Bône takes, and its target."""
    names = ("T1w", "T2w", "FLAIR", "acq-lowdose_ce-gadolinium_T1w", "ce-gadolinium_T1w")
    dataset.add(*(f"{VISIT}_{name}.nii.gz" for name in names))
    add_dwi(dataset, "ADC.nii.gz")
    return dataset


def chosen(selection: Any) -> dict[str, str]:
    (job,) = selection.jobs
    return {name: file.path.name.removeprefix(f"{VISIT}_") for name, file in job.files.items()}


def reason_of(selection: Any, name: str) -> str:
    (row,) = (d for d in selection.decisions if d.filename.endswith(f"{VISIT}_{name}"))
    return row.reason


def test_every_input_is_found_in_the_order_asked_for(whole: Any) -> None:
    selection = select_inputs(whole.root, request(*BONE))
    assert list(selection.jobs[0].files) == list(BONE)
    assert chosen(selection) == {
        "T1w": "T1w.nii.gz",
        "FLAIR": "FLAIR.nii.gz",
        "ADC": "ADC.nii.gz",
        "T1w-lowdose": "acq-lowdose_ce-gadolinium_T1w.nii.gz",
    }
    assert selection.jobs[0].missing == ()
    assert selection.problems == selection.incomplete == []


def test_what_is_not_asked_for_is_left_alone(whole: Any) -> None:
    selection = select_inputs(whole.root, request("T1w"))
    assert chosen(selection) == {"T1w": "T1w.nii.gz"}
    assert reason_of(selection, "ce-gadolinium_T1w.nii.gz") == "left alone: T1w-ce is not asked for"


def test_amplification_gives_the_routine_image_the_place_of_the_low_dose(whole: Any) -> None:
    wanted = request("T1w", "T1w-lowdose", substitutes={"T1w-lowdose": "T1w-ce"})
    assert chosen(select_inputs(whole.root, wanted)) == {
        "T1w": "T1w.nii.gz",
        "T1w-lowdose": "ce-gadolinium_T1w.nii.gz",
    }


def test_the_real_image_to_compare_with_is_no_input(whole: Any) -> None:
    selection = select_inputs(whole.root, request("T1w", "FLAIR", reference="T1w-ce"))
    (job,) = selection.jobs
    assert list(job.files) == ["T1w", "FLAIR"]
    assert job.missing == ()
    assert job.source == job.files["T1w"].path
    assert job.reference is not None
    assert job.reference.name == f"{VISIT}_ce-gadolinium_T1w.nii.gz"
    roles = {d.filename.rpartition(f"{VISIT}_")[2]: d.role for d in selection.decisions}
    assert roles["ce-gadolinium_T1w.nii.gz"] is Role.REFERENCE
    assert roles["T1w.nii.gz"] is Role.INPUT


def test_a_visit_without_a_real_image_is_treated_all_the_same(dataset: Any) -> None:
    dataset.add(f"{VISIT}_T1w.nii.gz", f"{VISIT}_ce-none_T1w.nii.gz")
    (job,) = select_inputs(dataset.root, request("T1w", reference="T1w-ce")).jobs
    assert job.reference is None
    assert job.missing == ()


def test_a_low_dose_is_what_the_user_s_filter_says(dataset: Any) -> None:
    for acq in ("quarter", "full"):
        dataset.add(f"{VISIT}_acq-{acq}_ce-gadolinium_T1w.nii.gz")
    filters = parse_input_filters(["T1w-lowdose:acq=quarter"])
    selection = select_inputs(dataset.root, request("T1w-lowdose", "T1w-ce", filters=filters))
    assert chosen(selection) == {
        "T1w-lowdose": "acq-quarter_ce-gadolinium_T1w.nii.gz",
        "T1w-ce": "acq-full_ce-gadolinium_T1w.nii.gz",
    }


def test_a_low_dose_without_ce_is_never_taken_for_an_image_without_contrast(dataset: Any) -> None:
    dataset.add(f"{VISIT}_acq-lowdose_T1w.nii.gz", f"{VISIT}_ce-gadolinium_T1w.nii.gz")
    selection = select_inputs(dataset.root, request("T1w", "T1w-lowdose", required=()))
    assert chosen(selection) == {"T1w-lowdose": "acq-lowdose_T1w.nii.gz"}
    assert selection.jobs[0].missing == ("T1w",)


def test_a_t1w_of_unknown_contrast_is_taken_only_if_the_user_says_so(dataset: Any) -> None:
    dataset.add(f"{VISIT}_T1w.nii.gz")
    selection = select_inputs(dataset.root, request("T1w"))
    assert selection.jobs == []
    assert "contrast unknown" in reason_of(selection, "T1w.nii.gz")
    assert selection.decisions[0].doubtful
    assert chosen(select_inputs(dataset.root, request("T1w", assume_plain=True)))


def test_the_user_s_table_states_the_contrast(dataset: Any, tsv: Any) -> None:
    dataset.add(f"{VISIT}_T1w.nii.gz")
    table = tsv("participant_id session_id contrast", "sub-01 ses-M000 nce")
    selection = select_inputs(dataset.root, request("T1w"), contrast_tsv=table)
    assert chosen(selection) == {"T1w": "T1w.nii.gz"}


@pytest.mark.parametrize(
    "names",
    [
        ("ADC.nii.gz", "acq-ADC_dwi.nii.gz", "desc-ADC_dwi.nii.gz", "dwi.nii.gz"),
        ("acq-ADC_dwi.nii.gz", "desc-ADC_dwi.nii.gz", "dwi.nii.gz"),
        ("desc-ADC_dwi.nii.gz", "dwi.nii.gz"),
    ],
)
def test_an_adc_map_is_found_under_its_name_then_under_older_ones(dataset: Any, names: Any) -> None:
    add_dwi(dataset, *names, "dwi.bval")
    dataset.add(f"{VISIT}_T2w.nii.gz")
    selection = select_inputs(dataset.root, request("ADC"))
    assert chosen(selection) == {"ADC": names[0]}
    assert selection.jobs[0].files["ADC"].b_values is None
    assert reason_of(selection, "dwi.nii.gz") == f"{VISIT}_{names[0]} was chosen: it comes first"


def test_without_a_map_the_series_and_its_b_values_are_taken(dataset: Any) -> None:
    add_dwi(dataset, "dir-AP_dwi.nii.gz", "dir-PA_dwi.nii.gz", "dir-AP_dwi.bval")
    dataset.add(f"{VISIT}_T2w.nii.gz")
    selection = select_inputs(dataset.root, request("ADC"))
    assert chosen(selection) == {"ADC": "dir-AP_dwi.nii.gz"}
    b_values = selection.jobs[0].files["ADC"].b_values
    assert b_values is not None
    assert b_values.name == f"{VISIT}_dir-AP_dwi.bval"
    assert "no .bval" in reason_of(selection, "dir-PA_dwi.nii.gz")


@pytest.mark.parametrize("b_values", ["dir-AP_dwi.bval", "dwi.bval"], ids=["other", "inherited"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("acq-adcmap_dwi.nii.gz", "ADC:acq=adcmap"),
        ("rec-ADC_dwi.nii.gz", "ADC:rec=ADC"),
        ("desc-mean_dwi.nii.gz", "ADC:desc=map,mean"),
    ],
)
def test_the_user_s_filter_names_an_adc_map(
    dataset: Any, name: str, text: str, b_values: str
) -> None:
    series = b_values.replace(".bval", ".nii.gz")
    add_dwi(dataset, name, series, b_values)
    dataset.add(f"{VISIT}_T2w.nii.gz")
    assert chosen(select_inputs(dataset.root, request("ADC"))) == {"ADC": series}
    filters = parse_input_filters([text])
    selection = select_inputs(dataset.root, request("ADC", filters=filters))
    assert chosen(selection) == {"ADC": name}
    assert selection.jobs[0].files["ADC"].b_values is None
    assert reason_of(selection, series) == f"{VISIT}_{name} was chosen: it comes first"


@pytest.mark.parametrize("text", ["ADC:dir=AP", "ADC:acq!=lowres", "ADC:acq="])
def test_a_filter_that_names_no_map_takes_no_series_for_one(dataset: Any, text: str) -> None:
    add_dwi(dataset, "dir-AP_dwi.nii.gz")
    selection = select_inputs(dataset.root, request("ADC", filters=parse_input_filters([text])))
    assert selection.jobs == []
    reason = reason_of(selection, "dir-AP_dwi.nii.gz")
    assert "no .bval" in reason
    assert "--input-filter ADC:acq=" in reason


@pytest.mark.parametrize("b_values", [f"sub-01/ses-M000/dwi/{VISIT}_acq-b_dwi.bval", "dwi.bval"])
def test_a_file_with_b_values_is_a_series_whatever_the_filter(dataset: Any, b_values: str) -> None:
    add_dwi(dataset, "acq-b_dwi.nii.gz", "dwi.nii.gz")
    dataset.write(b_values, "0 1000")
    dataset.add(f"{VISIT}_T2w.nii.gz")
    filters = parse_input_filters(["ADC:acq=b"])
    selection = select_inputs(dataset.root, request("ADC", filters=filters))
    assert chosen(selection) == {"ADC": "acq-b_dwi.nii.gz"}
    assert selection.jobs[0].files["ADC"].b_values == dataset.root / b_values


def test_b_values_are_inherited_from_above(dataset: Any) -> None:
    add_dwi(dataset, "dwi.nii.gz")
    dataset.add(f"{VISIT}_T2w.nii.gz")
    dataset.write("dwi.bval", "0 1000")
    job = select_inputs(dataset.root, request("ADC")).jobs[0]
    assert job.files["ADC"].b_values == dataset.root / "dwi.bval"


def test_of_several_the_plainest_is_taken_and_the_others_say_why(dataset: Any) -> None:
    names = ("run-2_FLAIR", "run-1_FLAIR", "rec-norm_FLAIR", "acq-3d_run-1_FLAIR")
    dataset.add(*(f"{VISIT}_{name}.nii.gz" for name in names))
    selection = select_inputs(dataset.root, request("FLAIR"))
    assert chosen(selection) == {"FLAIR": "run-1_FLAIR.nii.gz"}
    assert reason_of(selection, "run-1_FLAIR.nii.gz").startswith("chosen among 4")
    assert "its run number is lower" in reason_of(selection, "run-2_FLAIR.nii.gz")
    assert "no rec-" in reason_of(selection, "rec-norm_FLAIR.nii.gz")
    filters = parse_input_filters(["FLAIR:acq=3d"])
    filtered = select_inputs(dataset.root, request("FLAIR", filters=filters))
    assert chosen(filtered) == {"FLAIR": "acq-3d_run-1_FLAIR.nii.gz"}
    reason = reason_of(filtered, "run-1_FLAIR.nii.gz")
    assert reason == "does not pass --input-filter FLAIR:acq=3d"


def test_other_sequences_with_contrast_agent_are_not_taken(dataset: Any) -> None:
    dataset.add(f"{VISIT}_ce-gadolinium_FLAIR.nii.gz")
    selection = select_inputs(dataset.root, request("FLAIR"))
    assert selection.jobs == []
    assert "acquired with contrast agent" in reason_of(selection, "ce-gadolinium_FLAIR.nii.gz")


def test_synthetic_images_are_never_inputs(dataset: Any) -> None:
    dataset.add(f"{VISIT}_T2w.nii.gz", SyntheticImage=True)
    selection = select_inputs(dataset.root, request("T2w"))
    assert selection.jobs == []
    assert "never an input" in reason_of(selection, "T2w.nii.gz")


def test_a_visit_that_lacks_a_required_image_says_which(whole: Any, tsv: Any) -> None:
    whole.add("sub-02_ses-M000_T1w.nii.gz", "sub-02_ses-M000_ce-gadolinium_T1w.nii.gz")
    wanted = request("T1w", "T2w", "ADC", required=("T1w", "T2w"))
    selection = select_inputs(whole.root, wanted)
    assert [job.visit.participant_id for job in selection.jobs] == ["sub-01"]
    assert [problem.reason for problem in selection.incomplete] == ["has no T2w"]
    assert selection.problems == []
    table = tsv("participant_id session_id", "sub-02 ses-M000")
    asked = select_inputs(whole.root, wanted, visits_tsv=table)
    assert asked.problems == asked.incomplete == selection.incomplete


def test_the_table_says_which_visits_are_left_alone_and_what_they_lack(
    whole: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clinica_gado")
    whole.add("sub-02_ses-M000_T1w.nii.gz", "sub-02_ses-M000_ce-gadolinium_T1w.nii.gz")
    whole.root.joinpath("sub-03/ses-M000/anat").mkdir(parents=True)
    wanted = request("T1w", "T2w", "T1w-lowdose", required=("T1w", "T2w"), reference="T1w-ce")
    table = select_inputs(whole.root, wanted).table
    alone = table[table["participant_id"] != "sub-01"]
    assert set(alone["role"]) == {"left-alone"}
    assert not alone["doubtful"].any()
    found = alone[alone["filename"].notna()]
    assert sorted(found["input"]) == ["T1w", "T1w-ce"]
    assert set(found["reason"]) == {"left alone: the visit has no T2w"}
    lacking = alone[alone["filename"].isna()]
    assert list(zip(lacking["participant_id"], lacking["input"], strict=True)) == [
        ("sub-02", "T2w"),
        ("sub-03", "T1w"),
        ("sub-03", "T2w"),
    ]
    assert lacking["reason"].iloc[-1] == "left alone: the visit has no T1w, T2w"
    assert lacking[["contrast", "evidence", "detail"]].isna().all(axis=None)
    assert "1 visit to take (T1w, T2w, T1w-lowdose), 2 left alone." in caplog.messages
    assert "1 visit left alone (the visit has no T2w): sub-02 ses-M000." in caplog.messages


@pytest.mark.parametrize("target", ["annex/object", "sub-01_ses-M000_FLAIR.nii.gz"])
def test_a_required_image_that_is_a_link_to_nothing_is_a_problem(whole: Any, target: str) -> None:
    flair = whole.folder_of("sub-01_ses-M000_FLAIR.nii.gz") / "sub-01_ses-M000_FLAIR.nii.gz"
    flair.unlink()
    flair.symlink_to(target)
    selection = select_inputs(whole.root, InputRequest(("T1w", "FLAIR"), ("T1w", "FLAIR")))
    assert selection.jobs == []
    (problem,) = selection.problems
    assert problem.filename.endswith("FLAIR.nii.gz")


def test_amplification_names_the_image_that_a_visit_lacks(dataset: Any) -> None:
    dataset.add(f"{VISIT}_ce-none_T1w.nii.gz")
    wanted = request("T1w", "T1w-lowdose", substitutes={"T1w-lowdose": "T1w-ce"})
    (row,) = (d for d in select_inputs(dataset.root, wanted).decisions if not d.filename)
    assert (row.input, row.reason) == ("T1w-lowdose", "left alone: the visit has no T1w-ce")


def test_a_name_that_cannot_be_read_is_listed_once_and_stops_nothing(whole: Any) -> None:
    add_dwi(whole, "run-1_run-1_dwi.nii.gz")
    selection = select_inputs(whole.root, request("T1w", "ADC"))
    assert chosen(selection)["ADC"] == "ADC.nii.gz"
    assert "twice" in reason_of(selection, "run-1_run-1_dwi.nii.gz")


def test_the_table_has_a_row_for_each_file_doubtful_ones_first(whole: Any) -> None:
    whole.add(f"{VISIT}_run-2_T1w.nii.gz", ContrastBolusAgent="unknown")
    table = select_inputs(whole.root, request(*BONE)).table
    assert list(table.columns) == list(INPUT_COLUMNS)
    assert len(table) == table["filename"].nunique() == 6
    assert table["doubtful"].tolist() == [True, *[False] * 5]
    inputs = table[table["role"] == "input"].set_index("input")["filename"]
    assert sorted(inputs.index) == sorted(BONE)


def test_an_image_without_session_goes_to_the_first(dataset: Any) -> None:
    dataset.add("sub-03_FLAIR.nii.gz")
    job = select_inputs(dataset.root, request("FLAIR")).jobs[0]
    assert (job.visit.session_id, job.cross_sectional) == ("ses-M000", True)


@pytest.mark.parametrize("text", ["acq=3d", "T1:acq=3d", "FLAIR:", "T1w-lowdose: "])
def test_a_filter_without_input_or_condition_is_refused(text: str) -> None:
    with pytest.raises(SelectionError, match=f"cannot read '{text}': write INPUT:entity=value"):
        parse_input_filters([text])


def test_a_condition_that_cannot_be_read_is_named_with_its_input() -> None:
    words = "cannot read 'FLAIR:acq', 'FLAIR:run-1': write FLAIR:entity=value, "
    with pytest.raises(SelectionError, match=words):
        parse_input_filters(["FLAIR:acq rec=x", "FLAIR:run-1", "T1w:acq=3d"])
