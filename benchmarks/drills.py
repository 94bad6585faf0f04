"""Faults on purpose: is a result lost, doubled or half-written?

`python benchmarks/drills.py` runs `clinica-gado harmonize` on tiny visits while workers are killed,
the scheduler is killed, the disk is full, CAPS is read-only, visits hang, eat memory or die, and
two runs go on at once. Each drill ends with a run that must bring every good visit to its end; what
it found is one line. Two drills mount a small file system and need root.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import _stand_in
import pandas as pd
import psutil

STAND_IN = Path(_stand_in.__file__)
QC = Path("gado_qc/t1-gado-removal")


class Site:
    """A dataset of tiny visits and its CAPS."""

    def __init__(self, folder: Path, words: dict[str, str]) -> None:
        self.folder, self.caps = folder, folder / "caps"
        self.bids = _stand_in.make_bids(folder / "bids", words)
        self.good = [name for name, text in words.items() if text.endswith(("well", "once"))]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a run."""
        command = [sys.executable, str(STAND_IN), "harmonize", str(self.bids), str(self.caps)]
        command += ["--segmentation", "none", *arguments]
        log = (self.folder / "run.log").open("a")
        return subprocess.Popen(command, stderr=log, stdout=log, text=True)

    def finish(self, *arguments: str) -> int:
        """Run to the end and return the exit code."""
        return self.start(*arguments).wait(timeout=580)

    def ends(self) -> int:
        """Return how many visits have come to their end so far."""
        return sum(self._count(name) for name in self.good)

    def _count(self, name: str) -> int:
        diary = _stand_in.read_diary(self.caps, f"sub-{name}_ses-M000")
        return sum(note["what"] == "end" for note in diary)

    def busy_processes(self) -> list[psutil.Process]:
        """Return the processes that are at a visit."""
        found = []
        for path in self.caps.with_name("caps-diary").glob("*"):
            diary = _stand_in.read_diary(self.caps, path.name)
            if diary and diary[-1]["what"] == "begin" and psutil.pid_exists(diary[-1]["pid"]):
                found.append(psutil.Process(diary[-1]["pid"]))
        return found

    def verdict(self) -> str:
        """Say what is lost, doubled or half-written."""
        done = list(self.caps.glob("subjects/*/*/t1_gado_removal/*SynthNCE*_T1w.nii.gz"))
        images = pd.read_csv(self.caps / QC / "images.tsv", sep="\t")
        listed = images.loc[images.status == "done", "participant_id"]
        lost = len(self.good) - len(done)
        faults = {
            "lost": lost,
            "doubled": sum(self._count(name) > 1 for name in self.good),
            "half-written": sum(path.stat().st_size != _stand_in.IMAGE_BYTES for path in done)
            + len(list(self.caps.rglob(".partial-*"))),
            "missing in images.tsv": len(self.good) - listed.nunique(),
            "claims left": len(list(self.caps.rglob("*.claim"))),
        }
        return ", ".join(f"{number} {what}" for what, number in faults.items())


def kill_workers(site: Site, every_s: float) -> str:
    """Kill a worker, and with it the visit that it is at, again and again."""
    run, killed = site.start("--workers", "2"), 0
    while run.poll() is None:
        time.sleep(every_s)
        busy = site.busy_processes()
        if busy and site.ends() < len(site.good) - 2:
            random.choice(busy).parent().kill()
            killed += 1
    # A visit that was hit at every one of its attempts has failed, and is asked for again.
    again = site.finish("--engine", "processes", "--retry-failed") if run.returncode else "none"
    return f"{killed} workers killed, exit {run.returncode}, then {again}"


@contextmanager
def dask_cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers of Dask, as a site may have them."""
    file = folder / f"scheduler-{time.monotonic_ns()}.json"
    shared = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options, *shared],
            env=_stand_in.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for kind, options in (
            ("scheduler", ["--port", "0"]),
            ("worker", ["--nthreads", "1"]),
            ("worker", ["--nthreads", "1"]),
        )
    ]
    try:
        while not file.is_file() or not file.read_text():
            time.sleep(0.2)
        yield pd.read_json(file, typ="series")["address"], programs
    finally:
        for one in programs:
            one.terminate()
        for one in programs:
            one.wait(timeout=60)


def kill_scheduler(site: Site, every_s: float) -> str:
    """Kill the scheduler in the middle; go on with another."""
    with dask_cluster(site.folder) as (address, programs):
        run = site.start("--scheduler", address)
        while site.ends() < 2 and run.poll() is None:
            time.sleep(0.2)
        programs[0].kill()
        first = run.wait(timeout=300)
    with dask_cluster(site.folder) as (address, _):
        second = site.finish("--scheduler", address)
    return f"exit {first} without its scheduler, then {second}"


def hang_eat_and_die(site: Site, every_s: float) -> str:
    """Let visits hang, eat memory, die once and die always."""
    options = ["--timeout", "1", "--memory-gb", "0.8", "--attempts", "2", "--workers", "2"]
    code = site.finish("--engine", "processes", *options)
    failures = pd.read_csv(site.caps / QC / "failures.tsv", sep="\t")
    reasons = "; ".join(failures.participant_id + ": " + failures.reason.str.slice(0, 40))
    return f"exit {code}; {reasons}"


def two_runs(site: Site, every_s: float) -> str:
    """Run twice at once on one CAPS."""
    runs = [site.start("--engine", "processes", "--workers", "2") for _ in range(2)]
    return f"exits {[run.wait(timeout=580) for run in runs]}"


def kill_a_run(site: Site, every_s: float) -> str:
    """Kill a whole run; go on with the same command."""
    run = site.start("--workers", "2")
    while site.ends() < 2 and run.poll() is None:
        time.sleep(0.1)
    run.kill()
    run.wait()
    return f"killed at {site.ends()}, then exit {site.finish('--engine', 'processes')}"


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a small file system in memory."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill_the_disk(site: Site, every_s: float) -> str:
    """Fill the disk in the middle; go on when there is room again."""
    with mounted(site.caps, 100):
        run = site.start("--engine", "processes", "--workers", "2")
        while site.ends() < 2 and run.poll() is None:
            time.sleep(0.1)
        ballast = site.caps / "ballast"
        with ballast.open("wb", buffering=0) as stream:
            try:
                while True:
                    stream.write(bytes(1 << 16))
            except OSError:
                pass
        first, ended = run.wait(timeout=300), site.ends()
        failed = len(list(site.caps.rglob("*_outcome.json"))) - ended
        ballast.unlink()
        second = site.finish("--engine", "processes")
        return f"exit {first} at {ended} ({failed} blamed), then {second}; {site.verdict()}"


def make_it_read_only(site: Site, every_s: float) -> str:
    """Make CAPS read-only in the middle; go on when it can be written again."""
    with mounted(site.caps, 200):
        run = site.start("--engine", "processes", "--workers", "2")
        while site.ends() < 2 and run.poll() is None:
            time.sleep(0.1)
        remount(site.caps, "ro")
        first, ended = run.wait(timeout=300), site.ends()
        remount(site.caps, "rw")
        second = site.finish("--engine", "processes")
        return f"exit {first} at {ended}, then {second}; {site.verdict()}"


def remount(folder: Path, how: str) -> None:
    """Change how a file system is mounted; programs that write are waited for."""
    while subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=False).returncode:
        time.sleep(0.05)


Drill = Callable[[Site, float], str]
WELL = "1 well"
DRILLS: dict[Drill, dict[str, str]] = {
    kill_workers: {f"{n:02d}": "4 well" for n in range(30)},
    kill_scheduler: {f"{n:02d}": WELL for n in range(10)},
    kill_a_run: {f"{n:02d}": WELL for n in range(8)},
    two_runs: {f"{n:02d}": WELL for n in range(10)},
    hang_eat_and_die: {
        **{f"{n:02d}": "0 well" for n in range(4)},
        **{"hang": "0 hang", "eat": "0 eat", "once": "0 die-once", "die": "0 die"},
    },
    fill_the_disk: {f"{n:02d}": WELL for n in range(10)},
    make_it_read_only: {f"{n:02d}": WELL for n in range(10)},
}
AS_ROOT = (fill_the_disk, make_it_read_only)


def main() -> None:
    """Run the drills and print a line or two of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = {drill.__name__: drill for drill in DRILLS}
    parser.add_argument("drills", nargs="*", metavar="|".join(names), help="[all]")
    parser.add_argument("--every", type=float, default=20, help="seconds between kills [20]")
    options = parser.parse_args()
    for name in options.drills or names:
        drill = names[name]
        if drill in AS_ROOT and os.geteuid() != 0:
            print(f"{name}: needs root")
            continue
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            site = Site(Path(folder), DRILLS[drill])
            found = drill(site, options.every)
            verdict = "" if drill in AS_ROOT else f"; {site.verdict()}"
        print(f"{name} ({time.monotonic() - begin:.0f} s): {found}{verdict}", flush=True)


if __name__ == "__main__":
    main()
