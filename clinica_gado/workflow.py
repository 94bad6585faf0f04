"""Running a nipype workflow so that no visit can stop or freeze the others."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any

import nipype
from nipype.pipeline.engine import Workflow
from nipype.pipeline.plugins.multiproc import MultiProcPlugin, process_initializer, run_node

from clinica_gado.console import show_messages

if TYPE_CHECKING:
    from nipype.pipeline.engine import Node

logger = logging.getLogger(__name__)

# Folders of nodes are named by a checksum: a job's text would make a path too long for the system.
# Stock Clinica puts nipype in its debug mode, in which one crash stops all.
nipype.config.update_config(
    {"execution": {"parameterize_dirs": False, "stop_on_first_crash": False}}
)

MAX_ATTEMPTS = 2
"""A node that was running when a worker died may be innocent: it is tried once more, alone."""
START_METHOD = "spawn"
"""Forking a process that holds the threads of torch or ITK can freeze the child."""


class SteadyMultiProcPlugin(MultiProcPlugin):
    """nipype's MultiProc, which waits for ever for a node whose process was killed, made to go on.

    When a worker dies, the pool is renewed and each node that was running is run once more in a
    process of its own; one whose process dies again ends with an error, and the others go on.
    """

    def __init__(self, plugin_args: dict[str, Any], last_node: str = "") -> None:
        self._last_node = last_node
        super().__init__({**plugin_args, "mp_context": START_METHOD})
        self.pool: ProcessPoolExecutor = self._new_pool(self.processors)
        self._nodes: dict[int, tuple[Node, bool, int]] = {}

    def _sort_jobs(self, jobids: Iterable[int], scheduler: str | None = None) -> list[int]:
        """Finish visits that began before beginning others, so that results come all along."""
        return sorted(jobids, key=lambda jobid: self.procs[jobid].name != self._last_node)

    def _submit_job(self, node: Node, updatehash: bool = False) -> int:
        self._taskid += 1
        self._nodes[self._taskid] = (node, updatehash, 1)
        try:
            self._start(self._taskid, self.pool)
        except BrokenProcessPool:
            self.pool.shutdown(wait=False)
            self.pool = self._new_pool(self.processors)
            self._start(self._taskid, self.pool)
        return int(self._taskid)

    def _start(self, taskid: int, pool: ProcessPoolExecutor) -> None:
        node, updatehash, _ = self._nodes[taskid]
        future = pool.submit(run_node, node, updatehash, taskid)
        self._task_obj[taskid] = future
        future.add_done_callback(lambda ended: self._finish(taskid, ended))

    def _finish(self, taskid: int, ended: Future[dict[str, Any]]) -> None:
        error = ended.exception()
        self._taskresult[taskid] = ended.result() if error is None else {"died": error}

    def _get_result(self, taskid: int) -> dict[str, Any] | None:
        result: dict[str, Any] | None = self._taskresult.get(taskid)
        if result is None or "died" not in result:
            return result
        node, updatehash, attempts = self._nodes[taskid]
        if attempts < MAX_ATTEMPTS:
            self._retry_alone(taskid, node, updatehash, attempts + 1)
            return None
        message = f"its process was killed {attempts} times, perhaps for lack of memory"
        return {"taskid": taskid, "result": None, "traceback": [message], "killed": True}

    def _report_crash(self, node: Node, result: dict[str, Any] | None = None) -> str:
        if result is not None and result.get("killed"):
            return "none: a killed process leaves no crash file"
        return str(super()._report_crash(node, result))

    def _retry_alone(self, taskid: int, node: Node, updatehash: bool, attempt: int) -> None:
        logger.warning("A worker died (out of memory?); %s starts again.", node.fullname)
        del self._taskresult[taskid]
        self._nodes[taskid] = (node, updatehash, attempt)
        pool = self._new_pool(1)
        self._start(taskid, pool)
        pool.shutdown(wait=False)

    def stop(self) -> None:
        """End the workers at once: what they were writing has not taken its name yet."""
        for process in list((self.pool._processes or {}).values()):
            process.terminate()

    def _new_pool(self, workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            max_workers=workers,
            initializer=start_worker,
            initargs=(self._cwd, logging.getLogger("clinica_gado").getEffectiveLevel()),
            mp_context=get_context(START_METHOD),
        )


def start_worker(cwd: str, level: int) -> None:
    """Prepare a process: nipype's own settings, our messages on the screen and none of nipype's."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    process_initializer(cwd)
    show_messages(level)
    for name in ("nipype", "nipype.workflow", "nipype.interface", "nipype.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _end_with_parent() -> None:
    """End when the parent does: a worker of a killed run would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_steadily(
    workflow: Workflow, n_procs: int, progress: ProgressLog, last_node: str = ""
) -> bool:
    """Run a workflow whose nodes leave their own outcomes; return False when interrupted.

    Parameters
    ----------
    progress : told of every node that starts or ends.
    last_node : name of the node that ends a visit, run before new visits begin.
    """
    # A machine with less memory than that runs one node at a time instead of refusing all.
    arguments = {"n_procs": n_procs, "status_callback": progress, "raise_insufficient": False}
    plugin = SteadyMultiProcPlugin(arguments, last_node)
    try:
        # Not Clinica's `run`, which a Pipeline has: see `VisitChain`.
        Workflow.run(workflow, plugin=plugin)
    except RuntimeError as error:
        # Nodes catch their own errors: what comes here is a process that was killed.
        logger.debug("nipype: %s", error)
    except KeyboardInterrupt:
        plugin.stop()
        logger.warning("Interrupted; run the same command again to go on.")
        return False
    return True


class ProgressLog:
    """Logs each visit that came to its end, with an estimate of the time that remains.

    nipype tells that some node ended, not what it found: `new_ends` returns in words what ended
    since it was last called.
    """

    def __init__(self, total: int, new_ends: Callable[[], Sequence[str]]) -> None:
        self._total, self._new_ends = total, new_ends
        self._done, self._started = 0, time.monotonic()

    def __call__(self, node: Node, status: str) -> None:
        """Take a status of nipype's: start, end or exception."""
        for text in self._new_ends():
            self._done += 1
            elapsed = time.monotonic() - self._started
            left = _remaining(elapsed / self._done * (self._total - self._done))
            logger.info("[%d/%d] %s; %s", self._done, self._total, text, left)


def _remaining(seconds: float) -> str:
    if seconds < 1:
        return "nothing left"
    if seconds < 90:
        return f"about {seconds:.0f} s left"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min left"
    return f"about {seconds / 3600:.1f} h left"
