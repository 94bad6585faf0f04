"""Dask as the engine: workers here, in jobs of SLURM, or of a scheduler that runs already."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, Nanny, Scheduler, SpecCluster, Worker
from distributed.security import Security

from clinica_gado.bids import Visit
from clinica_gado.warehouse.engine import (
    LOST,
    PRELOAD,
    EngineError,
    EngineOptions,
    drain,
    local_workers,
)
from clinica_gado.warehouse.slurm import SlurmJobs, read_jobs, start_jobs
from clinica_gado.warehouse.task import (
    Result,
    Task,
    begin_no_more,
    leave_worker,
    run_task,
    stop_tasks,
)
from clinica_gado.warehouse.visit import SYNTHESISE

logger = logging.getLogger(__name__)

CPU, GPU = {"CPU": 1}, {"GPU": 1}
"""Resources that workers declare where GPUs are apart: `dask worker --resources GPU=1`."""
EVERYWHERE = ("", "0.0.0.0", "[::]")
TALKERS = ("distributed", "tornado.application", "asyncio")
"""Loggers of Dask: what it says of lost workers and jobs is said here in our words."""
BEGUN = ("executing", "long-running", "memory", "error")
"""States of a task on a worker of Dask."""
CONNECT_S = 30.0
WORKERS_S = 15.0
SETTINGS = {
    # Deaths are counted by the claims, which know who was running; Dask would blame those in line.
    "distributed.scheduler.allowed-failures": 100,
    # A worker that is slow to come back is restarted by its nanny or by a new job, not given up.
    "distributed.deploy.lost-worker-timeout": "1d",
    "distributed.comm.timeouts.connect": f"{CONNECT_S:g}s",
    # Nothing of ours is in a worker's memory but its own: the visits are in processes beside it.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


class DaskEngine:
    """Tasks on the workers of a Dask cluster.

    Parameters
    ----------
    cluster : what to close at the end; None for a cluster of somebody else.
    jobs : the jobs of SLURM that the workers are in.
    """

    def __init__(
        self,
        client: Client,
        *,
        cluster: SpecCluster | None = None,
        jobs: SlurmJobs | None = None,
        gpu_apart: bool = False,
    ) -> None:
        self._client, self._cluster, self._jobs = client, cluster, jobs
        self.gpu_apart = gpu_apart
        self._ended: SimpleQueue[Visit] = SimpleQueue()
        self._futures: dict[Visit, Future] = {}
        self._looked, self._slots, self._number = 0.0, 0, 0

    @property
    def dashboard(self) -> str:
        """Address of Dask's dashboard."""
        return str(self._client.dashboard_link or "")

    def slots(self) -> int:
        """Return how many workers there are, asked now and then; renew jobs of SLURM that ended."""
        if time.monotonic() - self._looked > WORKERS_S or self._slots == 0:
            self._look()
            self._looked = time.monotonic()
            before, self._slots = self._slots, sum(self._client.nthreads().values())
            if self._slots != before:
                logger.info("Visits that can run at once: %d.", self._slots)
            if self._jobs is not None:
                self._jobs.renew(self._slots)
        return self._slots

    def submit(self, task: Task) -> None:
        """Hand in a task under a name that shows in the dashboard; whoever is free takes it."""
        self._number += 1
        visit = task.job.visit
        future = self._client.submit(
            run_task,
            task,
            key=f"{task.steps[0]}-{'_'.join(visit)}-{self._number}",
            pure=False,
            resources=self._resources(task),
        )
        self._futures[visit] = future
        future.add_done_callback(lambda _: self._ended.put(visit))

    def _resources(self, task: Task) -> dict[str, int] | None:
        if not self.gpu_apart:
            return None
        return GPU if SYNTHESISE in task.steps else CPU

    def results(self, wait_s: float) -> list[Result]:
        """Return what ended."""
        visits = drain(self._ended, wait_s)
        self._look()
        ended = [(visit, self._futures.pop(visit)) for visit in visits if visit in self._futures]
        return [_result_of(visit, future) for visit, future in ended]

    def _look(self) -> None:
        if self._client.status != "running":
            raise EngineError("Dask's scheduler is gone; what was finished is in CAPS.")

    def withdraw(self, run: str, visits: Iterable[Visit]) -> list[Visit]:
        """Take tasks back that have not begun; of one that has, the result is still to come.

        A worker may be handed a task between the question and its withdrawal: it was told not to
        begin it.
        """
        begun: set[str] = set()
        with suppress(OSError, TimeoutError, RuntimeError):  # the scheduler may be gone already
            begun = set().union(*self._client.run(close_run, run, on_error="ignore").values())
        futures = [(visit, self._futures[visit]) for visit in visits]
        withdrawn = [
            visit for visit, future in futures if not future.done() and future.key not in begun
        ]
        for visit in withdrawn:
            self._futures.pop(visit).cancel()
        return withdrawn

    def stop(self, run: str) -> None:
        """End what the workers do for a run; the workers stay."""
        with suppress(OSError, TimeoutError, RuntimeError):  # the scheduler may be gone already
            for future in self._futures.values():
                future.cancel()
            self._client.run(stop_tasks, run)

    def close(self) -> None:
        """End the workers if they are ours; else leave nothing on them."""
        try:
            if self._cluster is None and self._client.status == "running":
                with suppress(OSError, TimeoutError, RuntimeError):
                    self._client.run(leave_worker)
            self._client.close(timeout=5)
        finally:
            if self._cluster is not None:
                with suppress(AssertionError):  # Dask's, of a job that SLURM would not take
                    self._cluster.close(timeout=30)


def close_run(run: str, dask_worker: Worker) -> set[str]:
    """Let a worker begin nothing more for a run.

    Returns
    -------
    The keys of the tasks that it is at or has ended, whoever knows of it yet.
    """
    begin_no_more(run)
    return {task.key for task in dask_worker.state.tasks.values() if task.state in BEGUN}


def _result_of(visit: Visit, future: Future) -> Result:
    try:
        result: Result = future.result(timeout=60)
    except KilledWorker:
        return Result(visit, LOST, reason="its workers died again and again")
    except Exception as error:
        return Result(visit, LOST, reason=f"{type(error).__name__}: {error}")
    return result


def start_dask_engine(options: EngineOptions, folder: Path) -> DaskEngine:
    """Start or find the cluster asked for.

    Raises
    ------
    EngineError
        Nobody answers at the address, or the jobs of SLURM are described wrongly.
    """
    dask.config.set(SETTINGS)
    for talker in TALKERS:
        logging.getLogger(talker).setLevel(logging.CRITICAL)
    # Of the dashboard, by a second run on this machine: it takes another, and that one is shown.
    warnings.filterwarnings("ignore", r"\s*Port \d+ is already in use", UserWarning)
    if options.name == "scheduler":
        return _find_scheduler(options)
    dask.config.set({"distributed.dashboard.link": dashboard_link(options.dashboard)})
    if options.name == "slurm":
        kinds = read_jobs(options.slurm)
        cluster = start_jobs(kinds, folder, options.dashboard)
        jobs = SlurmJobs(cluster, kinds)
        gpu_apart = "gpu" in kinds
        return DaskEngine(Client(cluster), cluster=cluster, jobs=jobs, gpu_apart=gpu_apart)
    here = _start_here(options)
    return DaskEngine(Client(here), cluster=here, gpu_apart=options.gpu_workers > 0)


def dashboard_link(listens: str) -> str:
    """Return Dask's template of the dashboard's address, of where it listens.

    Dask shows the host of the scheduler, where a dashboard for this machine alone is not.
    """
    host = listens.rpartition(":")[0]
    return f"http://{host if host not in EVERYWHERE else '{host}'}:{{port}}/status"


def _find_scheduler(options: EngineOptions) -> DaskEngine:
    try:
        client = Client(options.address, timeout=CONNECT_S)
    except (OSError, ValueError, ImportError) as error:
        raise EngineError(f"No Dask scheduler answers at {options.address} ({error}).") from error
    return DaskEngine(client, gpu_apart=options.gpu_workers > 0)


def _start_here(options: EngineOptions) -> SpecCluster:
    """Start workers on this machine; only processes with the certificate of this run get in."""
    security = Security.temporary()
    shared = {"host": "127.0.0.1", "protocol": "tls://", "security": security}
    worker = {
        **shared,
        "nthreads": 1,
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
        "preload": [PRELOAD],
    }
    workers: dict[str, Any] = {
        f"cpu-{n}": {"cls": Nanny, "options": {**worker, "resources": CPU}}
        for n in range(local_workers(options))
    }
    for n, card in enumerate(_cards(options.gpu_workers)):
        own = {"resources": GPU, "env": {"CUDA_VISIBLE_DEVICES": card}}
        workers[f"gpu-{n}"] = {"cls": Nanny, "options": {**worker, **own}}
    scheduler = {**shared, "port": 0, "dashboard_address": options.dashboard}
    try:
        return SpecCluster(
            workers=workers,
            scheduler={"cls": Scheduler, "options": scheduler},
            security=security,
            silence_logs=logging.CRITICAL,
        )
    except RuntimeError as error:
        reason = error.__cause__ or error
        raise EngineError(
            f"Dask cannot start here ({reason}); is the address of --dashboard, "
            f"{options.dashboard}, one of this machine?"
        ) from error


def _cards(count: int) -> list[str]:
    """Return the GPUs of so many workers, among those that this command may use."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    cards = [str(n) for n in range(count)] if allowed is None else allowed.split(",")
    if len(cards) < count:
        raise EngineError(
            f"--gpu-workers {count}: CUDA_VISIBLE_DEVICES names {len(cards)} GPUs; ask for these."
        )
    return cards[:count]
