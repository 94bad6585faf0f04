"""What a visit costs beside its own work, when there are thousands: time and memory of the driver.

`python benchmarks/warehouse.py` runs `clinica-gado harmonize` on visits whose work is next to
nothing, by each engine, then again with all of them done, with and without the ledger; and some of
the same visits through nipype, the way of `clinica run`. The ratio is to the bare work in a loop.
Below each engine is its run part by part: wall-clock time, processor of the command itself, and the
memory of the command (with Dask's scheduler in it), of the largest worker of Dask and of the
largest process in which visits run.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import _stand_in
from _watch import Sample, watch

from clinica_gado.bids import Job, select
from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.pipelines.t1_gado_removal.pipeline import T1GadoRemoval
from clinica_gado.pipelines.t1_gado_removal.tasks import preprocess_task
from clinica_gado.validation.settings import ValidationSettings
from clinica_gado.warehouse.visit import VisitSettings

STAND_IN = Path(_stand_in.__file__)
LEDGER = Path("gado_qc/t1-gado-removal/ledger.sqlite")
ENGINES = ("processes", "local")
PARTS = 10
"""Of a run, each told by itself."""


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=2000, help="[2000]")
    parser.add_argument("--few", type=int, default=100, help="of them in a loop, by nipype [100]")
    parser.add_argument("--workers", type=int, default=2, help="visits at once [2]")
    parser.add_argument("--engines", nargs="+", default=ENGINES, help="[processes local]")
    options = parser.parse_args()
    os.environ.update(_stand_in.environment())
    logging.getLogger("nipype.workflow").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        numbers = [f"{number:05d}" for number in range(options.visits)]
        bids = _stand_in.make_bids(folder / "bids", numbers)
        jobs = select(bids).jobs
        few = jobs[: options.few]
        bare = loop(few, folder / "loop", bids)
        print(f"{'':34}{'ms a visit':>12}{'ratio':>8}", flush=True)
        report("the bare work, in a loop", bare, bare)
        by_nipype = nipype(few, folder / "nipype", bids, options.workers)
        report("nipype", by_nipype, bare)
        for engine in options.engines:
            caps = folder / engine
            times, samples = harmonize(bids, caps, folder, engine, options.workers)
            report(f"harmonize, {engine}", pace(times), bare)
            tell_course(follow(times, samples))
        again(bids, caps, folder, options)


def again(bids: Path, caps: Path, folder: Path, options: argparse.Namespace) -> None:
    """Print what it takes to find that all is done, whole command included."""
    for words in ("with", "without"):
        if words == "without":
            (caps / LEDGER).unlink()
        begin = time.perf_counter()
        harmonize(bids, caps, folder, "processes", options.workers)
        seconds = time.perf_counter() - begin
        print(f"all done before, {words} the ledger: {seconds:.1f} s, tables and report included")


def report(name: str, seconds: float, bare: float) -> None:
    """Print a row."""
    print(f"{name:34}{1000 * seconds:12.1f}{seconds / bare:8.1f}", flush=True)


def settings_of(bids: Path, caps: Path) -> VisitSettings:
    """Return settings of a model that no visit loads."""
    validation = ValidationSettings(caps, "none")
    return VisitSettings(RemovalSettings(bids, caps), validation, "0" * 64)


def loop(jobs: list[Job], caps: Path, bids: Path) -> float:
    """Return the seconds a visit takes when nothing else is done."""
    settings = settings_of(bids, caps)
    begin = time.perf_counter()
    for job in jobs:
        _stand_in.treat(job, settings)
    return (time.perf_counter() - begin) / len(jobs)


def tiny_task(job: str, settings: str, outcomes: str) -> str:
    """Do the work of a visit as a node of nipype's."""
    from pathlib import Path

    import _stand_in
    import warehouse

    from clinica_gado.outcomes import save_outcome
    from clinica_gado.pipelines.t1_gado_removal.messages import read_job, read_settings

    read, wanted = read_job(job), read_settings(settings)
    visit = warehouse.settings_of(wanted.bids, wanted.caps)
    save_outcome(_stand_in.treat(read, visit), Path(outcomes))
    return job


def nothing_task(job: str, settings: str, outcomes: str) -> str:
    """Stand for the preprocessing."""
    return job


class TinyRemoval(T1GadoRemoval):
    """The pipeline of `clinica run` with tiny visits."""

    def _node(self, function: object, name: str) -> object:
        return super()._node(nothing_task if function is preprocess_task else tiny_task, name)


def nipype(jobs: list[Job], caps: Path, bids: Path, workers: int) -> float:
    """Return the seconds a visit takes by nipype, from the start of its processes to their end."""
    settings = settings_of(bids, caps).removal
    pipeline = TinyRemoval(settings, jobs)
    begin = time.perf_counter()
    outcomes = pipeline.run_all(workers)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise SystemExit(f"nipype: {outcomes[0]}")
    return (time.perf_counter() - begin) / len(jobs)


def harmonize(
    bids: Path, caps: Path, folder: Path, engine: str, workers: int
) -> tuple[list[float], list[Sample]]:
    """Run a command; return when each visit ended and what the run took, second by second."""
    events = folder / f"{caps.name}-{time.monotonic_ns()}.json"
    command = [sys.executable, str(STAND_IN), "harmonize", str(bids), str(caps)]
    command += ["--segmentation", "none", "--engine", engine, "--workers", str(workers)]
    command += ["--log-json", str(events)]
    samples = watch(command, lambda: len(ends(events)), stderr=subprocess.DEVNULL)
    return ends(events), samples


def ends(events: Path) -> list[float]:
    """Return when visits have ended so far, in seconds."""
    if not events.is_file():
        return []
    lines = [json.loads(line) for line in events.read_text().splitlines() if line.endswith("}")]
    times = [line["time"] for line in lines if line["event"] == "visit ended"]
    return [datetime.fromisoformat(time).timestamp() for time in times]


def pace(times: Sequence[float]) -> float:
    """Return the seconds a visit takes between the first and the last that ended."""
    return (times[-1] - times[0]) / (len(times) - 1)


def follow(
    times: Sequence[float], samples: Sequence[Sample]
) -> list[tuple[int, float, float, Sample]]:
    """Part a run: visits ended by then, seconds and processor seconds a visit, memory."""
    course, before, parts = [], 0, min(PARTS, len(times) // 2)
    for part in range(1, parts + 1):
        until = len(times) * part // parts
        seconds = pace(times[max(0, before - 1) : until])
        begin, end = sample_at(samples, before), sample_at(samples, until)
        processor = (end.command_s - begin.command_s) / max(1, end.mark - begin.mark)
        course.append((until, seconds, processor, end))
        before = until
    return course


def sample_at(samples: Sequence[Sample], ended: int) -> Sample:
    """Return the first sample when so many visits had ended, or the last."""
    return next((sample for sample in samples if sample.mark >= max(1, ended)), samples[-1])


def tell_course(course: Sequence[tuple[int, float, float, Sample]]) -> None:
    """Print how time and memory go from part to part."""
    columns = ("visits", "ms a visit", "processor ms", "command MB", "worker MB", "visit MB")
    print(" " * 12 + "".join(f"{name:>14}" for name in columns))
    for until, seconds, processor, sample in course:
        sizes = [f"{size / 1e6:.0f}" for size in (sample.command, sample.worker, sample.visit)]
        cells = [str(until), f"{1000 * seconds:.1f}", f"{1000 * processor:.1f}", *sizes]
        print(" " * 12 + "".join(f"{cell:>14}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
