"""A run over a whole warehouse: choose, leave what is done, drive the rest, tell of the whole."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clinica.dataset import write_caps_dataset_description

from clinica_gado.bids import Job, Selection, Visit, parse_filter, select
from clinica_gado.caps import dataset_name
from clinica_gado.errors import GadoError
from clinica_gado.gado_removal import PIPELINE, RemovalSettings
from clinica_gado.outcomes import DONE, FAILED, is_unvalidated
from clinica_gado.predictors import find_model, predictor_of
from clinica_gado.runs.end import (
    ALL_DONE,
    SOME_FAILED,
    now,
    write_provenance,
    write_results,
)
from clinica_gado.runs.options import RemovalRunOptions
from clinica_gado.runs.progress import EventLog, Progress, open_event_log, show_progress
from clinica_gado.runs.shards import Shard
from clinica_gado.runs.start import check_start, warn_of_low_space
from clinica_gado.runs.visit_process import Limits
from clinica_gado.warehouse.driver import Driver, Stop
from clinica_gado.warehouse.engine import EngineOptions, start_engine
from clinica_gado.warehouse.records import Record, is_current
from clinica_gado.warehouse.state import State, coverage, write_run_tables
from clinica_gado.warehouse.status import generalise
from clinica_gado.warehouse.task import Order, Result
from clinica_gado.warehouse.visit import Treat, VisitSettings, treat
from clinica_gado.words import counted

if TYPE_CHECKING:
    from clinica_gado.models.bundle import Bundle

logger = logging.getLogger(__name__)

REPORT_VISITS = 5000
"""The report holds the pictures of all visits in one file: of more than so many no browser opens
it, and it is left out."""
FINAL_WAIT_S = 60.0
"""For another run that writes the ledger at the end of this one; it can be made again from CAPS."""


@dataclass(frozen=True)
class Plan:
    """Which of the visits to treat now, and how.

    Attributes
    ----------
    shard : a share of the visits; None for all.
    retry_failed : treat visits that failed before, or whose validation did, too.
    limit : treat at most so many.
    since : treat those whose T1w is of that date or later.
    log_json : file for events as JSON lines.
    treat : the work; another one stands in for it in tests and benchmarks.
    """

    engine: EngineOptions = field(default_factory=EngineOptions)
    limits: Limits = field(default_factory=Limits)
    shard: Shard | None = None
    retry_failed: bool = False
    limit: int | None = None
    since: datetime | None = None
    log_json: Path | None = None
    treat: Treat = treat


@dataclass(frozen=True)
class Sorted:
    """Visits to treat, and the records of those that are left as they are."""

    waiting: list[Job]
    decided: list[Record]


@dataclass(frozen=True)
class Course:
    """How the treatment of the visits went: `failed` of them, and why it ended early, if it did."""

    failed: int = 0
    problem: str = ""
    at_once: bool = False


def harmonize(settings: RemovalSettings, options: RemovalRunOptions, plan: Plan) -> int:
    """Treat the visits of a dataset that have a contrast-enhanced T1w; return the exit code.

    Raises
    ------
    ClinicaException
        Nothing could start: one line that says why.
    """
    started, described = now(), options.describe()
    # Absolute: the processes that treat the visits have other current folders.
    settings = replace(settings, bids=settings.bids.resolve(), caps=settings.caps.resolve())
    check_start(settings, options)
    with open_event_log(plan.log_json):
        pass  # one that cannot be written is refused now
    bundle = _find_bundle(settings, plan.engine)
    settings = replace(settings, model=str(bundle.folder.resolve()))
    validation = options.validation(settings)
    visits = VisitSettings(settings, validation, bundle.sha256).with_request()
    holds: Callable[[Visit], bool] = (lambda _: True) if plan.shard is None else plan.shard.holds
    selection = _select(settings.bids, options, holds)
    covers = coverage(selection, options.visits_tsv is not None, holds)
    state = State(settings.caps, uuid.uuid4().hex)
    with state.locked():
        _describe(settings, options.caps_name)
    found = sort_visits(selection.jobs, visits, state.begin(selection, covers), plan)
    course = _treat_all(found, visits, plan, state)
    if course.at_once:
        return SOME_FAILED
    written = _write_tables(
        state,
        selection,
        covers,
        lambda: write_provenance(state.folder, settings, described, bundle, started),
        options.quality_tsv,
    )
    failed_before = any(record.status == FAILED for record in found.decided)
    bad = failed_before or course.failed or course.problem or selection.problems
    return ALL_DONE if written and not bad else SOME_FAILED


def _describe(settings: RemovalSettings, name: str | None) -> None:
    """Write the dataset_description.json of CAPS, or add this pipeline to it, as Clinica does."""
    write_caps_dataset_description(
        settings.bids, settings.caps, PIPELINE, dataset_name=name or dataset_name(settings.caps)
    )


def _find_bundle(settings: RemovalSettings, engine: EngineOptions) -> Bundle:
    """Return the model; on this machine the device is looked for, too."""
    if engine.name in ("slurm", "scheduler"):
        return find_model(PIPELINE, settings.model)
    return predictor_of(settings).bundle


def _select(bids: Path, options: RemovalRunOptions, holds: Callable[[Visit], bool]) -> Selection:
    return select(
        bids,
        visits_tsv=options.visits_tsv,
        input_filter=parse_filter(options.input_filter),
        contrast_tsv=options.contrast_tsv,
        pairs_tsv=options.pairs_tsv,
        keep=holds,
    )


def sort_visits(
    jobs: Sequence[Job], settings: VisitSettings, known: Mapping[Visit, Record], plan: Plan
) -> Sorted:
    """Part the visits to treat from those that a record says are done, or have failed."""
    found = Sorted([], [])
    for job in jobs:
        record = known.get(job.visit)
        if plan.since is not None and not _is_since(job, plan.since):
            continue
        if (
            record is None
            or settings.removal.overwrite
            or not is_current(record, job, settings)
            or (plan.retry_failed and _has_failed(record))
        ):
            found.waiting.append(job)
        else:
            found.decided.append(record)
    failed = sum(record.status == FAILED for record in found.decided)
    treated = found.waiting[: plan.limit]
    logger.info(
        "%s to treat%s, %d done before, %d failed before%s.",
        counted(len(found.waiting), "visit"),
        f" ({len(treated)} of them now, by --limit)" if len(treated) < len(found.waiting) else "",
        *(len(found.decided) - failed, failed),
        " (--retry-failed tries them again)" if failed else "",
    )
    return Sorted(treated, found.decided)


def _has_failed(record: Record) -> bool:
    """Tell whether a visit failed, or the validation of its image."""
    return record.status == FAILED or is_unvalidated(record.outcome.flags)


def _is_since(job: Job, since: datetime) -> bool:
    try:
        return job.source.stat().st_mtime >= since.timestamp()
    except OSError:
        return True  # treating it says in words what is wrong


def _treat_all(found: Sorted, settings: VisitSettings, plan: Plan, state: State) -> Course:
    """Drive the visits through the engine; whatever ends that, nothing is lost."""
    if not found.waiting:
        return Course()
    warn_of_low_space(state.caps, len(found.waiting))
    with ExitStack() as stack:
        log = stack.enter_context(open_event_log(plan.log_json))
        engine = start_engine(plan.engine, state.folder / "jobs")
        stack.callback(engine.close)
        if engine.dashboard:
            logger.info("Dask's dashboard: %s", engine.dashboard)
        stop = stack.enter_context(Stop().on_signals())
        progress = stack.enter_context(show_progress(len(found.waiting)))
        desk = _Desk(state, progress, log)
        log.add("run started", visits=len(found.waiting), engine=plan.engine.name)
        order = Order(settings, state.run, plan.limits, plan.treat)
        driver = Driver(engine, order, desk.take, stop, desk.tick)
        driver.run(found.waiting)
        state.flush(wait_s=FINAL_WAIT_S, every_s=0)
        log.add("run ended", failed=desk.failed, complete=not driver.problem and not stop.level)
    if driver.problem:
        logger.error("%s The run ended early; the same command goes on.", driver.problem)
    interrupted = "interrupted" if stop.level else ""
    return Course(desk.failed, driver.problem or interrupted, stop.level > 1)


class _Desk:
    """Takes the end of each visit to the ledger, the progress and the logs."""

    def __init__(self, state: State, progress: Progress, log: EventLog) -> None:
        self._state, self._progress, self._log = state, progress, log
        self.failed = 0

    def tick(self) -> None:
        """Keep what has ended, and say how far the run is, when it is time to."""
        self._state.flush()
        self._progress.tick()

    def take(self, result: Result) -> None:
        """Count and keep the end of a visit, and tell a failure at once."""
        record = result.record
        if record is None:
            return
        has_failed = record.status == FAILED
        self.failed += has_failed
        self._state.keep(record)
        self._progress.add(has_failed)
        facts = {"reason": generalise(record.reason)} if has_failed else {}
        seconds = round(result.seconds, 2)
        self._log.add("visit ended", result.visit, status=record.status, seconds=seconds, **facts)
        logger.log(logging.ERROR if has_failed else logging.DEBUG, "%s", record.outcome)


def _write_tables(
    state: State,
    selection: Selection,
    covers: Callable[[Visit], bool],
    sign: Callable[[], None],
    quality_tsv: Path | None,
) -> bool:
    """Write every table of the whole dataset, and the report unless it would be too large."""
    from clinica_gado.validation.tables import write_tables

    try:
        with state.locked():
            records = state.refresh()
            write_run_tables(state, records, selection.problems, covers)
            sign()
            done = sum(record.status == DONE for record in records)
            if done > REPORT_VISITS:
                logger.info(
                    "The report is left out: %d visits are too many for one page of pictures.", done
                )
            tables = partial(write_tables, state.caps, state.folder, quality_tsv)
            written = write_results(state.caps, PIPELINE, tables, with_report=done <= REPORT_VISITS)
    except (GadoError, OSError) as error:
        logger.error("%s The tables are as they were before.", error)
        return False
    logger.info("Tables and pictures are in %s", state.folder)
    return written
