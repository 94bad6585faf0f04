"""`clinica-gado harmonize` with tiny visits: everything is real but the work on an image.

A source holds words instead of voxels, such as `0.2 hang`: how long its visit takes, in seconds,
and what befalls it. `python benchmarks/_stand_in.py harmonize BIDS CAPS …` takes the options of the
command; tests and drills run it so.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clinica_gado.bids import Job
from clinica_gado.caps import removal_paths
from clinica_gado.errors import InputImageError
from clinica_gado.files import atomic_path, write_json
from clinica_gado.gado_removal import flags_in, known_outcome, make_request
from clinica_gado.outcomes import FAILED, Outcome, attempt
from clinica_gado.warehouse.visit import STEPS, VALIDATE, VisitSettings

IMAGE_BYTES = 20_000
MEASURES = {"Flags": [], "Contrast": {}, "Similarity": {}, "Images": {}}


def treat(job: Job, settings: VisitSettings, steps: Sequence[str] = STEPS) -> Outcome:
    """Take the time of a visit and leave files such as the real work leaves."""
    known = known_outcome(job, settings.removal, settings.model_sha256)
    if known is not None:
        return known
    seconds, what = job.source.read_text(encoding="utf-8").split()
    note(job, settings, "begin")
    time.sleep(float(seconds))
    if what == "raise":
        raise ValueError("by the stand-in")
    outcome = attempt(job, lambda: befall(job, settings, what))
    if outcome.status != FAILED and VALIDATE in steps:
        outcome = attempt(job, lambda: write(job, settings))
    done = "end" if VALIDATE in steps else "step"
    note(job, settings, "failure" if outcome.status == FAILED else done)
    return outcome


def befall(job: Job, settings: VisitSettings, what: str) -> tuple[str, ...]:
    """Let a visit hang, eat memory, die, die once, be wrong, or fare well."""
    if what == "hang":
        time.sleep(3600)
    elif what == "eat":
        hoard = []
        for _ in range(60):
            hoard.append(os.urandom(1 << 20) * 50)
            time.sleep(0.1)
    elif what == "die" or (what == "die-once" and len(notes(settings, job)) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "wrong":
        raise InputImageError(f"{job.source} cannot be read as NIfTI.")
    return ()


def write(job: Job, settings: VisitSettings) -> tuple[str, ...]:
    """Write image, measures and sidecar, in the order of the real work."""
    paths = removal_paths(settings.removal.caps, job.source, job.visit)
    paths.sidecar.unlink(missing_ok=True)
    with atomic_path(paths.image) as partial:
        partial.write_bytes(os.urandom(IMAGE_BYTES))
    write_json(paths.measures, MEASURES)
    source = job.source.relative_to(settings.removal.bids).as_posix()
    request = make_request(job, settings.removal, settings.model_sha256)
    content = {**request, "Sources": [f"bids:raw:{source}"], "SyntheticImage": True}
    write_json(paths.sidecar, content)
    return flags_in(content)


def note(job: Job, settings: VisitSettings, what: str) -> None:
    """Append what happens to a visit to its diary, beside CAPS."""
    path = diary(settings.removal.caps, "_".join(job.visit))
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"what": what, "time": time.time(), "pid": os.getpid()}) + "\n")


def notes(settings: VisitSettings, job: Job) -> list[Mapping[str, object]]:
    """Return the diary of a visit."""
    return read_diary(settings.removal.caps, "_".join(job.visit))


def read_diary(caps: Path, visit: str) -> list[Mapping[str, object]]:
    """Return what happened to a visit."""
    path = diary(caps, visit)
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def diary(caps: Path, visit: str) -> Path:
    """Return where the diary of a visit is."""
    return caps.with_name(f"{caps.name}-diary") / visit


def make_bids(bids: Path, visits: Mapping[str, str] | Sequence[str]) -> Path:
    """Write a dataset of tiny visits: by participant, or so many that all go well."""
    words = visits if isinstance(visits, Mapping) else dict.fromkeys(visits, "0 well")
    for participant, text in words.items():
        anat = bids / f"sub-{participant}" / "ses-M000" / "anat"
        anat.mkdir(parents=True)
        name = f"sub-{participant}_ses-M000_ce-gadolinium_T1w.nii.gz"
        (anat / name).write_text(text, encoding="utf-8")
    description = {"Name": "tiny", "BIDSVersion": "1.7.0", "DatasetType": "raw"}
    write_json(bids / "dataset_description.json", description)
    return bids


def environment() -> dict[str, str]:
    """Return an environment in which every process finds this module by its name."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def main() -> None:
    """Run a command of clinica-gado whose visits are tiny."""
    os.environ.update(environment())
    import _stand_in  # by the name that the workers find it under

    from clinica_gado.commands.main import cli
    from clinica_gado.warehouse import options

    read_plan = options.read_plan
    options.read_plan = lambda given: replace(read_plan(given), treat=_stand_in.treat)
    cli(sys.argv[1:], prog_name="clinica-gado")


if __name__ == "__main__":
    main()
