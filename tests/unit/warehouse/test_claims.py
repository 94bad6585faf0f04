"""At most one process holds a claim; one whose owner is gone is free again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import pytest

from clinica_gado.errors import OutputError
from clinica_gado.warehouse import claims
from clinica_gado.warehouse.claims import hold, list_claims, take_claim


def change_owner(folder, **changes):
    path = folder / "visit.claim"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def ended_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def number_that_take_it(folder):
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda n: take_claim(folder, "visit", f"run-{n}"), range(64)))
    return sum(claim is not None for claim in found)


def test_of_many_that_try_at_once_one_gets_it(tmp_path):
    assert number_that_take_it(tmp_path) == 1


@pytest.fixture
def quick_switches():
    """Let threads take turns so often that each meets the others at every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_switches")
def test_of_many_that_take_over_from_a_dead_one_one_gets_it(tmp_path):
    dead = ended_process()
    for turn in range(40):
        folder = tmp_path / str(turn)
        take_claim(folder, "visit", "dead")
        change_owner(folder, pid=dead)
        assert number_that_take_it(folder) == 1


def test_one_that_died_while_it_took_over_is_in_no_ones_way(tmp_path):
    take_claim(tmp_path, "visit", "dead")
    change_owner(tmp_path, pid=ended_process())
    shutil.copy(tmp_path / "visit.claim", tmp_path / ".visit.claim-guard")
    claim = take_claim(tmp_path, "visit", "run")
    with claim.held():
        assert list_claims(tmp_path)["visit"] == claim.owner
    assert list(tmp_path.iterdir()) == []


def test_it_is_free_after_its_block(tmp_path):
    with take_claim(tmp_path, "visit", "one").held():
        assert take_claim(tmp_path, "visit", "other") is None
        assert list(list_claims(tmp_path)) == ["visit"]
    assert take_claim(tmp_path, "visit", "other") is not None


def test_attempts_are_counted_in_one_run_alone(tmp_path):
    take_claim(tmp_path, "visit", "run")
    change_owner(tmp_path, pid=ended_process())
    assert take_claim(tmp_path, "visit", "run").owner.attempt == 2
    change_owner(tmp_path, pid=ended_process())
    assert take_claim(tmp_path, "visit", "another").owner.attempt == 1


def test_a_later_process_of_the_same_number_is_not_the_owner(tmp_path):
    take_claim(tmp_path, "visit", "run")
    change_owner(tmp_path, born=1.0)
    assert take_claim(tmp_path, "visit", "run") is not None


def test_a_clock_that_was_set_makes_nobody_dead(tmp_path, monkeypatch):
    take_claim(tmp_path, "visit", "run")
    process, boot = psutil.Process, psutil.boot_time()
    began = process().create_time()
    monkeypatch.setattr(claims.psutil, "boot_time", lambda: boot + 3600)
    monkeypatch.setattr(process, "create_time", lambda _: began + 3600)
    assert list(list_claims(tmp_path)) == ["visit"]
    monkeypatch.setattr(process, "create_time", lambda _: began + 3605)
    assert list_claims(tmp_path) == {}


def test_a_process_that_proc_hides_is_not_dead(tmp_path, monkeypatch):
    take_claim(tmp_path, "visit", "run")

    def hide(pid):
        raise psutil.NoSuchProcess(pid)

    def forbid(pid, number):
        raise PermissionError

    monkeypatch.setattr(claims.psutil, "Process", hide)
    monkeypatch.setattr(claims.os, "kill", forbid)
    assert list(list_claims(tmp_path)) == ["visit"]


def test_the_claim_of_whoever_took_over_is_not_renewed(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_S", 0.01)
    path = tmp_path / "visit.claim"
    with take_claim(tmp_path, "visit", "slow").held():
        change_owner(tmp_path, token="other")
        time.sleep(0.1)  # a beat that was under way
        os.utime(path, (1, 1))
        time.sleep(0.1)
        assert path.stat().st_mtime == 1


def test_one_that_another_looks_at_can_be_given_up(tmp_path):
    with take_claim(tmp_path, "visit", "run").held():
        shutil.copy(tmp_path / "visit.claim", tmp_path / ".visit.claim-guard")
    assert not (tmp_path / "visit.claim").exists()


def test_one_of_another_machine_is_free_after_its_lease(tmp_path):
    take_claim(tmp_path, "visit", "run")
    change_owner(tmp_path, host="elsewhere", pid=ended_process())
    assert take_claim(tmp_path, "visit", "other", lease_s=100) is None
    long_ago = time.time() - 101
    os.utime(tmp_path / "visit.claim", (long_ago, long_ago))
    assert list_claims(tmp_path, lease_s=100) == {}
    assert take_claim(tmp_path, "visit", "other", lease_s=100) is not None


def test_one_that_is_being_written_is_taken_for_held(tmp_path):
    (tmp_path / "visit.claim").touch()
    assert take_claim(tmp_path, "visit", "run") is None


def test_it_is_renewed_while_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_S", 0.01)
    with take_claim(tmp_path, "visit", "run").held():
        path = tmp_path / "visit.claim"
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 30
        while path.stat().st_mtime == 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 1


def test_what_another_one_took_over_stays(tmp_path):
    claim = take_claim(tmp_path, "visit", "slow")
    with claim.held():
        change_owner(tmp_path, **vars(replace(claim.owner, run="quick", token="other")))
    assert list_claims(tmp_path)["visit"].run == "quick"


def test_waiting_for_one_ends(tmp_path):
    with hold(tmp_path, "lock", "one") as first, hold(tmp_path, "lock", "two", 0.05) as second:
        assert (first, second) == (True, False)


def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        take_claim(tmp_path / "file" / "claims", "visit", "run")
