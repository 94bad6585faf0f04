"""A task on a visit that hangs, eats memory, dies, or is another's comes to one end."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
from _stand_in import read_diary

from clinica_gado.caps import removal_paths
from clinica_gado.errors import OutputError
from clinica_gado.outcomes import DONE, FAILED, Outcome, with_validation
from clinica_gado.runs.visit_process import Limits
from clinica_gado.warehouse import task as task_module
from clinica_gado.warehouse.claims import list_claims, take_claim
from clinica_gado.warehouse.records import save_record, scan
from clinica_gado.warehouse.task import (
    BLOCKED,
    ENDED,
    GOES_ON,
    STOPPED,
    TAKEN,
    Order,
    Task,
    begin_no_more,
    claims_folder,
    leave_worker,
    run_task,
    stop_tasks,
)
from clinica_gado.warehouse.visit import PREPROCESS, VALIDATE


def limited(order: Order, **limits) -> Order:
    return replace(order, limits=replace(order.limits, **limits))


def full_disk(monkeypatch):
    usage = SimpleNamespace(total=2**40, used=2**40, free=0)
    monkeypatch.setattr(task_module.shutil, "disk_usage", lambda path: usage)


def test_a_visit_is_done_recorded_and_given_up(order, make_job):
    result = run_task(Task(make_job(), order))
    assert (result.state, result.record.status) == (ENDED, DONE)
    assert list(scan(order.caps, {})) == [result.record]
    assert list_claims(claims_folder(order.caps)) == {}


def test_a_second_time_it_is_left_as_it_is(order, make_job):
    job = make_job()
    first = run_task(Task(job, order))
    assert run_task(Task(job, order)).record == first.record
    assert len(read_diary(order.caps, "_".join(job.visit))) == 2


def test_one_process_serves_visit_after_visit(order, make_job):
    for number in range(3):
        run_task(Task(make_job(f"sub-{number}"), order))
    pids = {read_diary(order.caps, f"sub-{number}_ses-M000")[0]["pid"] for number in range(3)}
    assert len(pids) == 1


def test_a_visit_that_hangs_is_ended_and_its_process_with_it(order, make_job):
    run_task(Task(make_job("sub-00"), order))  # so that its process is there already
    result = run_task(Task(make_job(words="0 hang"), limited(order, timeout_s=1)))
    assert result.record.status == FAILED
    assert "no result within 1 s" in result.record.reason
    assert len(read_diary(order.caps, "sub-01_ses-M000")) == 1
    assert list(scan(order.caps, {}))[1] == result.record


def test_a_visit_that_eats_memory_is_ended(order, make_job):
    result = run_task(Task(make_job(words="0 eat"), limited(order, memory_bytes=500_000_000)))
    assert result.record.status == FAILED
    assert "may use 0.5" in result.record.reason


def test_a_visit_whose_process_died_once_is_done(order, make_job):
    assert run_task(Task(make_job(words="0 die-once"), order)).record.status == DONE


def test_a_visit_that_always_kills_its_process_fails_after_its_attempts(order, make_job):
    result = run_task(Task(make_job(words="0 die"), order))
    assert "died 2 times" in result.record.reason
    assert len(read_diary(order.caps, "sub-01_ses-M000")) == 2


def test_deaths_of_workers_count_as_attempts(order, make_job):
    job = make_job()
    take_claim(claims_folder(order.caps), "_".join(job.visit), order.run)
    path = claims_folder(order.caps) / "sub-01_ses-M000.claim"
    owner = json.loads(path.read_text())
    path.write_text(json.dumps({**owner, "born": 1.0, "attempt": 2}))
    result = run_task(Task(job, order))
    assert "died 2 times" in result.record.reason
    assert read_diary(order.caps, "sub-01_ses-M000") == []


def test_a_visit_that_another_process_is_at_is_left_to_it(order, make_job):
    job = make_job()
    take_claim(claims_folder(order.caps), "_".join(job.visit), "another run")
    assert run_task(Task(job, order)).state == TAKEN
    assert read_diary(order.caps, "sub-01_ses-M000") == []


def test_on_a_full_disk_no_visit_begins_and_none_has_failed(order, make_job, monkeypatch):
    full_disk(monkeypatch)
    result = run_task(Task(make_job(), order))
    assert result.state == BLOCKED
    assert "0 MB are left" in result.reason
    assert read_diary(order.caps, "sub-01_ses-M000") == []


def test_a_visit_that_fails_as_the_disk_fills_waits(order, make_job, monkeypatch):
    def fill_up(*arguments):
        full_disk(monkeypatch)
        return task_module.failure(arguments[2][0], OSError("no room"))

    monkeypatch.setattr(task_module.POOL, "call", fill_up)
    assert run_task(Task(make_job(), order)).state == BLOCKED
    assert list(scan(order.caps, {})) == []


def test_a_visit_whose_validation_finds_no_room_waits(order, make_job, monkeypatch):
    def fill_up(*arguments):
        full_disk(monkeypatch)
        job = arguments[2][0]
        failed = task_module.failure(job, OSError("no room"))
        return with_validation(Outcome(job.visit, job.source.name, DONE), failed)

    monkeypatch.setattr(task_module.POOL, "call", fill_up)
    assert run_task(Task(make_job(), order)).state == BLOCKED
    assert list(scan(order.caps, {})) == []


def test_a_quota_shows_when_a_visit_has_failed(order, make_job, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    def fail(*arguments):
        return task_module.failure(arguments[2][0], OutputError("Cannot write it: over quota."))

    monkeypatch.setattr(task_module.os, "posix_fallocate", refuse)
    monkeypatch.setattr(task_module.POOL, "call", fail)
    result = run_task(Task(make_job(), order))
    assert result.state == BLOCKED
    assert "Disk quota exceeded" in result.reason


def test_who_lost_its_claim_records_nothing(order, make_job, monkeypatch):
    """After a suspension another process has done the visit: its outcome must stand."""
    job = make_job()
    path = claims_folder(order.caps) / "sub-01_ses-M000.claim"

    def lose(*arguments):
        path.write_text(json.dumps({**json.loads(path.read_text()), "token": "another"}))
        save_record(job, order.settings, Outcome(job.visit, job.source.name, DONE))
        return task_module.failure(job, OSError("its partial files are gone"))

    monkeypatch.setattr(task_module.POOL, "call", lose)
    assert run_task(Task(job, order)).state == TAKEN
    content = json.loads(removal_paths(order.caps, job.source, job.visit).outcome.read_text())
    assert content["Status"] == DONE
    assert list(list_claims(claims_folder(order.caps))) == ["sub-01_ses-M000"]


def test_what_another_run_came_to_is_taken_over(order, make_job, monkeypatch):
    job = make_job()
    first = run_task(Task(job, order))
    monkeypatch.setattr(task_module.POOL, "call", None)
    again = run_task(Task(job, order, was_taken=True))
    assert (again.state, again.record) == (ENDED, first.record)


def test_a_failure_that_another_run_left_is_tried_again(order, make_job):
    """Its record may be older than both runs, which have --retry-failed."""
    job = make_job(words="0 die")
    run_task(Task(job, order))
    run_task(Task(job, order, was_taken=True))
    assert len(read_diary(order.caps, "sub-01_ses-M000")) == 4


def test_an_error_in_the_work_is_told_and_its_process_lives_on(order, make_job):
    first = run_task(Task(make_job("sub-00"), order))
    result = run_task(Task(make_job(words="0 raise"), order))
    assert "unexpected ValueError: by the stand-in" in result.record.reason
    run_task(Task(make_job("sub-02"), order))
    pids = {read_diary(order.caps, f"sub-{n}_ses-M000")[0]["pid"] for n in ("00", "01", "02")}
    assert (first.record.status, len(pids)) == (DONE, 1)


def test_what_is_ended_leaves_no_temporary_files(order, make_job, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    leave_worker()
    run_task(Task(make_job(words="0 die"), order))
    leave_worker()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_folder_that_cannot_be_written_fails_its_own_visit(order, make_job):
    job = make_job()
    folder = removal_paths(order.caps, job.source, job.visit).image.parent
    folder.parent.mkdir(parents=True)
    folder.touch()
    result = run_task(Task(job, order))
    assert (result.state, result.record.status) == (ENDED, FAILED)
    assert "Cannot write" in result.record.reason


def test_steps_apart_end_the_visit_with_the_last(order, make_job):
    job = make_job()
    first = run_task(Task(job, order, (PREPROCESS,)))
    assert (first.state, list(scan(order.caps, {}))) == (GOES_ON, [])
    assert run_task(Task(job, order, (VALIDATE,))).record.status == DONE


def wait_for_diary(order, participant):
    deadline = time.monotonic() + 60
    while not read_diary(order.caps, f"{participant}_ses-M000") and time.monotonic() < deadline:
        time.sleep(0.05)


def test_a_run_that_is_stopped_leaves_its_visit_waiting(order, make_job):
    job, found = make_job(words="0 hang"), []
    thread = threading.Thread(target=lambda: found.append(run_task(Task(job, order))))
    thread.start()
    wait_for_diary(order, "sub-01")
    stop_tasks("another run")
    assert thread.is_alive()
    stop_tasks(order.run)
    thread.join(timeout=60)
    assert found[0].state == STOPPED
    assert list_claims(claims_folder(order.caps)) == {}
    assert list(scan(order.caps, {})) == []


def test_a_run_that_is_closed_ends_the_visit_that_it_is_at_and_begins_none(order, make_job):
    found, slow = [], make_job("sub-01", words="1 well")
    thread = threading.Thread(target=lambda: found.append(run_task(Task(slow, order))))
    thread.start()
    wait_for_diary(order, "sub-01")
    begin_no_more(order.run)
    late = run_task(Task(make_job("sub-02"), order))
    assert (late.state, read_diary(order.caps, "sub-02_ses-M000")) == (STOPPED, [])
    thread.join(timeout=60)
    assert found[0].record.status == DONE
    other = replace(order, run="a run beside it")
    assert run_task(Task(make_job("sub-02"), other)).record.status == DONE


def test_a_worker_that_lives_on_is_left_without_processes(order, make_job):
    run_task(Task(make_job("sub-00"), order))
    (before,) = {note["pid"] for note in read_diary(order.caps, "sub-00_ses-M000")}
    assert psutil.pid_exists(before)
    leave_worker()
    assert not psutil.pid_exists(before)
    assert run_task(Task(make_job("sub-01"), order)).record.status == DONE


def test_threads_are_those_of_the_limits(order, make_job, monkeypatch):
    given = []
    monkeypatch.setattr(task_module.POOL, "call", lambda *call: given.append(call[3]))
    monkeypatch.setattr(task_module, "_conclude", lambda *arguments: None)
    run_task(Task(make_job(), replace(order, limits=Limits(threads=3))))
    assert given[0].threads == 3


@pytest.fixture(autouse=True)
def clean(tmp_path):
    yield
    shutil.rmtree(tmp_path / "caps", ignore_errors=True)
