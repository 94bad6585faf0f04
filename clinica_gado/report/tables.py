"""The tables of a run as the report takes them: whatever is there, and words for the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.bids import IDS, Visit
from clinica_gado.errors import GadoError
from clinica_gado.files import read_table

if TYPE_CHECKING:
    import pandas as pd

TABLES = (
    "images", "failures", "selection", "volumes", "similarity", "contrast", "differences",
    "left_out", "tests", "agreement", "paired_tests",
)  # fmt: skip
PRINTED = ("table1", "table2")
"""Tables in the form of the paper, shown as their Markdown has them."""
TEXT_COLUMNS = frozenset((
    *IDS, "filename", "status", "flags", "reason", "detail", "image",
    "engine", "tissue", "test_set", "note", "contrast", "evidence", "input", "role", "reference",
    "doubtful", "desc", "family", "measure",
))  # fmt: skip
"""Never numbers, even where a cell looks like one."""

Row = dict[str, Any]


class RunTables:
    """What a run left in `gado_qc/<pipeline>`, read once.

    Attributes
    ----------
    rows : of each table by its name, as mappings from column to text, number or None; no table,
        no rows.
    notes : in words, what could not be read.
    printed : caption and rows of the tables in the form of the paper; empty when there is none.
    provenance : content of provenance.json, empty when there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self.rows: dict[str, list[Row]] = {name: self._read(name) for name in TABLES}
        self.printed = {name: self._read_printed(name) for name in PRINTED}
        self.provenance: Mapping[str, Any] = self._read_provenance()

    def of_visits(self, name: str) -> dict[Visit, list[Row]]:
        """Return the rows of a table by visit."""
        found: dict[Visit, list[Row]] = {}
        for row in self.rows[name]:
            found.setdefault(visit_of(row), []).append(row)
        return found

    def layouts(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """Yield the pictures of planes with their layouts, in the order of their names."""
        for path in sorted((self.folder / "figures").glob("*_planes.json")):
            picture = path.with_suffix(".webp")
            layout = _read_json(path)
            if layout is None or not picture.is_file():
                self.notes.append(f"The pictures of {path.stem} cannot be read.")
                continue
            yield picture, layout

    def _read(self, name: str) -> list[Row]:
        path = self.folder / f"{name}.tsv"
        if not path.is_file():
            return []
        try:
            table = read_table(
                path, tuple(IDS) if name in ("images", "failures", "volumes") else ()
            )
        except GadoError as error:
            self.notes.append(str(error))
            return []
        return rows_of(table)

    def _read_printed(self, name: str) -> dict[str, Any]:
        path = self.folder / f"{name}.md"
        try:
            return parse_markdown(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (OSError, ValueError):
            self.notes.append(f"{path.name} cannot be read.")
            return {}

    def _read_provenance(self) -> Mapping[str, Any]:
        path = self.folder / "provenance.json"
        content = _read_json(path)
        if content is None and path.exists():
            self.notes.append(f"{path.name} cannot be read.")
        return content or {}


def rows_of(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table of text, numbers as numbers and missing values as None."""
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(key): _value(str(key), text) for key, text in row.items()} for row in records]


def parse_markdown(text: str) -> dict[str, Any]:
    """Return `caption` and `rows` of a text that holds one table.

    Raises
    ------
    ValueError
        A row has more or fewer cells than the heading.
    """
    lines = [_UNESCAPED.sub(r"\1", line.replace(r"\|", "¦")) for line in text.splitlines()]
    table = [_cells(line) for line in lines if _is_row(line)]
    caption = " ".join(line for line in lines if line and not _is_row(line)).replace("¦", "|")
    if len(table) < 3:
        return {}
    head, _, *body = table
    return {"caption": caption, "rows": [dict(zip(head, row, strict=True)) for row in body]}


_UNESCAPED = re.compile(r"\\([_*`~<>#\[\]])")


def _is_row(line: str) -> bool:
    return line.startswith("|")


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("¦", "|") for cell in line.strip()[1:-1].split("|")]


def visit_of(row: Mapping[str, Any]) -> Visit:
    """Return the visit of a row; missing ids are empty."""
    return Visit(str(row.get("participant_id") or ""), str(row.get("session_id") or ""))


def _value(column: str, text: str | None) -> str | float | None:
    if text is None or column in TEXT_COLUMNS:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    # JSON knows no infinity, and a number that is none belongs to no mean.
    return number if abs(number) < float("inf") else None


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
