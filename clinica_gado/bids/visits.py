"""Visits of a BIDS dataset: from its folders, or from the user's table."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from clinica_gado.errors import SelectionError
from clinica_gado.files import read_table
from clinica_gado.words import counted

logger = logging.getLogger(__name__)

_LABEL = re.compile(r"(sub|ses)-[^/\\\0]+")

SESSION_OF_CROSS_SECTIONAL = "ses-M000"
"""Session under which Clinica writes a visit whose raw path has no `ses-`."""


class Visit(NamedTuple):
    """One participant on one date."""

    participant_id: str
    session_id: str

    def __str__(self) -> str:
        return f"{self.participant_id} {self.session_id}"


IDS = list(Visit._fields)
"""Columns that name a visit, in every table."""


class Problem(NamedTuple):
    """Something that keeps one visit or image from being treated; a line of failures.tsv."""

    visit: Visit
    filename: str
    reason: str


@dataclass(frozen=True)
class VisitFolder:
    """A visit and the folder of its raw images, which has no `ses-` when cross-sectional."""

    visit: Visit
    path: Path
    cross_sectional: bool


@dataclass(frozen=True)
class VisitListing:
    """Visits found, in order of their ids, and those that cannot be treated."""

    folders: tuple[VisitFolder, ...]
    problems: tuple[Problem, ...] = ()

    def only(self, keep: Callable[[Visit], bool]) -> VisitListing:
        """Return the part of the listing whose visits `keep` says yes to."""
        return VisitListing(
            tuple(folder for folder in self.folders if keep(folder.visit)),
            tuple(problem for problem in self.problems if keep(problem.visit)),
        )


class TableRow(NamedTuple):
    """One line of a user's table: where it stands, its visit, its cells (empty when missing)."""

    place: str
    visit: Visit
    cells: dict[str, str]


def list_visits(bids: Path, tsv: Path | None = None) -> VisitListing:
    """List the visits of a dataset, or those of a TSV in the format of Clinica's `-tsv` option.

    A visit that the TSV names and the dataset lacks becomes a problem, not an error.

    Raises
    ------
    SelectionError
        The folder is no BIDS dataset, or the TSV names no visit at all.
    """
    check_dataset(bids)
    return _from_folders(bids) if tsv is None else _from_table(bids, tsv)


def check_dataset(bids: Path) -> None:
    """Check that the folder holds at least one `sub-` folder; warn without a description.

    Raises
    ------
    SelectionError
        The folder is absent, unreadable, or holds no participant.
    """
    if not bids.is_dir():
        raise SelectionError(f"The BIDS folder {bids} does not exist or is not a folder.")
    try:
        entries = (entry for entry in list_entries(bids) if entry.name.startswith("sub-"))
        found = any(_is_there(Path(entry.path)) for entry in entries)
    except OSError as error:
        raise SelectionError(f"Cannot read the BIDS folder {bids}: {error.strerror}.") from error
    if not found:
        raise SelectionError(f"No sub-* folder in {bids}: give the root of a BIDS dataset.")
    if not (bids / "dataset_description.json").is_file():
        logger.warning("%s has no dataset_description.json, which BIDS requires.", bids)


def list_entries(folder: Path) -> tuple[os.DirEntry[str], ...]:
    """List the visible entries of a folder by name."""
    with os.scandir(folder) as entries:
        return tuple(sorted((e for e in entries if e.name[0] != "."), key=lambda e: e.name))


def find_visit(bids: Path, visit: Visit) -> VisitFolder | None:
    """Return the raw folder of a visit, or None when the dataset does not have it."""
    if not all(map(_LABEL.fullmatch, visit)):
        return None
    participant = bids / visit.participant_id
    if _is_there(session := participant / visit.session_id):
        return VisitFolder(visit, session, cross_sectional=False)
    if visit.session_id == SESSION_OF_CROSS_SECTIONAL and _is_there(participant / "anat"):
        return VisitFolder(visit, participant, cross_sectional=True)
    return None


def read_visit_table(path: Path, required: tuple[str, ...]) -> tuple[list[TableRow], list[str]]:
    """Read a user's table keyed by visit; a missing `session_id` stands for no session.

    Returns
    -------
    rows, errors
        Its lines, and what is wrong with those that could not be used.

    Raises
    ------
    SelectionError
        The file cannot be read as a table, or a column is absent.
    """
    table = read_table(path, (*IDS, *required)).fillna("")
    rows, errors = [], []
    for number, record in enumerate(table.to_dict("records"), start=1):
        cells = {str(column): str(cell).strip() for column, cell in record.items()}
        place = f"{path.name}, row {number}"
        if not cells["participant_id"].startswith("sub-"):
            errors.append(f"{place}: participant_id must be sub-…, not {cells['participant_id']!r}")
        elif cells["session_id"] and not cells["session_id"].startswith("ses-"):
            errors.append(f"{place}: session_id must be ses-… or n/a, not {cells['session_id']!r}")
        else:
            session = cells["session_id"] or SESSION_OF_CROSS_SECTIONAL
            rows.append(TableRow(place, Visit(cells["participant_id"], session), cells))
    return rows, errors


def list_in_words(what: str, errors: list[str]) -> str:
    """Join several errors into one message, one line each."""
    if len(errors) == 1:
        return f"{what}: {errors[0]}."
    return "\n".join([f"{what}: {len(errors)} problems.", *(f"- {error}." for error in errors)])


def _from_table(bids: Path, tsv: Path) -> VisitListing:
    rows, errors = read_visit_table(tsv, ())
    if errors:
        raise SelectionError(list_in_words("Cannot use the table of visits", errors))
    asked = dict.fromkeys(row.visit for row in rows)
    if len(asked) < len(rows):
        n_again = len(rows) - len(asked)
        logger.info("%s names %s more than once.", tsv, counted(n_again, "visit"))
    found = {visit: find_visit(bids, visit) for visit in sorted(asked)}
    folders = tuple(folder for folder in found.values() if folder is not None)
    if not folders:
        raise SelectionError(f"{tsv} lists {counted(len(asked), 'visit')}, none of them in {bids}.")
    reason = f"listed in {tsv.name} but not in the BIDS dataset"
    absent = (visit for visit, folder in found.items() if folder is None)
    return VisitListing(folders, tuple(Problem(visit, "", reason) for visit in absent))


def _from_folders(bids: Path) -> VisitListing:
    folders: list[VisitFolder] = []
    problems: list[Problem] = []
    for entry in list_entries(bids):
        if not entry.name.startswith("sub-"):
            continue
        try:
            found = list(_visits_of(Path(entry.path))) if entry.is_dir() else []
        except OSError as error:
            visit = Visit(entry.name, SESSION_OF_CROSS_SECTIONAL)
            problems.append(Problem(visit, "", f"cannot read its folder: {error.strerror}"))
            continue
        kept, clash = _without_clash(found)
        folders += kept
        problems += clash
    return VisitListing(tuple(folders), tuple(problems))


def _visits_of(participant: Path) -> Iterator[VisitFolder]:
    for entry in list_entries(participant):
        if entry.name == "anat" and entry.is_dir():
            visit = Visit(participant.name, SESSION_OF_CROSS_SECTIONAL)
            yield VisitFolder(visit, participant, cross_sectional=True)
        elif entry.name.startswith("ses-") and entry.is_dir():
            yield VisitFolder(Visit(participant.name, entry.name), Path(entry.path), False)


def _without_clash(found: list[VisitFolder]) -> tuple[list[VisitFolder], list[Problem]]:
    """Drop images without session where a real `ses-M000` would be written to the same place."""
    sessions = {folder.visit for folder in found if not folder.cross_sectional}
    clash = [folder for folder in found if folder.cross_sectional and folder.visit in sessions]
    reason = f"anat/ without session is left out: it would mix with {SESSION_OF_CROSS_SECTIONAL}/"
    problems = [Problem(folder.visit, "", reason) for folder in clash]
    return [folder for folder in found if folder not in clash], problems


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:  # no permission, or a name too long for the file system
        return False
