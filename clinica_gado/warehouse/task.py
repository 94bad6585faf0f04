"""What a worker does with a visit: claim it, take it through its steps, record its end.

A task can be run again at any time, on any machine, and comes to the same end; what it writes
appears whole or not at all. It is what Dask runs; the work itself is in a process that it watches.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from clinica_gado.bids import Job, Visit
from clinica_gado.caps import MEGABYTES_PER_VISIT, qc_folder, removal_paths, visit_folder
from clinica_gado.errors import GadoError
from clinica_gado.files import remove_leftovers
from clinica_gado.gado_removal import PIPELINE
from clinica_gado.outcomes import DONE, FAILED, Outcome, failure, is_unvalidated
from clinica_gado.runs.visit_process import (
    POOL,
    Limits,
    ProcessDiedError,
    StoppedError,
    VisitEndedError,
)
from clinica_gado.warehouse.claims import take_claim
from clinica_gado.warehouse.records import (
    Record,
    is_current,
    make_record,
    read_record,
    save_record,
)
from clinica_gado.warehouse.visit import STEPS, Treat, VisitSettings, treat

logger = logging.getLogger(__name__)

ENDED, GOES_ON, TAKEN, BLOCKED, STOPPED = "ended", "goes on", "taken", "blocked", "stopped"
_UNWRITTEN = ("cannot write", "no space", "quota")
"""Words of failures that may be the disk's; after others the room of a visit is not tried."""


@dataclass(frozen=True)
class Order:
    """What a run asks for every visit.

    Attributes
    ----------
    run : name of the run, under which its visits are claimed.
    treat : does the work; found by its name in the worker's process.
    """

    settings: VisitSettings
    run: str
    limits: Limits = field(default_factory=Limits)
    treat: Treat = treat

    @property
    def caps(self) -> Path:
        """Where the results go."""
        return self.settings.removal.caps


@dataclass(frozen=True)
class Task:
    """Some steps of a visit, as a run ordered them.

    Attributes
    ----------
    was_taken : another process had the visit when it was tried before, and may have done it.
    """

    job: Job
    order: Order
    steps: tuple[str, ...] = STEPS
    was_taken: bool = False

    @property
    def is_last(self) -> bool:
        """Whether the visit ends with these steps."""
        return self.steps[-1] == STEPS[-1]


@dataclass(frozen=True)
class Result:
    """How a task ended.

    Attributes
    ----------
    state : `ENDED` (with a record), `GOES_ON` (further steps are to come), `TAKEN` (another
        process is at the visit), `BLOCKED` (CAPS cannot be written) or `STOPPED`.
    """

    visit: Visit
    state: str
    record: Record | None = None
    reason: str = ""
    seconds: float = 0.0


def claims_folder(caps: Path) -> Path:
    """Return where the claims of a dataset are."""
    return qc_folder(caps, PIPELINE) / "claims"


def run_task(task: Task) -> Result:
    """Take a visit through the steps of a task; nothing is raised."""
    begin = time.monotonic()
    caps, visit = task.order.caps, task.job.visit
    if POOL.is_closed(task.order.run):
        return Result(visit, STOPPED)
    try:
        if problem := find_problem(caps):
            return Result(visit, BLOCKED, reason=problem)
        claim = take_claim(claims_folder(caps), "_".join(visit), task.order.run)
        if claim is None:
            return Result(visit, TAKEN)
        with claim.held() as owner:
            if task.was_taken and (record := _ended_by_another(task)):
                return Result(visit, ENDED, record)
            remove_leftovers(visit_folder(caps, visit) / "t1_gado_removal")
            outcome = _attempt(task, owner.attempt)
            # While we were suspended or cut off, another process may have taken the visit.
            if not claim.is_ours():
                return Result(visit, TAKEN)
            return _conclude(task, outcome, time.monotonic() - begin)
    except StoppedError as error:
        return Result(visit, STOPPED, reason=str(error))
    except GadoError as error:
        return _unwritable(task, error)


def _ended_by_another(task: Task) -> Record | None:
    """Return the record of a visit that another run brought to its good end as is asked for now.

    A failure may be older than either run, which is there to try it again.
    """
    settings = task.order.settings
    if settings.removal.overwrite:
        return None
    folder = removal_paths(task.order.caps, task.job.source, task.job.visit).outcome.parent
    record = read_record(folder, task.job.visit)
    if record is None or not is_current(record, task.job, settings):
        return None
    is_good = record.status == DONE and not is_unvalidated(record.outcome.flags)
    return record if is_good else None


def find_problem(caps: Path, room_bytes: int = 0) -> str:
    """Return why no visit can be written to CAPS now, or an empty text.

    Parameters
    ----------
    room_bytes : to take for a moment, where the system can: a user's quota shows in nothing else.
    """
    folder = claims_folder(caps)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"room")
            if room_bytes and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(probe.fileno(), 0, room_bytes)
    except OSError as error:
        return f"Cannot write to {caps}: {error.strerror}."
    free = shutil.disk_usage(caps).free // 2**20
    if free < MEGABYTES_PER_VISIT:
        return f"{free} MB are left in {caps}; a visit needs {MEGABYTES_PER_VISIT}."
    return ""


def _attempt(task: Task, attempt: int) -> Outcome:
    """Run the steps, again when the process dies, as often as it may; count earlier deaths."""
    order, limits = task.order, task.order.limits
    while attempt <= limits.attempts:
        try:
            arguments = (task.job, order.settings, task.steps)
            outcome: Outcome = POOL.call(order.run, order.treat, arguments, limits)
            return outcome
        except VisitEndedError as error:
            return failure(task.job, error)
        except ProcessDiedError as error:
            logger.warning("%s: %s", task.job.visit, error)
            attempt += 1
    died = ProcessDiedError(
        f"its process or worker died {limits.attempts} times, perhaps for lack of memory."
    )
    return failure(task.job, died)


def _conclude(task: Task, outcome: Outcome, seconds: float) -> Result:
    if outcome.status == FAILED or is_unvalidated(outcome.flags):
        # A disk that is full is no fault of the visit: it waits until there is room.
        if problem := find_problem(task.order.caps, _room_to_try(outcome)):
            return Result(task.job.visit, BLOCKED, reason=problem)
    elif not task.is_last:
        return Result(task.job.visit, GOES_ON, seconds=seconds)
    record = save_record(task.job, task.order.settings, outcome)
    return Result(task.job.visit, ENDED, record, seconds=seconds)


def _room_to_try(outcome: Outcome) -> int:
    """Return the bytes to take for a moment after a failure: many where it could not write."""
    said = " ".join((outcome.reason, *outcome.flags)).lower()
    return MEGABYTES_PER_VISIT * 2**20 if any(word in said for word in _UNWRITTEN) else 0


def _unwritable(task: Task, error: GadoError) -> Result:
    """Return that CAPS cannot be written or, if it can, that this visit's own folder cannot."""
    if problem := find_problem(task.order.caps, MEGABYTES_PER_VISIT * 2**20):
        return Result(task.job.visit, BLOCKED, reason=problem)
    record = make_record(task.job, task.order.settings, failure(task.job, error))
    return Result(task.job.visit, ENDED, record)


def begin_no_more(run: str) -> None:
    """Let this worker begin no further visit of a run; those that have begun go on."""
    POOL.close(run)


def stop_tasks(run: str) -> None:
    """End what this worker does for a run, at once."""
    POOL.stop(run)


def leave_worker() -> None:
    """Leave nothing of ours on a worker that lives on."""
    POOL.end_idle()
