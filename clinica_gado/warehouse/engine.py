"""Who runs the tasks: processes of this command, or Dask on this machine or a cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from clinica_gado.bids import Visit
from clinica_gado.doctor.machine import VISIT_MEMORY_GB, memory_bytes
from clinica_gado.errors import GadoError
from clinica_gado.machine import allowed_cpus
from clinica_gado.warehouse.task import Result, Task, run_task, stop_tasks

logger = logging.getLogger(__name__)

T = TypeVar("T")

PRELOAD = "clinica_gado.warehouse.worker"
"""Module that prepares a worker of Dask."""
DASHBOARD = "127.0.0.1:8787"
LOST = "lost"
"""State of a result that never came: whatever ran the task has gone."""


class EngineError(GadoError):
    """The engine cannot start, or was lost on the way."""


@dataclass(frozen=True)
class EngineOptions:
    """Where the visits run.

    Attributes
    ----------
    name : local (Dask here), slurm, scheduler (a Dask cluster that runs) or processes (no Dask).
    workers : visits at once on this machine; None for as many as processors and memory hold.
    gpu_workers : workers for the network alone, one a GPU; the others then do all but that.
    threads : of each visit; None for an equal share of the processors.
    slurm : TOML with the options of the jobs.
    address : of the scheduler.
    dashboard : where Dask's dashboard listens on this machine.
    """

    name: str = "local"
    workers: int | None = None
    gpu_workers: int = 0
    threads: int | None = None
    slurm: Path | None = None
    address: str | None = None
    dashboard: str = DASHBOARD


class Engine(Protocol):
    """Runs tasks; each comes back as one result, in any order."""

    @property
    def gpu_apart(self) -> bool:
        """Whether steps on a GPU are tasks of their own."""

    @property
    def dashboard(self) -> str:
        """Address of a page that shows what runs, or nothing."""

    def slots(self) -> int:
        """Return how many tasks can run at once now."""

    def submit(self, task: Task) -> None:
        """Hand in a task."""

    def results(self, wait_s: float) -> list[Result]:
        """Return what ended, after waiting for something to end for at most so long.

        Raises
        ------
        EngineError
            No result will come any more.
        """

    def withdraw(self, run: str, visits: Iterable[Visit]) -> list[Visit]:
        """Take tasks of a run back that have not begun, and let no further one of it begin.

        Returns
        -------
        Those of which no result will come.
        """

    def stop(self, run: str) -> None:
        """End what runs for a run, at once."""

    def close(self) -> None:
        """End the workers, if they are ours."""


class ProcessesEngine:
    """Visits in processes of this command: no Dask, no socket."""

    gpu_apart = False
    dashboard = ""

    def __init__(self, workers: int, work: Callable[[Task], Result] = run_task) -> None:
        self._workers, self._work = workers, work
        self._pool = ThreadPoolExecutor(workers)
        self._ended: SimpleQueue[Result] = SimpleQueue()
        self._futures: dict[Visit, Future[Result]] = {}

    def slots(self) -> int:
        """Return how many tasks can run at once."""
        return self._workers

    def submit(self, task: Task) -> None:
        """Hand in a task."""
        future = self._pool.submit(self._work, task)
        self._futures[task.job.visit] = future
        future.add_done_callback(lambda ended: self._take(task.job.visit, ended))

    def _take(self, visit: Visit, future: Future[Result]) -> None:
        if not future.cancelled():
            error = future.exception()
            lost = Result(visit, LOST, reason=str(error))
            self._ended.put(future.result() if error is None else lost)

    def results(self, wait_s: float) -> list[Result]:
        """Return what ended."""
        found = drain(self._ended, wait_s)
        for result in found:
            self._futures.pop(result.visit, None)
        return found

    def withdraw(self, run: str, visits: Iterable[Visit]) -> list[Visit]:
        """Take tasks back that have not begun."""
        return [visit for visit in visits if self._futures[visit].cancel()]

    def stop(self, run: str) -> None:
        """End what runs."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        stop_tasks(run)

    def close(self) -> None:
        """End the threads; their processes end with this command."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def drain(queue: SimpleQueue[T], wait_s: float) -> list[T]:
    """Return what is in a queue, after waiting for the first at most so long."""
    found: list[T] = []
    try:
        found.append(queue.get(timeout=wait_s))
        while True:
            found.append(queue.get_nowait())
    except Empty:
        return found


def local_workers(options: EngineOptions) -> int:
    """Return how many visits to run at once here, those of `gpu_workers` not among them.

    What was asked, else what the machine holds beside `gpu_workers`.
    """
    if options.workers is not None:
        return options.workers
    by_memory = int(memory_bytes()[0] / (VISIT_MEMORY_GB * 1e9))
    return max(1, min(allowed_cpus(), by_memory - options.gpu_workers))


def local_threads(options: EngineOptions) -> int:
    """Return the threads of each visit here: what was asked, else an equal share."""
    visits = local_workers(options) + options.gpu_workers
    return options.threads or max(1, allowed_cpus() // visits)


def start_engine(options: EngineOptions, folder: Path) -> Engine:
    """Start the engine asked for.

    Parameters
    ----------
    folder : where all machines that it uses can read and write: logs of jobs go there.

    Raises
    ------
    EngineError
        It cannot start: a package is missing, nobody answers, or its options are wrong.
    """
    if options.name == "processes":
        return ProcessesEngine(local_workers(options))
    try:
        from clinica_gado.warehouse.dask_engine import start_dask_engine
    except ImportError as error:
        raise EngineError(
            f"--engine {options.name} needs Dask ({error.name} is not installed): "
            "pip install 'clinica-gado[warehouse]', or choose --engine processes."
        ) from error
    return start_dask_engine(options, folder)
