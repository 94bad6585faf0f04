"""What a run says of its Dask, and which tasks it can take back from it."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("dask_jobqueue")

from distributed import Client

from clinica_gado.bids import Visit
from clinica_gado.warehouse import dask_engine
from clinica_gado.warehouse.dask_engine import DaskEngine, dashboard_link
from clinica_gado.warehouse.task import ENDED, STOPPED, Result, run_task

VISITS = [Visit(f"sub-{number:02d}", "ses-M000") for number in range(3)]


def end_when_told(task):
    """Stand in for the work."""
    (task.folder / task.job.visit.participant_id).touch()
    wait_until((task.folder / "go").exists)
    return Result(task.job.visit, ENDED)


def note_stop(run):
    """Stand in for the end of what a worker does for a run."""
    (Path(run) / "stopped").touch()


def count_tasks(dask_worker):
    return len(dask_worker.state.tasks)


def count_planned(dask_scheduler):
    return len(dask_scheduler.tasks)


def wait_until(is_so, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def engine(monkeypatch):
    """One worker of Dask, in this process, that can do one task at once."""
    monkeypatch.setattr(dask_engine, "run_task", end_when_told)
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1}
    pages = {"dashboard_address": None, "worker_dashboard_address": "127.0.0.1:0"}
    with Client(**options, **pages) as client:
        yield DaskEngine(client)


def submit(engine, visits, folder):
    for visit in visits:
        job = SimpleNamespace(visit=visit)
        engine.submit(SimpleNamespace(job=job, steps=("all",), folder=folder))


def first_results(engine):
    found = []
    wait_until(lambda: found.extend(engine.results(0.1)) or found)
    return found


def test_what_has_begun_is_not_taken_back_and_what_waits_is(engine, tmp_path):
    submit(engine, VISITS, tmp_path)
    wait_until(lambda: list(tmp_path.iterdir()))
    begun = [visit for visit in VISITS if (tmp_path / visit.participant_id).exists()]
    assert len(begun) == 1
    assert engine.withdraw("run", VISITS) == [visit for visit in VISITS if visit not in begun]
    # The scheduler hears of it a moment later, and the worker after it.
    wait_until(lambda: engine._client.run_on_scheduler(count_planned) == 1)
    wait_until(lambda: list(engine._client.run(count_tasks).values()) == [1])
    (tmp_path / "go").touch()
    assert first_results(engine) == [Result(begun[0], ENDED)]
    assert len(list(tmp_path.iterdir())) == 2


def test_what_has_ended_unseen_is_not_taken_back(engine, tmp_path):
    (tmp_path / "go").touch()
    submit(engine, VISITS[:1], tmp_path)
    wait_until(lambda: engine._futures[VISITS[0]].done())
    assert engine.withdraw("run", VISITS[:1]) == []
    assert first_results(engine) == [Result(VISITS[0], ENDED)]


def test_what_a_worker_is_handed_after_the_withdrawal_is_not_begun(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_engine, "run_task", run_task)
    run = str(tmp_path)
    engine.withdraw(run, [])
    job, order = SimpleNamespace(visit=VISITS[0]), SimpleNamespace(run=run, caps=tmp_path)
    engine.submit(SimpleNamespace(job=job, steps=("all",), order=order))
    assert first_results(engine) == [Result(VISITS[0], STOPPED)]
    assert list(tmp_path.iterdir()) == []


def test_a_stop_reaches_the_workers_and_what_waits(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_engine, "stop_tasks", note_stop)
    submit(engine, VISITS, tmp_path)
    wait_until(lambda: list(tmp_path.iterdir()))
    engine.stop(str(tmp_path))
    assert (tmp_path / "stopped").exists()
    assert all(future.cancelled() for future in engine._futures.values())
    (tmp_path / "go").touch()


@pytest.mark.parametrize(
    ("listens", "shown"),
    [
        ("127.0.0.1:8787", "http://127.0.0.1:80/status"),
        (":8787", "http://node1:80/status"),
        ("0.0.0.0:8787", "http://node1:80/status"),
    ],
)
def test_the_dashboard_is_shown_where_it_listens(listens, shown):
    assert dashboard_link(listens).format(scheme="http", host="node1", port=80) == shown
