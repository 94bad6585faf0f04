"""What is looked at before the first visit: dataset, folders, room, and what is done already."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from clinica.dataset import check_bids_dataset
from clinica.utils.exceptions import ClinicaException

from clinica_gado.caps import MEGABYTES_PER_VISIT, read_sidecar
from clinica_gado.errors import OutputError, SelectionError
from clinica_gado.outcomes import FAILED, Outcome, Treated
from clinica_gado.preprocessing.t1_linear import describe_options
from clinica_gado.runs.options import RunOptions
from clinica_gado.settings import SynthesisSettings

logger = logging.getLogger(__name__)

AnyJob = TypeVar("AnyJob", bound=Treated)


def check_start(settings: SynthesisSettings, options: RunOptions) -> None:
    """Find what would make every visit fail, before the first long step.

    Raises
    ------
    GadoError
        One line that says what. Nothing was written: a BIDS dataset given as CAPS stays as it is.
    """
    _check_is_no_bids(settings.caps, settings.bids)
    if settings.linear.route == "clinica":
        from clinica_gado.preprocessing.ants_programs import check_programs

        check_programs()
    describe_options(settings.linear)  # reads the user's template
    options.check_tables()
    try:
        check_bids_dataset(settings.bids)
    except (ClinicaException, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SelectionError(f"Clinica does not take {settings.bids}: {reason}") from error
    _check_writable(settings.caps, "CAPS folder")
    if options.working_directory is not None:
        _check_writable(options.working_directory, "working directory")


def _check_is_no_bids(caps: Path, bids: Path) -> None:
    """Refuse to write results into a dataset of raw images, whose description would be replaced."""
    description = read_sidecar(caps / "dataset_description.json") or {}
    is_raw = description.get("DatasetType") == "raw" or next(caps.glob("sub-*"), None) is not None
    if is_raw or caps.resolve() == bids.resolve():
        raise OutputError(
            f"{caps} is a BIDS dataset; give another folder, such as a new one, for the results."
        )


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
    jobs: Sequence[AnyJob], known_outcome: Callable[[AnyJob], Outcome | None]
) -> tuple[list[Outcome], list[AnyJob]]:
    """Return the outcomes known already (done before, or in conflict) and the jobs left to do.

    Parameters
    ----------
    known_outcome : returns the end of a visit that needs no work, else None.
    """
    decided: list[Outcome] = []
    waiting: list[AnyJob] = []
    for job in jobs:
        outcome = known_outcome(job)
        if outcome is None:
            waiting.append(job)
            continue
        decided.append(outcome)
        if outcome.status == FAILED:
            logger.error("%s", outcome)
    return decided, waiting


def warn_of_low_space(caps: Path, n_visits: int, megabytes_each: int = MEGABYTES_PER_VISIT) -> None:
    """Say it before the first visit where the disk of CAPS may not hold the results of all."""
    needed, free = n_visits * megabytes_each, shutil.disk_usage(caps).free // 2**20
    if needed > free:
        logger.warning(
            "%d MB may be needed in %s and %d MB are free; visits that find no room will fail.",
            *(needed, caps, free),
        )
