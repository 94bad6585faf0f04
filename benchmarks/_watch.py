"""The processes of a run, looked at from outside while it goes: memory and seconds of processor."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

VISIT = "clinica_gado.runs.child"
"""Module of the processes in which visits run."""
DASK = "spawn_main"
"""In the command line of a worker that Dask has started on this machine."""
EVERY_S = 0.5


@dataclass(frozen=True)
class Sample:
    """What a run takes at a moment.

    Attributes
    ----------
    mark : what the caller counts.
    command_s, all_s : seconds of processor until now, of the command itself and of all processes.
    command, worker, visit, together : memory in bytes of the command, of the largest worker of
        Dask, of the largest process of visits, and of all processes.
    """

    mark: int
    command_s: float
    all_s: float
    command: int
    worker: int
    visit: int
    together: int


def watch(command: Sequence[str], mark: Callable[[], int] = lambda: 0, **how: Any) -> list[Sample]:
    """Run a command to its end and return what it took, moment by moment.

    Raises
    ------
    SystemExit
        The command failed.
    """
    samples: list[Sample] = []
    spent: dict[int, float] = {}
    with subprocess.Popen(command, **how) as run:
        process = psutil.Process(run.pid)
        while run.poll() is None:
            with suppress(psutil.Error):  # it may end while it is looked at
                samples.append(look_at(process, mark(), spent))
            time.sleep(EVERY_S)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {run.returncode}")
    return samples


def look_at(process: psutil.Process, mark: int, spent: dict[int, float]) -> Sample:
    """Return what a command and what it started take now; `spent` remembers those that ended."""
    sizes = {"": 0, VISIT: 0, DASK: 0}
    own = together = take(process, spent)[1]
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            words, size = take(child, spent)
            together += size
            kind = next((kind for kind in (VISIT, DASK) if kind in words), "")
            sizes[kind] = max(sizes[kind], size)
    seconds = (spent[process.pid], sum(spent.values()))
    return Sample(mark, *seconds, own, sizes[DASK], sizes[VISIT], together)


def take(process: psutil.Process, spent: dict[int, float]) -> tuple[str, int]:
    """Return command line and memory of a process, and remember its seconds of processor."""
    times = process.cpu_times()
    spent[process.pid] = times.user + times.system
    return " ".join(process.cmdline()), process.memory_info().rss
