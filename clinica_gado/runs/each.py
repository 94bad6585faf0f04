"""One function on many arguments, here or in processes that are watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar
from uuid import uuid4

from clinica_gado.errors import GadoError
from clinica_gado.machine import allowed_cpus
from clinica_gado.runs.visit_process import POOL, Limits

T = TypeVar("T")

WAITING = 2
"""Calls handed in for each process, so that none waits for the next and none piles up."""


def run_each(
    function: Callable[..., T],
    arguments: Iterable[tuple[object, ...]],
    n_procs: int,
    timeout_s: float,
) -> Iterator[tuple[int, T | GadoError]]:
    """Yield the number of each call and what it returned, in the order in which they end.

    With several processes an error stands for a call whose process died or took too long; the
    others go on. When the iterator is closed, or an exception passes through it, all of them end.

    Parameters
    ----------
    function : of a module, for it is called in other processes, of which each keeps what it loads.
    n_procs : calls at once; 1 calls here, where nothing ends a call that hangs.
    timeout_s : of a call in a process.
    """
    if n_procs == 1:
        yield from ((number, function(*given)) for number, given in enumerate(arguments))
        return
    run, limits = f"each-{uuid4()}", Limits(timeout_s, threads=max(1, allowed_cpus() // n_procs))

    def call(number: int, given: tuple[object, ...]) -> tuple[int, T | GadoError]:
        try:
            return number, POOL.call(run, function, given, limits)
        except GadoError as error:
            return number, error

    with ThreadPoolExecutor(n_procs) as threads:
        try:
            begun: set[Future[tuple[int, T | GadoError]]] = set()
            for number, given in enumerate(arguments):
                begun.add(threads.submit(call, number, given))
                if len(begun) >= WAITING * n_procs:
                    ended, begun = wait(begun, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in ended)
            while begun:
                ended, begun = wait(begun, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ended)
        finally:
            POOL.stop(run)
            threads.shutdown(cancel_futures=True)
            POOL.end_idle()
