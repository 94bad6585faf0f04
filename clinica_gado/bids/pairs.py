"""The user's table of pairs (`--pairs-tsv`): in which session the reference of a visit lies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from clinica_gado.bids.visits import TableRow, Visit, find_visit, read_visit_table
from clinica_gado.errors import SelectionError


@dataclass(frozen=True)
class Pair:
    """One line of the table: the visit whose image is compared, and where its reference lies."""

    place: str
    visit: Visit
    reference_visit: Visit
    reference_filename: str = ""


@dataclass
class PairsTable:
    """Pairs by visit; what is wrong with the table gathers in `errors`."""

    pairs: dict[Visit, Pair] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def read_pairs_table(path: Path | None, bids: Path) -> PairsTable:
    """Read the table, keeping for later what is wrong with it; without a path, an empty one."""
    table = PairsTable()
    if path is None:
        return table
    try:
        rows, table.errors = read_visit_table(path, ("reference_session_id",))
    except SelectionError as error:
        return PairsTable(errors=[str(error).rstrip(".")])
    for row in rows:
        pair = _pair_of(row)
        if (known := table.pairs.setdefault(pair.visit, pair)) is not pair:
            table.errors += _disagreement(known, pair)
    table.errors += _absent(table.pairs.values(), bids)
    return table


def _pair_of(row: TableRow) -> Pair:
    reference = Visit(row.visit.participant_id, row.cells["reference_session_id"])
    return Pair(row.place, row.visit, reference, row.cells.get("reference_filename", ""))


def _disagreement(known: Pair, pair: Pair) -> list[str]:
    if (known.reference_visit, known.reference_filename) == (
        pair.reference_visit,
        pair.reference_filename,
    ):
        return []
    return [f"{pair.place}: {pair.visit} already has another reference ({known.place})"]


def _absent(pairs: Iterable[Pair], bids: Path) -> list[str]:
    errors = []
    for pair in pairs:
        if not pair.reference_visit.session_id:
            errors.append(f"{pair.place}: {pair.visit} has no reference_session_id")
            continue
        for visit in dict.fromkeys((pair.visit, pair.reference_visit)):
            if find_visit(bids, visit) is None:
                errors.append(f"{pair.place}: {visit} is not in the BIDS dataset")
    return errors
