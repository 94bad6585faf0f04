"""Which visits a run treats, by what is known of them and what was asked for."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
from _stand_in import treat

from clinica_gado.outcomes import FAILED, Outcome
from clinica_gado.warehouse.harmonize import Plan, sort_visits
from clinica_gado.warehouse.records import save_record
from clinica_gado.warehouse.visit import STEPS


@pytest.fixture
def jobs(make_job):
    """One that is done, one that has failed and two that wait."""
    return [make_job(f"sub-{number:02d}") for number in range(4)]


@pytest.fixture
def known(jobs, settings):
    """The records of the first two."""
    done, bad = jobs[:2]
    failed = Outcome(bad.visit, bad.source.name, FAILED, "no image in it")
    records = (
        save_record(done, settings, treat(done, settings, STEPS)),
        save_record(bad, settings, failed),
    )
    return {record.visit: record for record in records}


def named(jobs):
    return [job.visit.participant_id for job in jobs]


def test_what_is_done_or_has_failed_is_left(jobs, settings, known):
    found = sort_visits(jobs, settings, known, Plan())
    assert named(found.waiting) == ["sub-02", "sub-03"]
    assert {record.visit for record in found.decided} == set(known)


def test_failed_visits_come_again_when_asked_for(jobs, settings, known):
    found = sort_visits(jobs, settings, known, Plan(retry_failed=True))
    assert named(found.waiting) == ["sub-01", "sub-02", "sub-03"]


def test_a_limit_counts_what_is_treated_alone(jobs, settings, known, caplog):
    caplog.set_level("INFO")
    found = sort_visits(jobs, settings, known, Plan(limit=1))
    assert named(found.waiting) == ["sub-02"]
    assert "2 visits to treat (1 of them now, by --limit), 1 done before" in caplog.text


def test_since_a_date_older_images_are_left(jobs, settings, known):
    date = datetime(2026, 11, 1)
    for job, moment in zip(jobs, (date.timestamp() - 1, date.timestamp()) * 2, strict=True):
        os.utime(job.source, (moment, moment))
    found = sort_visits(jobs, settings, {}, Plan(since=date))
    assert named(found.waiting) == ["sub-01", "sub-03"]


def test_an_image_that_is_gone_is_treated_so_that_its_failure_is_told(jobs, settings):
    Path(jobs[0].source).unlink()
    found = sort_visits(jobs[:1], settings, {}, Plan(since=datetime(2026, 11, 1)))
    assert named(found.waiting) == ["sub-00"]
