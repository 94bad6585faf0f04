"""What a run leaves at its end: tables, provenance, report, and its exit code."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica.utils.exceptions import ClinicaException

from clinica_gado.bids import Problem
from clinica_gado.console import show_messages
from clinica_gado.files import write_json
from clinica_gado.outcomes import ALREADY_DONE, DONE, Outcome, write_failures, write_images
from clinica_gado.provenance import generated_by
from clinica_gado.settings import SynthesisSettings

if TYPE_CHECKING:
    from clinica_gado.models.bundle import Bundle

logger = logging.getLogger(__name__)

ALL_DONE, SOME_FAILED, NOTHING_STARTED = 0, 1, 2
"""Exit codes."""


def write_provenance(
    folder: Path,
    settings: SynthesisSettings,
    options: Mapping[str, Any],
    bundle: Bundle,
    started: str,
) -> None:
    """Write what decided a run: model, settings, checksums of the user's tables, versions.

    Parameters
    ----------
    options : `RunOptions.describe` when the run began; the user's tables may have changed since.
    """
    content = {
        "Pipeline": settings.pipeline,
        "Started": started,
        "Ended": now(),
        "Model": {"Id": bundle.card.id, "Sha256": bundle.sha256},
        "Settings": settings.describe(),
        **options,
        "GeneratedBy": generated_by(),
    }
    write_json(folder / "provenance.json", content)


def exit_code_of(run: Callable[[], int]) -> int:
    """Do a run with its messages on the terminal; where nothing could start, say why in a line."""
    show_messages()
    try:
        return run()
    except ClinicaException as error:
        logger.error("%s", error)
        return NOTHING_STARTED


def now() -> str:
    """Return the time as provenance states it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def write_ends(folder: Path, outcomes: Sequence[Outcome], problems: Iterable[Problem]) -> int:
    """Write images.tsv and failures.tsv, say in a line how the run ended; return its exit code."""
    write_images(folder / "images.tsv", outcomes)
    n_failures = write_failures(folder / "failures.tsv", outcomes, problems)
    n_done = sum(outcome.status in (DONE, ALREADY_DONE) for outcome in outcomes)
    n_flagged = sum(bool(outcome.flags) for outcome in outcomes)
    logger.info("%d done, %d of them doubtful, %d failed.", n_done, n_flagged, n_failures)
    logger.info("Tables and pictures are in %s", folder)
    return SOME_FAILED if n_failures else ALL_DONE


def write_results(
    caps: Path, pipeline: str, write_tables: Callable[[], object], *, with_report: bool = True
) -> bool:
    """Write the tables of the validation and the report; what fails here costs no image."""
    from clinica_gado.report.build import write_report

    try:
        write_tables()
        if with_report:
            logger.info("The report is %s", write_report(caps, pipeline))
    except Exception as error:
        logger.debug("%s", traceback.format_exc())
        logger.error(
            "The tables of the validation or the report were not written (%s). The images are "
            "there; `clinica-gado report %s --pipeline %s`, or the same run again, writes them.",
            *(error, caps, pipeline),
        )
        return False
    return True
