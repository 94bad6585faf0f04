"""What each stage of a visit takes, and the whole by `harmonize` beside `clinica run`.

    python benchmarks/stages.py [BIDS] [--subjects val01 val06] [--routes standard fast]

Each stage has a process of its own with one thread; the model is loaded before the clock runs.
Seconds are of a processor, which a busy machine changes less than the clock; visits an hour are
3600 over them: of one core that does nothing else. The whole runs one visit at a time, by the route
named last and without tissue, beside which a difference would drown. Its memory is the most that
all its processes held together; "a visit" is that of the process in which `harmonize` runs visits.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from _watch import watch

from clinica_gado.bids import Job, select
from clinica_gado.caps import qc_folder
from clinica_gado.detection.classifier import judge_image, load_classifier
from clinica_gado.detection.placing import place_on_template
from clinica_gado.files import write_tsv
from clinica_gado.gado_removal import PIPELINE, RemovalSettings, preprocess, synthesise
from clinica_gado.machine import THREAD_VARIABLES
from clinica_gado.predictors import predictor_of
from clinica_gado.preprocessing.images import read_volume
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.report.build import write_report
from clinica_gado.validation.measures import image_paths, measure_visit
from clinica_gado.validation.reference import align_reference
from clinica_gado.validation.settings import ValidationSettings
from clinica_gado.validation.tables import write_tables
from clinica_gado.validation.tissue import segment_images

BIDS = Path(__file__).parents[2] / "shared" / "real"
BIN = Path(sys.executable).parent
BY_ROUTE = {"preprocess": "preprocessing", "align": "real T1w without contrast aligned"}
ONCE = {
    "detect": "contrast told by the image (detect), of a T1w",
    "synthesise": "network and its picture",
    "segment": "tissue, by the built-in segmenter",
    "measure": "likeness, contrast, picture",
    "tables": "tables and report",
}
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
WHOLE = {
    "clinica run": ["clinica", "run", PIPELINE, "-np", "1"],
    "harmonize": ["clinica-gado", "harmonize", "--workers", "1", "--dashboard", "127.0.0.1:0"],
}


def main() -> None:
    """Measure and print a table of stages and one of whole runs."""
    options = read_options()
    if options.stage:
        return print(json.dumps(measure(options)))
    if not options.bids.is_dir():
        return print(f"skipped: there is no {options.bids}")
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    with tempfile.TemporaryDirectory() as folder:
        options.caps, options.visits = Path(folder), Path(folder, "visits.tsv")
        write_tsv(options.visits, pd.DataFrame([job.visit for job in jobs_of(options)]))
        tell_stages(options)
        tell_whole(options)


def read_options() -> argparse.Namespace:
    """Read the command line; `--stage` and what follows are for the processes it starts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bids", nargs="?", type=Path, default=BIDS)
    parser.add_argument("--subjects", nargs="+", default=["val01", "val06"], help="[val01 val06]")
    parser.add_argument("--routes", nargs="+", default=["standard", "fast"], help="[standard fast]")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--caps", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def jobs_of(options: argparse.Namespace) -> list[Job]:
    """Return the visits of the participants asked for that have a T1w with contrast."""
    wanted = {f"sub-{subject}" for subject in options.subjects}
    jobs = [job for job in select(options.bids).jobs if job.visit.participant_id in wanted]
    if not jobs:
        raise SystemExit(f"{options.bids} has no T1w with contrast of {', '.join(sorted(wanted))}.")
    return jobs


def tell_stages(options: argparse.Namespace) -> None:
    """Print what a visit takes in each stage; in those that differ by route, by each."""
    print(f"{'a visit, one thread':44}{'processor s':>12}{'an hour':>9}{'clock s':>9}{'GB':>7}")
    last = options.routes[-1]
    tell(ONCE["detect"], call(options, "detect", last))
    for stage, name in BY_ROUTE.items():
        if stage == "align":
            tell(ONCE["synthesise"], call(options, "synthesise", last))
        for route in options.routes:
            tell(f"{name}, {route}", call(options, stage, route))
    for stage in ("segment", "measure", "tables"):
        tell(ONCE[stage], call(options, stage, last))


def tell(name: str, found: dict[str, float], more: str = "") -> None:
    """Print a row."""
    hour = f"{3600 / found['processor']:.0f}"
    print(
        f"{name:44}{found['processor']:12.1f}{hour:>9}{found['clock']:9.1f}{found['gb']:7.2f}{more}",
        flush=True,
    )


def call(options: argparse.Namespace, stage: str, route: str) -> dict[str, float]:
    """Do a stage of all visits in a process of its own and return what one visit took."""
    command = [sys.executable, __file__, str(options.bids), "--subjects", *options.subjects]
    command += ["--stage", stage, "--routes", route, "--caps", str(options.caps / route)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Do what one of those processes is for: seconds of a visit, and memory."""
    jobs = jobs_of(options)
    work = work_of(options.stage, options.caps, options)
    processor, clock = time.process_time(), time.perf_counter()
    for job in jobs[: 1 if options.stage == "tables" else None]:
        work(job)
    spent = time.process_time() - processor, time.perf_counter() - clock
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "processor": spent[0] / len(jobs),
        "clock": spent[1] / len(jobs),
        "gb": kib * 1024 / 1e9,
    }


def work_of(stage: str, caps: Path, options: argparse.Namespace) -> Callable[[Job], object]:
    """Return what a stage does with a visit; tables are of all visits at once."""
    linear = LinearOptions(options.routes[0])
    settings = RemovalSettings(options.bids, caps, linear=linear)
    if stage == "synthesise":
        predictor_of(settings)
    if stage == "detect":
        load_classifier()
    segmenter = ValidationSettings(caps, "builtin").segmenter()
    folder = qc_folder(caps, PIPELINE)
    works: dict[str, Callable[[Job], object]] = {
        "detect": lambda job: judge_image(place_on_template(read_volume(job.source)).data),
        "preprocess": lambda job: preprocess(job, settings),
        "synthesise": lambda job: synthesise(job, settings),
        "align": lambda job: align_reference(job, caps, linear),
        "segment": lambda job: segment_images(list(image_paths(job, caps).values()), segmenter),
        "measure": lambda job: measure_visit(job, caps),
        "tables": lambda _: (write_tables(caps, folder), write_report(caps, PIPELINE)),
    }
    return works[stage]


def tell_whole(options: argparse.Namespace) -> None:
    """Print what a visit takes by each command, one visit at a time; the ratio is of the clock."""
    route, n_visits, first = options.routes[-1], len(jobs_of(options)), 0.0
    print(
        f"\n{f'the whole, {route}':44}{'processor s':>12}{'an hour':>9}{'clock s':>9}{'GB':>7}"
        f"{'a visit':>9}{'ratio':>7}"
    )
    for name, command in WHOLE.items():
        caps = options.caps / command[0]
        arguments = [str(BIN / command[0]), *command[1:], str(options.bids), str(caps)]
        arguments += ["-tsv", str(options.visits), "--segmentation", "none"]
        begin = time.perf_counter()
        samples = watch([*arguments, "--preprocessing", route], **QUIET)
        clock = (time.perf_counter() - begin) / n_visits
        first = first or clock
        found = {"processor": samples[-1].all_s / n_visits, "clock": clock}
        found["gb"] = max(sample.together for sample in samples) / 1e9
        visit = max(sample.visit for sample in samples) / 1e9
        size = f"{visit:.2f}" if visit else "-"
        tell(name, found, f"{size:>9}{clock / first:7.2f}")
    print(f"{megabytes(options.caps / route) / n_visits:.1f} MB a visit in CAPS, report included")


def megabytes(caps: Path) -> float:
    """Return what a CAPS with all stages takes on the disk."""
    return sum(path.stat().st_size for path in caps.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
