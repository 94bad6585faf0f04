"""`clinica-gado harmonize` by its engines, on tiny visits: none lost, none doubled."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

ROOT = Path(__file__).parents[2]
STAND_IN = ROOT / "benchmarks" / "_stand_in.py"
sys.path.insert(0, str(STAND_IN.parent))

import _stand_in  # noqa: E402

pytestmark = pytest.mark.slow

QC = Path("gado_qc/t1-gado-removal")
RECORD_SOCKETS = """
import os, socket
from ipaddress import ip_address
def note(address):
    if not isinstance(address, tuple):
        return
    host = address[0] or "0.0.0.0"
    if not (host == "localhost" or ip_address(host).is_loopback):
        with open(os.environ["SOCKETS_SEEN"], "a") as stream:
            stream.write(host + chr(10))
        raise OSError("only the loopback is open in this test")
class Watched(socket.socket):
    def connect(self, address):
        note(address)
        return super().connect(address)
    def connect_ex(self, address):
        note(address)
        return super().connect_ex(address)
    def bind(self, address):
        note(address)
        return super().bind(address)
socket.socket = Watched
"""
NO_SOCKETS = """
import os, socket
def refuse(*args, **kwargs):
    open(os.environ["SOCKETS_SEEN"], "a").write("socket" + chr(10))
    raise OSError("sockets are blocked in this test")
class Blocked(socket.socket):
    connect = connect_ex = listen = refuse
socket.socket = Blocked
"""
SITES = {"processes": NO_SOCKETS, "local": RECORD_SOCKETS}
"""What each engine may do with sockets."""


class Runs:
    """Starts runs on one dataset, with what they do with sockets watched."""

    def __init__(self, folder):
        self.bids, self.caps, self.folder = folder / "bids", folder / "caps", folder
        self.sockets = folder / "sockets.txt"

    def start(self, *arguments, site=NO_SOCKETS):
        blocked = self.folder / f"site-{len(site)}"
        blocked.mkdir(exist_ok=True)
        (blocked / "sitecustomize.py").write_text(site)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(blocked), str(STAND_IN.parent)]),
            "SOCKETS_SEEN": str(self.sockets),
        }
        command = [sys.executable, STAND_IN, "harmonize", self.bids, self.caps]
        dashboard = [] if "processes" in arguments else ["--dashboard", "127.0.0.1:0"]
        command += ["--segmentation", "none", *dashboard, *arguments]
        return subprocess.Popen(
            list(map(str, command)),
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def table(self, name):
        return pd.read_csv(self.caps / QC / f"{name}.tsv", sep="\t", keep_default_na=False)

    def ends(self):
        """Return how often each visit came to its end."""
        visits = [f"{path.name}_ses-M000" for path in self.bids.glob("sub-*")]
        diaries = [_stand_in.read_diary(self.caps, visit) for visit in visits]
        return [sum(note["what"] == "end" for note in diary) for diary in diaries]

    def wait_for(self, ends, seconds=600):
        deadline = time.monotonic() + seconds
        while sum(self.ends()) < ends:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def assert_whole(self):
        """Check that every visit is done once, and nothing is half-written or held."""
        assert set(self.ends()) == {1}
        images = list(self.caps.glob("subjects/*/*/t1_gado_removal/*SynthNCE*_T1w.nii.gz"))
        assert {path.stat().st_size for path in images} == {_stand_in.IMAGE_BYTES}
        assert set(self.table("images").status) == {"done"}
        assert len(self.table("images")) == len(images) == len(self.ends())
        assert len(self.table("selection")) == len(images)
        assert self.table("failures").empty
        assert list(self.caps.rglob(".partial-*")) == []
        assert list(self.caps.rglob("*.claim")) == []


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def make_visits(runs, count, words="0.1 well"):
    _stand_in.make_bids(runs.bids, {f"{number:02d}": words for number in range(count)})


def finish(run, code=0):
    _, said = run.communicate(timeout=900)
    assert run.returncode == code, said
    return said


def test_a_shard_and_a_whole_run_at_once_share_the_visits_and_need_no_socket(runs):
    make_visits(runs, 8, "0.5 well")
    options = ["--engine", "processes", "--workers", "1"]
    for run in [runs.start(*options, "--shard", "1/2"), runs.start(*options)]:
        finish(run)
    runs.assert_whole()
    assert "0 visits to treat, 8 done before" in finish(runs.start(*options))
    runs.assert_whole()
    assert not runs.sockets.exists()


@pytest.fixture(params=["processes", "local"])
def engine(request):
    """Name of an engine that works here, Dask's where it is installed."""
    if request.param == "local":
        pytest.importorskip("distributed")
    return request.param


def test_interrupted_once_it_finishes_what_runs_and_goes_on_later(runs, engine):
    make_visits(runs, 8, "1 well")
    events = runs.folder / "events.json"
    options = ["--engine", engine, "--workers", "2", "--log-json", events]
    run = runs.start(*options, site=SITES[engine])
    runs.wait_for(1)
    run.send_signal(signal.SIGINT)
    said = finish(run, code=1)
    assert "Finishing " in said
    done = sum(runs.ends())
    assert 1 <= done < 8
    assert len(list(runs.caps.rglob("*_outcome.json"))) == done
    assert list(runs.caps.rglob("*.claim")) == []
    again = runs.start(*options, site=SITES[engine])
    assert f"{8 - done} visits to treat, {done} done before" in finish(again)
    runs.assert_whole()
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert sum(line["event"] == "visit ended" for line in lines) == 8
    assert str(runs.folder) not in events.read_text()


def test_interrupted_twice_it_stops_at_once(runs, engine):
    make_visits(runs, 4, "60 well")
    run = runs.start("--engine", engine, "--workers", "2", site=SITES[engine])
    diaries = runs.caps.with_name("caps-diary")
    deadline = time.monotonic() + 600
    while not diaries.is_dir() or len(list(diaries.iterdir())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    # Two signals at once are one: the second comes when the first was answered.
    assert any("Finishing " in line for line in run.stderr)
    run.send_signal(signal.SIGINT)
    finish(run, code=1)
    assert list(runs.caps.glob("subjects/**/*.*")) == []
    assert list(runs.caps.rglob("*.claim")) == []


def test_dask_on_the_loopback_alone_outlives_killed_workers(runs):
    pytest.importorskip("distributed")
    make_visits(runs, 8, "0.2 well")
    taken = socket.create_server(("127.0.0.1", 0))
    dashboard = f"127.0.0.1:{taken.getsockname()[1]}"
    options = ["--workers", "2", "--gpu-workers", "1", "--dashboard", dashboard]
    with taken:
        run = runs.start(*options, site=RECORD_SOCKETS)
        runs.wait_for(2)
    visit = max(runs.caps.with_name("caps-diary").iterdir(), key=lambda path: path.stat().st_mtime)
    child = _stand_in.read_diary(runs.caps, visit.name)[-1]["pid"]
    psutil.Process(child).parent().kill()
    said = finish(run)
    assert "dashboard: http://127.0.0.1" in said
    assert dashboard not in said
    assert "already in use" not in said
    runs.assert_whole()
    assert not runs.sockets.exists()


def slurm_is_missing():
    if shutil.which("sinfo") is None:
        return "SLURM is not installed"
    try:
        answer = subprocess.run(
            ["sinfo", "--noheader"], capture_output=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return "SLURM does not answer"
    return "" if answer.returncode == 0 and answer.stdout else "SLURM has no partition"


def test_jobs_of_slurm_that_are_killed_come_again_and_cost_no_visit(runs):
    pytest.importorskip("dask_jobqueue")
    if reason := slurm_is_missing():
        pytest.skip(reason)
    make_visits(runs, 6, "0.5 well")
    toml = runs.folder / "jobs.toml"
    # One job of each kind: the run cannot end unless the killed one is submitted again.
    job = 'jobs = 1\ncores = 1\nmemory = "2GB"\ninterface = "lo"\n'
    toml.write_text(f'[cpu]\njob_name = "cpu-part"\n{job}[gpu]\n{job}')
    run = runs.start("--engine", "slurm", "--slurm-options", toml, site="")
    runs.wait_for(2)
    jobs = subprocess.run(
        ["squeue", "--noheader", "--format=%A", "--name=cpu-part", "--states=R"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    subprocess.run(["scancel", "--signal=KILL", jobs[0]], check=True)
    said = finish(run)
    assert "submitted again" in said
    assert "dashboard: http://127.0.0.1" in said
    runs.assert_whole()
    assert list((runs.caps / QC / "jobs").glob(".dask-jobqueue*")) == []
