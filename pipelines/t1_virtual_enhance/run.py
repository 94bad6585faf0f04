"""A whole run of t1-virtual-enhance: choose, leave what is done, do the rest, write the tables."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.bids import InputRequest, parse_input_filters, select_inputs
from clinica_gado.caps import (
    MEGABYTES_PER_IMAGE,
    MEGABYTES_PER_VISIT,
    dataset_name,
    qc_folder,
)
from clinica_gado.files import write_tsv
from clinica_gado.machine import share_threads
from clinica_gado.outcomes import ALREADY_DONE
from clinica_gado.pipelines.t1_virtual_enhance.options import read_options
from clinica_gado.predictors import predictor_of
from clinica_gado.runs.end import (
    SOME_FAILED,
    exit_code_of,
    now,
    write_ends,
    write_provenance,
    write_results,
)
from clinica_gado.runs.options import EnhancementRunOptions
from clinica_gado.runs.start import check_start, sort_out, warn_of_low_space
from clinica_gado.validation.enhancement import known_end
from clinica_gado.virtual_enhancement import (
    PIPELINE,
    EnhancementSettings,
    request_of,
)
from clinica_gado.words import counted

if TYPE_CHECKING:
    from clinica_gado.models.bundle import Bundle

logger = logging.getLogger(__name__)


def run_from_options(**options: Any) -> int:
    """Run with the options of the command line; return the exit code."""
    return exit_code_of(lambda: run(*read_options(options)))


def run(settings: EnhancementSettings, options: EnhancementRunOptions) -> int:
    """Treat every visit of a dataset that has the images a model needs; return the exit code.

    Raises
    ------
    ClinicaException
        Nothing could start: one line that says why.
    """
    # Imported late: nipype takes seconds, and a wrong option should be told at once.
    from clinica_gado.pipelines.t1_virtual_enhance.pipeline import T1VirtualEnhance
    from clinica_gado.validation.tables import write_enhancement_tables

    share_threads(options.n_procs)
    check_start(settings, options)
    filters = parse_input_filters(options.input_filter)
    bundle = predictor_of(settings).bundle
    request = request_of(bundle.card, settings, filters, assume_plain=options.assume_plain)
    selection = select_inputs(
        settings.bids, request, visits_tsv=options.visits_tsv, contrast_tsv=options.contrast_tsv
    )
    settings = _settle(settings, options, bundle)
    decided, waiting = sort_out(
        selection.jobs, partial(known_end, settings=settings, model_sha256=bundle.sha256)
    )
    pipeline = T1VirtualEnhance(
        settings,
        waiting,
        base_dir=options.working_directory,
        caps_name=options.caps_name or dataset_name(settings.caps),
    )
    folder = qc_folder(settings.caps, PIPELINE)
    write_tsv(folder / "selection.tsv", selection.table)
    # The result, and every image that leads to it.
    megabytes = MEGABYTES_PER_VISIT + MEGABYTES_PER_IMAGE * len(request.names)
    warn_of_low_space(settings.caps, len(waiting), megabytes)
    _warn_of_repeats(settings)
    started, described = now(), options.describe()
    n_before = sum(outcome.status == ALREADY_DONE for outcome in decided)
    logger.info("%s to treat, %d done before.", counted(len(waiting), "visit"), n_before)
    outcomes = [*decided, *pipeline.run_all(options.n_procs)]
    write_provenance(folder, settings, described, bundle, started)
    if not selection.jobs:
        _tell_of_nothing(bundle.card.id, request, folder)
    code = write_ends(folder, outcomes, selection.problems)
    tables = partial(write_enhancement_tables, settings.caps, folder)
    written = write_results(settings.caps, PIPELINE, tables)
    return code if written else SOME_FAILED


def _settle(
    settings: EnhancementSettings, options: EnhancementRunOptions, bundle: Bundle
) -> EnhancementSettings:
    """Return the settings for the processes that treat the visits: nothing is left to look for."""
    validation = options.validation(settings)
    return replace(
        settings,
        model=str(bundle.folder.resolve()),  # absolute: they have other current folders
        segmentation=validation.segmentation,
        tpm=validation.tpm,
    )


def _tell_of_nothing(model: str, request: InputRequest, folder: Path) -> None:
    needed = sorted(request.kind_of(name) for name in request.required)
    logger.warning(
        "No visit has the images that %s needs (%s); %s says why for each image.",
        *(model, ", ".join(needed), folder / "selection.tsv"),
    )


def _warn_of_repeats(settings: EnhancementSettings) -> None:
    if settings.repeat > 1:
        logger.warning(
            "--repeat %d: nobody has shown what amplifying an amplified image is worth; noise and "
            "artefacts are amplified with the lesions.",
            settings.repeat,
        )
