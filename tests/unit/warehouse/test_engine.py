"""The engine without Dask gives back one result for each task, or the task itself."""

from __future__ import annotations

import threading
import time

import pytest

from clinica_gado.warehouse.engine import LOST, ProcessesEngine
from clinica_gado.warehouse.task import ENDED, STOPPED, Result, Task


@pytest.fixture
def tasks(order, make_job):
    return [Task(make_job(f"sub-{number}"), order) for number in range(6)]


def gather(engine, count):
    found, deadline = [], time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        found += engine.results(0.1)
    return found


def test_every_task_comes_back(tasks):
    engine = ProcessesEngine(2, lambda task: Result(task.job.visit, ENDED))
    for task in tasks:
        engine.submit(task)
    assert {result.visit for result in gather(engine, 6)} == {task.job.visit for task in tasks}
    engine.close()


def test_one_that_breaks_is_lost_with_its_reason(tasks):
    def work(task):
        raise ImportError("no such module")

    engine = ProcessesEngine(1, work)
    engine.submit(tasks[0])
    (result,) = gather(engine, 1)
    assert (result.state, result.reason) == (LOST, "no such module")
    engine.close()


def test_what_has_not_begun_is_given_back_and_what_has_is_not(tasks):
    begun, go_on = threading.Event(), threading.Event()

    def work(task):
        begun.set()
        go_on.wait(60)
        return Result(task.job.visit, STOPPED)

    engine = ProcessesEngine(1, work)
    for task in tasks:
        engine.submit(task)
    begun.wait(60)
    visits = [task.job.visit for task in tasks]
    assert engine.withdraw("run", visits) == visits[1:]
    go_on.set()
    assert [result.visit for result in gather(engine, 1)] == visits[:1]
    assert engine.results(0.2) == []
    engine.close()
