"""Visits in a process of their own that is watched: its time, its memory, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from clinica_gado.errors import GadoError
from clinica_gado.machine import THREAD_VARIABLES

POLL_S = 0.5


@dataclass(frozen=True)
class Limits:
    """What a visit may take.

    Attributes
    ----------
    timeout_s : of wall-clock time; it is ended after that.
    memory_bytes : of it and the programs that it starts; 0 for no limit.
    attempts : how often a visit is begun whose process dies.
    threads : of its arithmetic.
    """

    timeout_s: float = 3 * 3600.0
    memory_bytes: int = 0
    attempts: int = 3
    threads: int = 1


class VisitEndedError(GadoError):
    """A visit was ended, and would be again."""


class ProcessDiedError(GadoError):
    """The process of a visit died; another attempt may fare better."""


class StoppedError(GadoError):
    """The run was told to stop at once."""


class VisitProcess:
    """One process that works through visits; `stop` may be called from another thread."""

    def __init__(self, threads: int) -> None:
        # Of what is ended nothing else would take the temporary files away.
        self._temporary = TemporaryDirectory(prefix="clinica-gado-", ignore_cleanup_errors=True)
        requests, self._requests = Pipe(duplex=False)
        self._answers, answers = Pipe(duplex=False)
        descriptors = (requests.fileno(), answers.fileno())
        with requests, answers:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "clinica_gado.runs.child", *map(str, descriptors)],
                env={**_environment(threads), "TMPDIR": self._temporary.name},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # of libraries that talk
                pass_fds=descriptors,
                start_new_session=True,  # Ctrl-C is for the command that started the run
            )
        self._stopped = False

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], limits: Limits) -> Any:
        """Return what a function makes of its arguments in the process.

        Raises
        ------
        VisitEndedError, ProcessDiedError, StoppedError
            It came to no end. The process is gone.
        """
        give_up = time.monotonic() + limits.timeout_s
        try:
            self._requests.send((function, arguments))
            while not self._answers.poll(POLL_S):
                self._check_memory(limits.memory_bytes)
                if time.monotonic() > give_up:
                    raise VisitEndedError(
                        f"it was ended: no result within {limits.timeout_s:g} s; look at the "
                        "image, or give a longer --timeout."
                    )
            answer = self._answers.recv()
        except (EOFError, OSError) as error:
            if self._stopped:
                raise StoppedError("it was stopped with the run.") from error
            self._clean_up()
            raise ProcessDiedError("its process died, perhaps for lack of memory.") from error
        except BaseException:
            self.stop()
            raise
        return answer

    def _check_memory(self, limit_bytes: int) -> None:
        if limit_bytes and (used := _memory_of(self._process.pid)) > limit_bytes:
            raise VisitEndedError(
                f"it was ended: it used {used / 1e9:.1f} GB of memory and may use "
                f"{limit_bytes / 1e9:.1f}; look at the image, or give a larger --memory-gb."
            )

    def stop(self) -> None:
        """End the process and what it started, now: its outputs have not taken their names yet."""
        self._stopped = True
        with suppress(psutil.Error):
            for program in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    program.kill()
        self._process.kill()
        self._clean_up()

    def _clean_up(self) -> None:
        """End the programs of a process that is gone, and remove its temporary files."""
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)  # it is the first of its session
        self._process.wait()
        self._temporary.cleanup()


def _environment(threads: int) -> dict[str, str]:
    shared = {name: str(threads) for name in THREAD_VARIABLES}
    return {**os.environ, **shared}


def _memory_of(pid: int) -> int:
    """Return the memory in bytes of a process and of those that it started."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                total += one.memory_info().rss
    return total


class ProcessPool:
    """Processes that are kept from visit to visit: one for each visit that runs at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[int, list[VisitProcess]] = {}
        self._busy: dict[VisitProcess, str] = {}
        self._closed: set[str] = set()
        self._stopped: set[str] = set()

    def call(
        self, run: str, function: Callable[..., Any], arguments: tuple[Any, ...], limits: Limits
    ) -> Any:
        """Do what `VisitProcess.call` does, for a run that can be stopped by its name."""
        with self._lent(run, limits.threads) as process:
            answer = process.call(function, arguments, limits)
        if isinstance(answer, VisitEndedError):  # what the function raised; the process lives on
            raise answer
        return answer

    def close(self, run: str) -> None:
        """Let no further visit of a run begin; those that have go on."""
        self._closed.add(run)

    def is_closed(self, run: str) -> bool:
        """Tell whether no further visit of a run may begin."""
        return run in self._closed

    def stop(self, run: str) -> None:
        """End what is running for a run; nothing more begins for it."""
        with self._lock:
            self._stopped.add(run)
            processes = [process for process, of_run in self._busy.items() if of_run == run]
        for process in processes:
            process.stop()

    def end_idle(self) -> None:
        """End the processes that wait for a visit, and give back the memory of their models."""
        with self._lock:
            processes = [process for idle in self._idle.values() for process in idle]
            for idle in self._idle.values():
                idle.clear()
        for process in processes:
            process.stop()

    @contextmanager
    def _lent(self, run: str, threads: int) -> Iterator[VisitProcess]:
        with self._lock:
            idle = self._idle.setdefault(threads, [])
            process = idle.pop() if idle else None
        if process is None:
            process = VisitProcess(threads)
        with self._lock:
            self._busy[process] = run
            stopped = run in self._stopped
        try:
            if stopped:
                process.stop()
                raise StoppedError("it was stopped with the run.")
            yield process
            with self._lock:
                idle.append(process)
        finally:
            with self._lock:
                del self._busy[process]


POOL = ProcessPool()
"""Of this worker: it ends with it."""
