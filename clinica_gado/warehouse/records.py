"""What CAPS says of each visit: the truth that the ledger is made from."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.bids import Job, Visit
from clinica_gado.caps import RemovalPaths, read_sidecar, removal_paths
from clinica_gado.errors import OutputError
from clinica_gado.files import write_json
from clinica_gado.gado_removal import flags_in
from clinica_gado.outcomes import ALREADY_DONE, DONE, FAILED, NOT_VALIDATED, Outcome

if TYPE_CHECKING:
    from clinica_gado.warehouse.visit import VisitSettings

logger = logging.getLogger(__name__)

WAITING = "waiting"
RESULT = "*_desc-SynthNCE_res-1x1x1_T1w.json"
OUTCOME = "*_outcome.json"


@dataclass(frozen=True)
class Record:
    """What became of a visit, in the columns of the ledger.

    Attributes
    ----------
    status : done, failed or waiting.
    flags : doubts, joined by "; ".
    request : checksum of what was asked for; empty when nothing tells.
    inputs : size and date of the images that were read.
    result_ns, outcome_ns : dates of the result's sidecar and of the outcome, 0 without; they tell
        that CAPS was changed since.
    """

    participant_id: str
    session_id: str
    filename: str
    status: str
    reason: str = ""
    flags: str = ""
    request: str = ""
    inputs: str = ""
    result_ns: int = 0
    outcome_ns: int = 0

    @property
    def visit(self) -> Visit:
        """The visit it is of."""
        return Visit(self.participant_id, self.session_id)

    @property
    def outcome(self) -> Outcome:
        """The same as an outcome, as the tables take it."""
        flags = tuple(filter(None, self.flags.split("; ")))
        return Outcome(self.visit, self.filename, self.status, self.reason, flags)


def waiting(job: Job) -> Record:
    """Return the record of a visit of which nothing is known yet."""
    return Record(*job.visit, job.source.name, WAITING)


def describe_inputs(job: Job) -> str:
    """Return name, size and date of the images of a job; empty if one cannot be looked at.

    Far cheaper than their checksums, which decide when these differ.
    """
    images = [job.source] if job.reference is None else [job.source, job.reference]
    try:
        found = [(path.name, path.stat()) for path in images]
    except OSError:
        return ""
    return " ".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in found)


def make_record(job: Job, settings: VisitSettings, outcome: Outcome) -> Record:
    """Return what became of a visit as a record, of what was asked and read."""
    return replace(
        waiting(job),
        status=DONE if outcome.status == ALREADY_DONE else outcome.status,
        reason=outcome.reason,
        flags="; ".join(outcome.flags),
        request=settings.request,
        inputs=describe_inputs(job),
    )


def save_record(job: Job, settings: VisitSettings, outcome: Outcome) -> Record:
    """Write what became of a visit beside its images, last of all, and return it.

    Raises
    ------
    OutputError
        The folder of the visit cannot be written.
    """
    paths = removal_paths(settings.removal.caps, job.source, job.visit)
    record = make_record(job, settings, outcome)
    content = {
        "Description": "What became of this visit, for clinica-gado harmonize and status",
        "Filename": record.filename,
        "Status": record.status,
        "Reason": record.reason,
        "Flags": list(outcome.flags),
        "Request": record.request,
        "Inputs": record.inputs,
    }
    if not _says(paths.outcome, content):
        write_json(paths.outcome, content)
    return _dated(record, paths)


def _says(path: Path, content: Mapping[str, Any]) -> bool:
    """Tell whether an outcome is there and newer than the result, so that it stands."""
    result = path.with_name(path.name.replace("_outcome.json", "_T1w.json"))
    return read_sidecar(path) == content and _date(path) >= _date(result)


def _dated(record: Record, paths: RemovalPaths) -> Record:
    return replace(record, result_ns=_date(paths.sidecar), outcome_ns=_date(paths.outcome))


def _date(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def is_current(record: Record, job: Job, settings: VisitSettings) -> bool:
    """Tell, without reading an image, whether a record says what CAPS and BIDS would.

    It does when it is of the same request and the same images by size and date, and CAPS was not
    changed since. A visit of which that cannot be told is looked at closely.
    """
    if record.status == WAITING or not record.request or record.request != settings.request:
        return False
    paths = removal_paths(settings.removal.caps, job.source, job.visit)
    if record != _dated(record, paths) or not record.inputs:
        return False
    made = [paths.image] if NOT_VALIDATED in record.flags else [paths.image, paths.measures]
    complete = record.result_ns > 0 and all(path.is_file() for path in made)
    return (complete or record.status == FAILED) and record.inputs == describe_inputs(job)


def scan(caps: Path, known: Mapping[Visit, Record]) -> Iterator[Record]:
    """Yield the record of each visit that CAPS holds something of.

    Parameters
    ----------
    known : records to yield as they are where CAPS has the dates that they name, or where the
        folder of a participant cannot be read.

    Raises
    ------
    OutputError
        The folder of the participants cannot be read.
    """
    for participant in _folders(caps / "subjects", "sub-"):
        try:
            sessions = _folders(participant, "ses-")
        except OutputError as error:
            logger.warning("%s Its visits count as they did before.", error)
            yield from (r for r in known.values() if r.participant_id == participant.name)
            continue
        for session in sessions:
            visit = Visit(participant.name, session.name)
            record = read_record(session / "t1_gado_removal", visit, known.get(visit))
            if record is not None:
                yield record


def participants(caps: Path) -> set[str]:
    """Return the participants that CAPS holds something of.

    Raises
    ------
    OutputError
        Their folder cannot be read.
    """
    return {folder.name for folder in _folders(caps / "subjects", "sub-")}


def _folders(parent: Path, prefix: str) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            return sorted(Path(e.path) for e in entries if e.name.startswith(prefix))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise OutputError(f"{parent} cannot be read ({error.strerror}).") from error


def read_record(folder: Path, visit: Visit, known: Record | None = None) -> Record | None:
    """Return what the folder of a visit says of it, or None when it says nothing yet."""
    results, outcomes = _newest(folder, RESULT), _newest(folder, OUTCOME)
    result_ns, outcome_ns = _date(results), _date(outcomes)
    if known is not None and (known.result_ns, known.outcome_ns) == (result_ns, outcome_ns):
        return known
    outcome = read_sidecar(outcomes) if outcome_ns >= result_ns else None
    record = _from_outcome(visit, outcome or {}, result_ns, outcome_ns)
    if record is not None:
        return record
    sidecar = read_sidecar(results)
    if sidecar is None or not results.with_name(f"{results.stem}.nii.gz").is_file():
        return None
    # Made by `clinica run`, or interrupted before its outcome: done, by settings to be looked at.
    filename = Path(str(sidecar.get("Sources", [""])[0])).name
    flags = "; ".join(flags_in(sidecar))
    record = Record(*visit, filename, DONE, flags=flags)
    return replace(record, result_ns=result_ns, outcome_ns=outcome_ns)


def _newest(folder: Path, pattern: str) -> Path:
    """Return the newest file of a pattern: another choice of inputs may have left two."""
    return max(folder.glob(pattern), key=_date, default=folder / "none")


def _from_outcome(
    visit: Visit, content: Mapping[str, Any], result_ns: int, outcome_ns: int
) -> Record | None:
    status = str(content.get("Status"))
    if status not in (DONE, FAILED) or (status == DONE and not result_ns):
        return None
    return Record(
        *visit,
        filename=str(content.get("Filename", "")),
        status=status,
        reason=str(content.get("Reason", "")),
        flags="; ".join(content.get("Flags", [])),
        request=str(content.get("Request", "")),
        inputs=str(content.get("Inputs", "")),
        result_ns=result_ns,
        outcome_ns=outcome_ns,
    )
