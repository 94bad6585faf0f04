"""How far a warehouse is: done, failed and why, waiting."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clinica_gado.errors import OutputError
from clinica_gado.outcomes import DONE, FAILED
from clinica_gado.warehouse.records import WAITING, Record
from clinica_gado.warehouse.state import State

# Folders may have spaces: up to the name of a file where there is one.
_PATH = re.compile(
    r"(?<![\w.])(~?/[^:;,)]*?\.(?:nii(?:\.gz)?|json|tsv)\b|~?/[^\s:;,)]+|sub-[\w.-]+)"
)
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Status:
    """Counts of visits.

    Attributes
    ----------
    reasons : of failures, without what differs from visit to visit, with how many have each.
    """

    done: int
    doubtful: int
    failed: int
    waiting: int
    running: int
    reasons: tuple[tuple[str, int], ...]


def read_status(caps: Path, *, rebuild: bool = False) -> Status:
    """Return how far a dataset is.

    Parameters
    ----------
    rebuild : make the ledger anew from CAPS first.

    Raises
    ------
    OutputError
        No run has been there.
    """
    state = State(caps, "status")
    if not state.folder.is_dir():
        raise OutputError(f"{state.folder} is not there: run clinica-gado harmonize first.")
    if rebuild:
        with state.locked():
            state.ledger.path.unlink(missing_ok=True)
            records = state.refresh()
    else:
        records = list(state.records().values())
    return _count(records, state.running())


def _count(records: Iterable[Record], running: int) -> Status:
    of = Counter[str]()
    reasons = Counter[str]()
    doubtful = 0
    for record in records:
        of[record.status] += 1
        doubtful += record.status == DONE and bool(record.flags)
        if record.status == FAILED:
            reasons[generalise(record.reason)] += 1
    common = tuple(reasons.most_common())
    return Status(of[DONE], doubtful, of[FAILED], of[WAITING], running, common)


def generalise(reason: str) -> str:
    """Take out of a reason what is of one visit alone: paths, names of files, numbers."""
    return _NUMBER.sub("N", _PATH.sub("…", reason))


def in_words(status: Status) -> str:
    """Return a status as lines for the terminal."""
    lines = [
        f"done     {status.done:>7}"
        + (f"  {status.doubtful} of them doubtful, see images.tsv" if status.doubtful else ""),
        f"failed   {status.failed:>7}",
        *(f"{number:>18}  {reason}" for reason, number in status.reasons),
        f"waiting  {status.waiting:>7}",
        f"running  {status.running:>7}"
        + ("  counted above as what they were before" if status.running else ""),
    ]
    return "\n".join(lines)
