"""A visit's failure is one line of its own, and no other's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clinica_gado.bids import NO_EVIDENCE, Job, Problem, Visit
from clinica_gado.errors import InputImageError
from clinica_gado.outcomes import (
    DONE,
    FAILED,
    Outcome,
    attempt,
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
