"""What CAPS says of a visit, and when a record still says the same."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from _stand_in import treat

from clinica_gado.caps import removal_paths
from clinica_gado.files import write_json
from clinica_gado.outcomes import DONE, FAILED, Outcome
from clinica_gado.warehouse.records import (
    is_current,
    read_record,
    save_record,
    scan,
)
from clinica_gado.warehouse.visit import STEPS


@pytest.fixture
def job(make_job):
    return make_job()


@pytest.fixture
def paths(job, settings):
    return removal_paths(settings.removal.caps, job.source, job.visit)


@pytest.fixture
def record(job, settings):
    """The record of a visit that was treated."""
    return save_record(job, settings, treat(job, settings, STEPS))


def later(path):
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))


def test_caps_gives_back_what_was_recorded(job, settings, record):
    assert list(scan(settings.removal.caps, {})) == [record]
    assert is_current(record, job, settings)


def test_a_failure_is_found_in_caps_with_its_reason(job, settings):
    outcome = Outcome(job.visit, job.source.name, FAILED, "no image in it")
    record = save_record(job, settings, outcome)
    assert list(scan(settings.removal.caps, {})) == [record]
    assert record.reason == "no image in it"
    assert is_current(record, job, settings)


def test_flags_and_words_on_failed_validation_are_kept(job, settings):
    treat(job, settings, STEPS)
    flags = ("registration", "not validated: SPM broke")
    record = save_record(job, settings, Outcome(job.visit, job.source.name, DONE, "", flags))
    assert next(scan(settings.removal.caps, {})).outcome.flags == flags
    removal_paths(settings.removal.caps, job.source, job.visit).measures.unlink()
    assert is_current(record, job, settings)


@pytest.mark.parametrize("lost", ["image", "sidecar", "measures", "outcome"])
def test_a_visit_with_a_file_missing_is_looked_at_again(job, settings, record, paths, lost):
    getattr(paths, lost).unlink()
    assert not is_current(record, job, settings)


@pytest.mark.parametrize("changed", ["sidecar", "outcome"])
def test_a_visit_made_since_is_looked_at_again(job, settings, record, paths, changed):
    later(getattr(paths, changed))
    assert not is_current(record, job, settings)


def test_a_new_source_is_looked_at(job, settings, record):
    later(job.source)
    assert not is_current(record, job, settings)


def test_a_new_reference_is_looked_at(job, settings, record, make_job):
    other = make_job("sub-02").source
    assert not is_current(record, replace(job, reference=other), settings)


def test_other_settings_are_looked_at(job, settings, record):
    assert not is_current(record, job, replace(settings, model_sha256="b" * 64).with_request())
    native = replace(settings, removal=replace(settings.removal, native_space=True))
    assert not is_current(record, job, native.with_request())


def test_what_clinica_run_made_is_done_and_looked_at(job, settings, record, paths):
    paths.outcome.unlink()
    found = next(scan(settings.removal.caps, {}))
    assert (found.status, found.filename) == (DONE, job.source.name)
    assert not is_current(found, job, settings)


def test_an_outcome_older_than_the_result_counts_for_nothing(job, settings, paths):
    save_record(job, settings, Outcome(job.visit, job.source.name, FAILED, "before"))
    treat(job, settings, STEPS)
    later(paths.sidecar)
    assert next(scan(settings.removal.caps, {})).status == DONE


def test_the_same_outcome_is_not_written_again(job, settings, record, paths):
    before = paths.outcome.stat().st_mtime_ns
    assert save_record(job, settings, treat(job, settings, STEPS)) == record
    assert paths.outcome.stat().st_mtime_ns == before


def test_an_image_without_its_sidecar_is_not_done(job, settings, record, paths):
    paths.outcome.unlink()
    paths.sidecar.unlink()
    assert list(scan(settings.removal.caps, {})) == []


def test_known_records_are_not_read_again(job, settings, record, paths):
    known = replace(record, reason="as it is known")
    assert read_record(paths.image.parent, job.visit, known) is known


def test_a_spoilt_outcome_stops_nothing(job, settings, record, paths):
    paths.outcome.write_text("{")
    assert next(scan(settings.removal.caps, {})).status == DONE
    write_json(paths.outcome, {"Status": "strange"})
    assert next(scan(settings.removal.caps, {})).status == DONE
