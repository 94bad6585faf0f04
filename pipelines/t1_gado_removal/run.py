"""A whole run of t1-gado-removal: choose, leave what is done, do the rest, write the tables."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from clinica_gado.bids import Job, parse_filter, select
from clinica_gado.caps import dataset_name, qc_folder
from clinica_gado.files import write_tsv
from clinica_gado.gado_removal import PIPELINE, RemovalSettings, known_outcome
from clinica_gado.machine import share_threads
from clinica_gado.outcomes import ALREADY_DONE, FAILED, NOT_VALIDATED, Outcome, with_validation
from clinica_gado.pipelines.t1_gado_removal.options import read_options
from clinica_gado.predictors import predictor_of
from clinica_gado.runs.end import (
    SOME_FAILED,
    exit_code_of,
    now,
    write_ends,
    write_provenance,
    write_results,
)
from clinica_gado.runs.options import RemovalRunOptions
from clinica_gado.runs.start import check_start, sort_out, warn_of_low_space
from clinica_gado.validation.settings import ValidationSettings
from clinica_gado.words import counted

logger = logging.getLogger(__name__)


def run_from_options(**options: Any) -> int:
    """Run with the options of the command line; return the exit code."""
    return exit_code_of(lambda: run(*read_options(options)))


def run(settings: RemovalSettings, options: RemovalRunOptions) -> int:
    """Treat every visit of a dataset that has a contrast-enhanced T1w; return the exit code.

    Raises
    ------
    ClinicaException
        Nothing could start: one line that says why.
    """
    # Imported late: nipype takes seconds, and a wrong option should be told at once.
    from clinica_gado.pipelines.t1_gado_removal.pipeline import T1GadoRemoval
    from clinica_gado.validation.tables import write_tables

    share_threads(options.n_procs)
    check_start(settings, options)
    bundle = predictor_of(settings).bundle
    validation = options.validation(settings)
    selection = select(
        settings.bids,
        visits_tsv=options.visits_tsv,
        input_filter=parse_filter(options.input_filter),
        contrast_tsv=options.contrast_tsv,
        pairs_tsv=options.pairs_tsv,
    )
    # Absolute: the processes that treat the visits have other current folders.
    settings = replace(settings, model=str(bundle.folder.resolve()))
    decided, waiting = sort_out(
        selection.jobs, partial(known_outcome, settings=settings, model_sha256=bundle.sha256)
    )
    pipeline = T1GadoRemoval(
        settings,
        waiting,
        base_dir=options.working_directory,
        caps_name=options.caps_name or dataset_name(settings.caps),
    )
    folder = qc_folder(settings.caps, PIPELINE)
    write_tsv(folder / "selection.tsv", selection.table)
    warn_of_low_space(settings.caps, len(waiting))
    started, described = now(), options.describe()
    n_before = sum(outcome.status == ALREADY_DONE for outcome in decided)
    logger.info("%s to treat, %d done before.", counted(len(waiting), "visit"), n_before)
    outcomes = [*decided, *pipeline.run_all(options.n_procs)]
    outcomes = _validate(selection.jobs, outcomes, validation, options)
    write_provenance(folder, settings, described, bundle, started)
    if not selection.jobs:
        logger.warning(
            "No contrast-enhanced T1w was found; %s says why for each T1w.",
            folder / "selection.tsv",
        )
    code = write_ends(folder, outcomes, selection.problems)
    tables = partial(write_tables, settings.caps, folder, options.quality_tsv)
    written = write_results(settings.caps, PIPELINE, tables)
    return code if written else SOME_FAILED


def _validate(
    jobs: Sequence[Job],
    outcomes: Sequence[Outcome],
    settings: ValidationSettings,
    options: RemovalRunOptions,
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
    options: RemovalRunOptions,
) -> list[Outcome]:
    """Validate what was synthesised; a visit that cannot be validated is done all the same."""
    from clinica_gado.pipelines.t1_gado_removal.validation import validate_all
    from clinica_gado.pipelines.visit_chain import INTERRUPTED

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
