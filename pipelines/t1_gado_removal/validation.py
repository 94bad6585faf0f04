"""The nipype workflow that validates the visits of a run, some of them in each process."""

from __future__ import annotations

import logging
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nipype.interfaces.utility as nutil
import nipype.pipeline.engine as npe

from clinica_gado.bids import Job, Visit
from clinica_gado.outcomes import ALREADY_DONE, FAILED, Outcome, read_outcome
from clinica_gado.pipelines.t1_gado_removal.messages import write_job
from clinica_gado.pipelines.t1_gado_removal.tasks import validate_task
from clinica_gado.pipelines.texts import write_settings
from clinica_gado.validation.settings import ValidationSettings
from clinica_gado.validation.visits import known_flags
from clinica_gado.words import counted
from clinica_gado.workflow import ProgressLog, run_steadily

logger = logging.getLogger(__name__)

VISITS_PER_PROCESS = 6
"""SPM is started once for so many visits (of up to three images): more would save nothing beside
its minutes per image, and delay the news of each visit."""
MEMORY_GB = 3
KILLED = "the process that validated it was killed, perhaps for lack of memory."


def validate_all(
    jobs: Sequence[Job],
    settings: ValidationSettings,
    *,
    n_procs: int,
    working_directory: Path | None = None,
) -> list[Outcome]:
    """Validate visits and return what became of each, in order; what is there is not redone."""
    known = {job.visit: known_flags(job, settings) for job in jobs}
    done = {
        job.visit: Outcome(job.visit, job.source.name, ALREADY_DONE, flags=flags)
        for job in jobs
        if (flags := known[job.visit]) is not None
    }
    waiting = [job for job in jobs if job.visit not in done]
    logger.info("%s to validate, %d done before.", counted(len(waiting), "visit"), len(done))
    if waiting:
        folder = Path(tempfile.mkdtemp(prefix="gado-validation-", dir=working_directory))
        try:
            done |= _run(waiting, settings, n_procs, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return [done[job.visit] for job in jobs]


def _run(
    jobs: Sequence[Job], settings: ValidationSettings, n_procs: int, folder: Path
) -> dict[Visit, Outcome]:
    outcomes = folder / "outcomes"
    told: set[Visit] = set()

    def new_ends() -> list[str]:
        ended = [job for job in jobs if job.visit not in told and read_outcome(outcomes, job.visit)]
        told.update(job.visit for job in ended)
        return [f"{job.visit}: validated" for job in ended]

    workflow = build_workflow(split(jobs, n_procs), settings, folder)
    run_steadily(workflow, n_procs, ProgressLog(len(jobs), new_ends))
    return {
        job.visit: read_outcome(outcomes, job.visit)
        or Outcome(job.visit, job.source.name, FAILED, KILLED)
        for job in jobs
    }


def split(jobs: Sequence[Job], n_procs: int) -> list[list[Job]]:
    """Cut jobs into the groups of one process each, even among `n_procs` where they are few."""
    size = max(1, min(VISITS_PER_PROCESS, math.ceil(len(jobs) / n_procs)))
    return [list(jobs[start : start + size]) for start in range(0, len(jobs), size)]


def build_workflow(
    groups: Sequence[Sequence[Job]], settings: ValidationSettings, folder: Path
) -> npe.Workflow:
    """Return a workflow of one node for each group."""
    interface = nutil.Function(
        input_names=["jobs", "settings", "outcomes"], output_names=["jobs"], function=validate_task
    )
    node = npe.Node(interface, name="Validate", mem_gb=MEMORY_GB)
    node.inputs.settings = write_settings(settings)
    node.inputs.outcomes = str(folder / "outcomes")
    node.iterables = [("jobs", [[write_job(job) for job in group] for group in groups])]
    workflow = npe.Workflow(name="validation", base_dir=str(folder))
    workflow.add_nodes([node])
    return workflow
