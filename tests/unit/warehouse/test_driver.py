"""The driver holds few visits at a time, loses none, and stops when it is told to."""

from __future__ import annotations

from collections import Counter, deque

import pytest

from clinica_gado.outcomes import DONE, FAILED
from clinica_gado.warehouse import driver as driver_module
from clinica_gado.warehouse.claims import take_claim
from clinica_gado.warehouse.driver import MAX_LOST, WINDOW, Driver, Stop
from clinica_gado.warehouse.engine import LOST, EngineError
from clinica_gado.warehouse.records import Record
from clinica_gado.warehouse.task import (
    BLOCKED,
    ENDED,
    GOES_ON,
    STOPPED,
    TAKEN,
    Result,
    claims_folder,
)

SLOTS = 5


class Engine:
    """Answers each task, a few at a time, as `answer` says."""

    dashboard = ""

    def __init__(self, answer, gpu_apart=False):
        self.answer, self.gpu_apart = answer, gpu_apart
        self.tasks, self.most, self.seen, self.stopped = deque(), 0, Counter(), []

    def slots(self):
        return SLOTS

    def submit(self, task):
        self.tasks.append(task)
        self.seen[task.job.visit] += 1
        self.most = max(self.most, len(self.tasks))

    def results(self, wait_s):
        return [self.answer(self.tasks.popleft()) for _ in range(min(3, len(self.tasks)))]

    def withdraw(self, run, visits):
        visits = list(visits)
        self.tasks = deque(task for task in self.tasks if task.job.visit not in visits)
        return visits

    def stop(self, run):
        self.stopped.append(run)


def end(task, status=DONE):
    visit = task.job.visit
    return Result(visit, ENDED, Record(*visit, task.job.source.name, status))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(driver_module, "RETAKE_S", 0.0)


@pytest.fixture
def jobs(make_job):
    return [make_job(f"sub-{number:03d}") for number in range(100)]


@pytest.fixture
def drive(order, jobs):
    """Return a function that drives all visits through an engine."""

    def run(engine, stop=None):
        told = []
        driver = Driver(engine, order, told.append, stop or Stop())
        driver.run(jobs)
        return driver, told

    return run


def test_every_visit_ends_once_and_few_are_handed_in_at_a_time(drive, jobs):
    engine = Engine(end)
    driver, told = drive(engine)
    assert [result.visit for result in told] == [job.visit for job in jobs]
    assert engine.most <= WINDOW * SLOTS
    assert not [*driver._running, *driver._waiting, *driver._later]


def test_a_visit_that_another_process_is_at_is_tried_again(drive, jobs):
    times = Counter()

    def answer(task):
        times[task.job.visit] += 1
        return Result(task.job.visit, TAKEN) if times[task.job.visit] < 3 else end(task)

    _, told = drive(Engine(answer))
    assert Counter(result.visit for result in told) == Counter(job.visit for job in jobs)


def test_a_lost_task_is_tried_as_often_as_the_limits_say(drive, order, jobs):
    def answer(task):
        lost = task.job.visit == jobs[7].visit
        return Result(task.job.visit, LOST, reason="gone") if lost else end(task)

    engine = Engine(answer)
    _, told = drive(engine)
    assert engine.seen[jobs[7].visit] == order.limits.attempts
    (failed,) = (result for result in told if result.record.status == FAILED)
    assert "lost 2 times: gone" in failed.record.reason
    assert len(told) == len(jobs)


def test_workers_that_can_run_nothing_end_the_run(drive):
    engine = Engine(lambda task: Result(task.job.visit, LOST, reason="No module named x"))
    driver, told = drive(engine)
    assert "No module named x" in driver.problem
    assert sum(engine.seen.values()) <= MAX_LOST + 2 * WINDOW * SLOTS
    assert len(told) < MAX_LOST


def test_a_full_disk_ends_the_run_and_fails_no_visit(drive, jobs):
    def answer(task):
        blocked = task.job.visit >= jobs[20].visit
        return Result(task.job.visit, BLOCKED, reason="no room") if blocked else end(task)

    driver, told = drive(Engine(answer))
    assert driver.problem == "no room"
    assert {result.record.status for result in told} == {DONE}


def test_an_engine_that_is_gone_ends_the_run(drive):
    class Gone(Engine):
        def results(self, wait_s):
            raise EngineError("The scheduler is gone.")

    assert drive(Gone(end))[0].problem == "The scheduler is gone."


def test_interrupted_once_what_has_begun_is_finished_and_no_more(drive, order, jobs):
    stop = Stop()

    def answer(task):
        if stop.level == 0:
            for begun in (jobs[4], jobs[8]):
                take_claim(claims_folder(order.caps), "_".join(begun.visit), order.run)
        stop.level = 1
        return end(task)

    engine = Engine(answer)
    _, told = drive(engine, stop)
    # Three had ended when the driver heard of it.
    ended = [jobs[number].visit for number in (0, 1, 2, 4, 8)]
    assert [result.visit for result in told] == ended
    assert engine.stopped == []


def test_interrupted_twice_all_is_ended(drive, order):
    stop = Stop()

    def answer(task):
        stop.level = 2
        return Result(task.job.visit, STOPPED)

    engine = Engine(answer)
    _, told = drive(engine, stop)
    assert told == []
    assert engine.stopped == [order.run]


def test_with_gpus_apart_the_steps_of_a_visit_follow_each_other(drive, jobs):
    steps = {}

    def answer(task):
        steps.setdefault(task.job.visit, []).append(task.steps)
        return end(task) if task.is_last else Result(task.job.visit, GOES_ON)

    _, told = drive(Engine(answer, gpu_apart=True))
    assert set(map(tuple, steps.values())) == {(("preprocess",), ("synthesise",), ("validate",))}
    assert len(told) == len(jobs)
