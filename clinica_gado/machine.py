"""Processors of this machine, and how visits that run at once share them."""

from __future__ import annotations

import os

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def share_threads(n_procs: int) -> None:
    """Divide the processors among the processes, before torch counts them."""
    threads = str(max(1, allowed_cpus() // n_procs))
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, threads)


def allowed_cpus() -> int:
    """Count the processors this process may use, which a cluster makes fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
