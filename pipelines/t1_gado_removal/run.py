"""A whole run of t1-gado-removal: choose, leave what is done, do the rest, write the tables."""

from __future__ import annotations

import logging
import shutil
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica.dataset import check_bids_dataset
from clinica.utils.exceptions import ClinicaException

from clinica_gado.bids import Job, Selection, parse_filter, select
from clinica_gado.caps import MEGABYTES_PER_VISIT, dataset_name, qc_folder
from clinica_gado.console import show_messages
from clinica_gado.errors import OutputError, SelectionError
from clinica_gado.evaluation.tissue import planned_sets
from clinica_gado.files import read_table, sha256_of, write_json, write_tsv
from clinica_gado.gado_removal import (
    PIPELINE,
    RemovalSettings,
    known_outcome,
    predictor_of,
)
from clinica_gado.machine import share_threads
from clinica_gado.outcomes import (
    ALREADY_DONE,
    DONE,
    FAILED,
    NOT_VALIDATED,
    Outcome,
    with_validation,
    write_failures,
    write_images,
)
from clinica_gado.pipelines.t1_gado_removal.options import RunOptions, read_options
from clinica_gado.preprocessing.t1_linear import describe_options
from clinica_gado.provenance import generated_by
from clinica_gado.validation.settings import ValidationSettings

if TYPE_CHECKING:
    from clinica_gado.models.bundle import Bundle

logger = logging.getLogger(__name__)

ALL_DONE, SOME_FAILED, NOTHING_STARTED = 0, 1, 2


def run_from_options(**options: Any) -> int:
    """Run with the options of the command line; return the exit code."""
    show_messages()
    settings, run_options = read_options(options)
    try:
        return run(settings, run_options)
    except ClinicaException as error:
        logger.error("%s", error)
        return NOTHING_STARTED


def run(settings: RemovalSettings, options: RunOptions) -> int:
    """Treat every visit of a dataset that has a contrast-enhanced T1w; return the exit code.

    Raises
    ------
    ClinicaException
        Nothing could start: one line that says why.
    """
    # Imported late: nipype takes seconds, and a wrong option should be told at once.
    from clinica_gado.pipelines.t1_gado_removal.pipeline import T1GadoRemoval

    share_threads(options.n_procs)
    check_start(settings, options)
    selection = select(
        settings.bids,
        visits_tsv=options.visits_tsv,
        input_filter=parse_filter(options.input_filter),
        contrast_tsv=options.contrast_tsv,
        pairs_tsv=options.pairs_tsv,
    )
    bundle = predictor_of(settings).bundle
    validation = options.validation(settings)
    # Absolute: the processes that treat the visits have other current folders.
    settings = replace(settings, model=str(bundle.folder.resolve()))
    decided, waiting = sort_out(selection.jobs, settings, bundle.sha256)
    pipeline = T1GadoRemoval(
        settings,
        waiting,
        base_dir=options.working_directory,
        caps_name=options.caps_name or dataset_name(settings.caps),
    )
    folder = qc_folder(settings.caps, PIPELINE)
    write_tsv(folder / "selection.tsv", selection.table)
    warn_of_low_space(settings.caps, len(waiting))
    started = _now()
    n_before = sum(outcome.status == ALREADY_DONE for outcome in decided)
    logger.info("%d visits to treat, %d done before.", len(waiting), n_before)
    outcomes = [*decided, *pipeline.run_all(options.n_procs)]
    outcomes = _validate(selection.jobs, outcomes, validation, options)
    write_provenance(folder, settings, options, bundle, started)
    code = _summarise(folder, selection, outcomes)
    written = write_results(settings.caps, folder, options.quality_tsv)
    return code if written else SOME_FAILED


def write_results(
    caps: Path, folder: Path, quality_tsv: Path | None, *, with_report: bool = True
) -> bool:
    """Write the tables of the validation and the report; what fails here costs no image."""
    from clinica_gado.report.build import write_report
    from clinica_gado.validation.tables import write_tables

    try:
        write_tables(caps, folder, quality_tsv)
        if with_report:
            logger.info("The report is %s", write_report(caps, PIPELINE))
    except Exception as error:
        logger.debug("%s", traceback.format_exc())
        logger.error(
            "The tables of the validation or the report were not written (%s). The images are "
            "there; `clinica-gado report %s`, or the same run again, writes them.",
            *(error, caps),
        )
        return False
    return True


def _validate(
    jobs: Sequence[Job],
    outcomes: Sequence[Outcome],
    settings: ValidationSettings,
    options: RunOptions,
) -> list[Outcome]:
    """Validate what was synthesised; should all of it fail, the visits are done all the same."""
    try:
        return _validate_all(jobs, outcomes, settings, options)
    except Exception as error:
        logger.debug("%s", traceback.format_exc())
        logger.error("Validation ended early (%s); the same run again goes on with it.", error)
        flag = f"{NOT_VALIDATED}{error}"
        return [o if o.status == FAILED else o._replace(flags=(*o.flags, flag)) for o in outcomes]


def _validate_all(
    jobs: Sequence[Job],
    outcomes: Sequence[Outcome],
    settings: ValidationSettings,
    options: RunOptions,
) -> list[Outcome]:
    """Validate what was synthesised; a visit that cannot be validated is done all the same."""
    from clinica_gado.pipelines.t1_gado_removal.pipeline import INTERRUPTED
    from clinica_gado.pipelines.t1_gado_removal.validation import validate_all

    if any(outcome.reason == INTERRUPTED for outcome in outcomes):
        return list(outcomes)
    done = {outcome.visit for outcome in outcomes if outcome.status != FAILED}
    validated = validate_all(
        [job for job in jobs if job.visit in done],
        settings,
        n_procs=options.n_procs,
        working_directory=options.working_directory,
    )
    by_visit = {outcome.visit: outcome for outcome in validated}
    return [with_validation(outcome, by_visit.get(outcome.visit)) for outcome in outcomes]


def check_start(settings: RemovalSettings, options: RunOptions) -> None:
    """Find what would make every visit fail, before the first long step."""
    if settings.linear.route == "clinica":
        from clinica_gado.preprocessing.ants_programs import check_programs

        check_programs()
    describe_options(settings.linear)  # reads the user's template
    if options.quality_tsv is not None:
        planned_sets(read_table(options.quality_tsv, ("participant_id", "quality")))
    try:
        check_bids_dataset(settings.bids)
    except (ClinicaException, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SelectionError(f"Clinica does not take {settings.bids}: {reason}") from error
    _check_writable(settings.caps, "CAPS folder")
    if options.working_directory is not None:
        _check_writable(options.working_directory, "working directory")


def _check_writable(folder: Path, role: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"Cannot write to the {role} {folder} ({error.strerror}); "
            "check its permissions, or give another folder."
        ) from error


def sort_out(
    jobs: Sequence[Job], settings: RemovalSettings, model_sha256: str
) -> tuple[list[Outcome], list[Job]]:
    """Return the outcomes known already (done before, or in conflict) and the jobs left to do."""
    decided: list[Outcome] = []
    waiting: list[Job] = []
    for job in jobs:
        outcome = known_outcome(job, settings, model_sha256)
        if outcome is None:
            waiting.append(job)
            continue
        decided.append(outcome)
        if outcome.status == FAILED:
            logger.error("%s", outcome)
    return decided, waiting


def warn_of_low_space(caps: Path, n_visits: int) -> None:
    """Say it before the first visit where the disk of CAPS may not hold the results of all."""
    needed, free = n_visits * MEGABYTES_PER_VISIT, shutil.disk_usage(caps).free // 2**20
    if needed > free:
        logger.warning(
            "%d MB may be needed in %s and %d MB are free; visits that find no room will fail.",
            *(needed, caps, free),
        )


def write_provenance(
    folder: Path, settings: RemovalSettings, options: RunOptions, bundle: Bundle, started: str
) -> None:
    """Write what decided a run: model, settings, checksums of the user's tables, versions."""
    content = {
        "Pipeline": PIPELINE,
        "Started": started,
        "Ended": _now(),
        "Model": {"Id": bundle.card.id, "Sha256": bundle.sha256},
        "Settings": {
            "Device": settings.device,
            "Precision": settings.precision,
            "Flips": settings.flips,
            "Preprocessing": describe_options(settings.linear),
            "NativeSpace": settings.native_space,
        },
        "Selection": {
            "Visits": _checksum(options.visits_tsv),
            "InputFilter": list(options.input_filter),
            "ContrastTsv": _checksum(options.contrast_tsv),
            "PairsTsv": _checksum(options.pairs_tsv),
        },
        "Validation": {
            "Segmentation": options.segmentation,
            "QualityTsv": _checksum(options.quality_tsv),
        },
        "GeneratedBy": generated_by(),
    }
    write_json(folder / "provenance.json", content)


def _checksum(table: Path | None) -> str | None:
    return None if table is None else sha256_of(table)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _summarise(folder: Path, selection: Selection, outcomes: Sequence[Outcome]) -> int:
    write_images(folder / "images.tsv", outcomes)
    n_failures = write_failures(folder / "failures.tsv", outcomes, selection.problems)
    n_done = sum(outcome.status in (DONE, ALREADY_DONE) for outcome in outcomes)
    n_flagged = sum(bool(outcome.flags) for outcome in outcomes)
    if not selection.jobs:
        logger.warning(
            "No contrast-enhanced T1w was found; %s says why for each T1w.",
            folder / "selection.tsv",
        )
    logger.info("%d done, %d of them doubtful, %d failed.", n_done, n_flagged, n_failures)
    logger.info("Tables and pictures are in %s", folder)
    return SOME_FAILED if n_failures else ALL_DONE
