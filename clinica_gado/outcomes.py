"""What became of each visit: told apart from the others, gathered into tables."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd

from clinica_gado.bids import IDS, Problem, Visit
from clinica_gado.errors import GadoError, OutputError
from clinica_gado.files import write_json, write_tsv
from clinica_gado.words import first_few

logger = logging.getLogger(__name__)

DONE, ALREADY_DONE, FAILED = "done", "already done", "failed"
NOT_VALIDATED = "not validated: "
"""Begins the doubt about an image that its validation could not judge."""
MAX_DIFFERENCES = 3
"""Named of those between a result and what is asked for now; the rest is counted."""
MAX_CHARACTERS = 24
"""Of a value; the checksum of a template is longer."""
_ABSENT = "not stated"


class Treated(Protocol):
    """What a job of either pipeline tells of itself: its visit, and the image that names it."""

    @property
    def visit(self) -> Visit:
        """The visit."""

    @property
    def source(self) -> Path:
        """The image that outputs are named after."""


class Outcome(NamedTuple):
    """The end of one visit: `status` is done, already done or failed; `reason` says why it failed.

    `flags` are doubts about a result that was written all the same.
    """

    visit: Visit
    filename: str
    status: str
    reason: str = ""
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        details = "; ".join(filter(None, (self.reason, *self.flags)))
        return f"{self.visit}: {self.status}" + (f" ({details})" if details else "")


def attempt(job: Treated, step: Callable[[], tuple[str, ...]]) -> Outcome:
    """Run a step of a visit; whatever it raises becomes that visit's outcome and no other's."""
    try:
        flags = step()
    except Exception as error:
        logger.debug("%s", traceback.format_exc())
        return failure(job, error)
    return Outcome(job.visit, job.source.name, DONE, "", tuple(flags))


def failure(job: Treated, error: Exception) -> Outcome:
    """Return the outcome of a visit that an error ended, in one line."""
    if isinstance(error, GadoError):
        reason = str(error)
    elif isinstance(error, MemoryError):
        reason = "ran out of memory; use a smaller --n_procs or a machine with more."
    else:
        reason = f"unexpected {type(error).__name__}: {_one_line(error)}; please report it."
    return Outcome(job.visit, job.source.name, FAILED, reason)


def check_same_request(image: Path, sidecar: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Check that a result was made of what is asked for now, by its sidecar.

    Raises
    ------
    OutputError
        It was made of something else, or by other settings.
    """
    differing = _differences({key: sidecar.get(key) for key in request}, request)
    if differing:
        named = first_few(differing, MAX_DIFFERENCES, "; ")
        raise OutputError(
            f"{image} was made with other settings ({named}); "
            "add --overwrite_outputs to replace it, or use another CAPS folder."
        )


def _differences(was: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> list[str]:
    """Return in words what differs between two requests, settings with both their values.

    Checksums are of no use to a reader, and would tell apart the like failures of many visits.
    """
    found = []
    for key in dict.fromkeys((*now, *was)):
        before, after = was.get(key, _ABSENT), now.get(key, _ABSENT)
        name = f"{within} {key}" if within else key
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += _differences(before, after, "" if name == "Parameters" else name)
        elif "Sha256" in name or isinstance(before, Mapping) or isinstance(after, Mapping):
            found.append(f"other {name}")
        else:
            found.append(f"{name} was {_short(before)}, is {_short(after)}")
    return found


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:12]}…"


def is_unvalidated(flags: Iterable[str]) -> bool:
    """Tell whether a visit's doubts say that its validation failed."""
    return any(flag.startswith(NOT_VALIDATED) for flag in flags)


def with_validation(outcome: Outcome, validated: Outcome | None) -> Outcome:
    """Add to the end of a visit what its validation found: what fails there is a doubt."""
    if validated is None:
        return outcome
    failed = [f"{NOT_VALIDATED}{validated.reason}"] if validated.status == FAILED else []
    return outcome._replace(flags=(*outcome.flags, *validated.flags, *failed))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def save_outcome(outcome: Outcome, folder: Path) -> None:
    """Leave an outcome for the process that gathers them."""
    write_json(_outcome_path(folder, outcome.visit), outcome._asdict())


def read_outcome(folder: Path, visit: Visit) -> Outcome | None:
    """Return the outcome left for a visit, or None when its process never came to its end."""
    path = _outcome_path(folder, visit)
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return Outcome(
        Visit(*content["visit"]),
        content["filename"],
        content["status"],
        content["reason"],
        tuple(content["flags"]),
    )


def _outcome_path(folder: Path, visit: Visit) -> Path:
    return folder / f"{visit.participant_id}_{visit.session_id}.json"


def write_failures(path: Path, outcomes: Iterable[Outcome], problems: Iterable[Problem]) -> int:
    """Write failures.tsv, headed even when empty; return the number of failures."""
    rows = [(*p.visit, p.filename, p.reason) for p in problems]
    rows += [(*o.visit, o.filename, o.reason) for o in outcomes if o.status == FAILED]
    columns = [*IDS, "filename", "reason"]
    write_tsv(path, pd.DataFrame(sorted(rows), columns=columns))
    return len(rows)


def write_images(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write images.tsv: every image treated, doubtful rows first."""
    order = sorted(outcomes, key=lambda o: (o.status != FAILED, not o.flags, o.visit))
    rows = [(*o.visit, o.filename, o.status, "; ".join(o.flags)) for o in order]
    columns = [*IDS, "filename", "status", "flags"]
    write_tsv(path, pd.DataFrame(rows, columns=columns))
