"""A visit's failure is one line of its own, and no other's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clinica_gado.bids import NO_EVIDENCE, Job, Problem, Visit
from clinica_gado.errors import InputImageError, OutputError
from clinica_gado.outcomes import (
    DONE,
    FAILED,
    Outcome,
    attempt,
    check_same_request,
    read_outcome,
    save_outcome,
    write_failures,
    write_images,
)

JOB = Job(Visit("sub-01", "ses-M000"), Path("sub-01_T1w.nii.gz"), NO_EVIDENCE)


def fail_with(error):
    def step():
        raise error

    return step


def test_success_carries_the_flags():
    assert attempt(JOB, lambda: ("doubt",)) == Outcome(
        JOB.visit, JOB.source.name, DONE, "", ("doubt",)
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputImageError("bad image"), "bad image"),
        (MemoryError(), "out of memory"),
        (KeyError("x\ny"), "unexpected KeyError"),
    ],
)
def test_whatever_a_step_raises_becomes_one_line(error, words):
    outcome = attempt(JOB, fail_with(error))
    assert outcome.status == FAILED
    assert words in outcome.reason
    assert "\n" not in outcome.reason


PARAMETERS = {"Flips": "lr", "Repeat": 1, "Preprocessing": {"Route": "standard", "Seed": 0}}
REQUEST = {"InputSha256": {"T1w": "a" * 64}, "ModelSha256": "b" * 64, "Parameters": PARAMETERS}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Parameters": {**PARAMETERS, "Flips": "all"}}, "Flips was all, is lr"),
        (
            {
                "Parameters": {
                    **PARAMETERS,
                    "Preprocessing": {"Route": "fast", "Seed": 0, "Fast": {}},
                }
            },
            "Preprocessing Route was fast, is standard; other Preprocessing Fast",
        ),
        ({"Parameters": {**PARAMETERS, "Repeat": None}}, "Repeat was None, is 1"),
        ({"InputSha256": {"T1w": "a" * 64, "FLAIR": "c" * 64}}, "other InputSha256 FLAIR"),
        ({"ModelSha256": "c" * 64}, "other ModelSha256"),
        ({"Parameters": {**PARAMETERS, "Flips": "c" * 64}}, "Flips was cccccccccccc…, is lr"),
        ({"Parameters": None}, "other Parameters"),
        (
            {"ModelSha256": "", "Parameters": {"Preprocessing": PARAMETERS["Preprocessing"]}},
            "other ModelSha256; Flips was not stated, is lr; Repeat was not stated, is 1",
        ),
        (
            {"Parameters": {"Flips": "all", "Repeat": 2, "Preprocessing": {"Seed": 1}}},
            "Flips was all, is lr; Repeat was 2, is 1; Preprocessing Route was not stated, is "
            "standard and 1 more",
        ),
    ],
)
def test_a_result_of_other_settings_says_which_and_both_values(tmp_path, changed, words):
    check_same_request(tmp_path / "a.nii.gz", REQUEST, REQUEST)
    with pytest.raises(OutputError) as error:
        check_same_request(tmp_path / "a.nii.gz", {**REQUEST, **changed}, REQUEST)
    assert f"made with other settings ({words}); add --overwrite_outputs" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_outcome_is_read_as_it_was_saved(tmp_path):
    outcome = Outcome(JOB.visit, "a.nii.gz", DONE, "", ("x", "y"))
    save_outcome(outcome, tmp_path)
    assert read_outcome(tmp_path, JOB.visit) == outcome
    assert read_outcome(tmp_path, Visit("sub-02", "ses-M000")) is None


def test_failures_list_visits_and_problems_and_have_a_header_when_empty(tmp_path):
    path = tmp_path / "failures.tsv"
    assert write_failures(path, [], []) == 0
    assert path.read_text() == "participant_id\tsession_id\tfilename\treason\n"
    failed = Outcome(JOB.visit, "a", FAILED, "why")
    assert write_failures(path, [failed], [Problem(Visit("sub-00", "ses-1"), "", "absent")]) == 2
    assert pd.read_csv(path, sep="\t")["participant_id"].tolist() == ["sub-00", "sub-01"]


def test_doubtful_images_come_first(tmp_path):
    sure = Outcome(Visit("sub-01", "ses-1"), "a", DONE)
    doubtful = Outcome(Visit("sub-02", "ses-1"), "b", DONE, "", ("scale",))
    write_images(tmp_path / "images.tsv", [sure, doubtful])
    table = pd.read_csv(tmp_path / "images.tsv", sep="\t")
    assert table["participant_id"].tolist() == ["sub-02", "sub-01"]
