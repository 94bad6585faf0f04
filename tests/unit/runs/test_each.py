"""One function on many arguments: order, processes that die, an end in the middle."""

from __future__ import annotations

import os
import time

import pytest

from clinica_gado.errors import GadoError
from clinica_gado.runs.each import run_each
from clinica_gado.runs.visit_process import POOL


def test_one_process_is_this_one() -> None:
    assert list(run_each(os.getpid, [(), ()], 1, 60)) == [(0, os.getpid()), (1, os.getpid())]


def test_several_processes_return_everything() -> None:
    found = dict(run_each(divmod, [(number, 3) for number in range(9)], 2, 60))
    assert found == {number: divmod(number, 3) for number in range(9)}
    assert not POOL._busy


def test_a_process_that_dies_costs_one_call() -> None:
    found = dict(run_each(os._exit, [(1,)], 2, 60))
    assert isinstance(found[0], GadoError)
    assert "died" in str(found[0])


def test_an_end_in_the_middle_ends_the_processes() -> None:
    calls = run_each(os.getpid, [()] * 50, 2, 60)
    _, process = next(calls)
    calls.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_call_that_hangs_is_ended() -> None:
    found = dict(run_each(time.sleep, [(600,), (0,)], 2, 8))
    assert found[1] is None
    assert "no result within 8 s" in str(found[0])
