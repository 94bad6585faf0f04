"""The user's table of contrast (`--contrast-tsv`): which image has contrast and which has not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from clinica_gado.bids.contrast import Contrast, Evidence, Source, contrast_of_word
from clinica_gado.bids.entities import same_label
from clinica_gado.bids.images import BidsImage, stem_of
from clinica_gado.bids.visits import TableRow, Visit, read_visit_table
from clinica_gado.errors import SelectionError


class ContrastTable:
    """Lines of the table by visit; what is wrong with them gathers in `errors`."""

    def __init__(self, rows: Sequence[TableRow] = (), errors: Sequence[str] = ()) -> None:
        self.errors = list(errors)
        self._rows: dict[Visit, list[TableRow]] = defaultdict(list)
        for row in rows:
            if contrast_of_word(row.cells["contrast"]) is None:
                word = row.cells["contrast"]
                self.errors.append(
                    f"{row.place}: contrast must be ce, nce or unknown, not {word!r}"
                )
            else:
                self._rows[row.visit].append(row)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """Visits that the table names."""
        return tuple(self._rows)

    def statements(self, visit: Visit, images: Sequence[BidsImage]) -> dict[str, Evidence]:
        """Return what the table says of the images of a visit, by their `filename`."""
        stated: dict[str, Evidence] = {}
        if not images:  # a line about a visit without T1w changes nothing
            return stated
        for row in self._rows.get(visit, ()):
            named = [image for image in images if _names(row, image)]
            if len({stem_of(image.filename) for image in named}) != 1:
                self.errors.append(_not_one(row, named))
            for image in named:
                self._add(stated, image.filename, row)
        return stated

    def _add(self, stated: dict[str, Evidence], filename: str, row: TableRow) -> None:
        contrast = contrast_of_word(row.cells["contrast"]) or Contrast.UNKNOWN
        detail = f"{row.place} says {contrast.value}"
        known = stated.setdefault(filename, Evidence(contrast, Source.CONTRAST_TSV, detail))
        if known.contrast is not contrast:
            self.errors.append(f"{row.place}: contradicts an earlier row about {filename}")


def read_contrast_table(path: Path | None) -> ContrastTable:
    """Read the table, keeping for later what is wrong with it; without a path, an empty one."""
    if path is None:
        return ContrastTable()
    try:
        return ContrastTable(*read_visit_table(path, ("contrast",)))
    except SelectionError as error:
        return ContrastTable(errors=[str(error).rstrip(".")])


def _names(row: TableRow, image: BidsImage) -> bool:
    """Tell whether a line is about an image; without filename, path or run, it is about all."""
    cells = row.cells
    text = cells.get("filename") or cells.get("path") or ""
    if text and not is_named(image, text):
        return False
    run = cells.get("run", "").removeprefix("run-")
    return not run or same_label("run", run, image.name.get("run"))


def is_named(image: BidsImage, text: str) -> bool:
    """Tell whether a user's text names the image: base name, path in the BIDS, or full path."""
    wanted = stem_of(text.replace("\\", "/"))
    known = (image.filename, image.path.name, image.path.as_posix())
    return any(wanted == stem_of(name) for name in known)


def _not_one(row: TableRow, named: Sequence[BidsImage]) -> str:
    if not named:
        return f"{row.place}: {row.visit} has no such T1w"
    names = ", ".join(image.path.name for image in named)
    return f"{row.place}: {row.visit} has several T1w, say which in a column filename ({names})"
