"""What all runs on a CAPS dataset share: its ledger, its lock, and the tables of the whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clinica_gado.bids import IDS, Problem, Selection, Visit
from clinica_gado.caps import REMOVAL, qc_folder, visit_folder
from clinica_gado.errors import GadoError, OutputError
from clinica_gado.files import read_table, write_tsv
from clinica_gado.gado_removal import PIPELINE
from clinica_gado.outcomes import FAILED, write_failures, write_images
from clinica_gado.warehouse.claims import hold, list_claims
from clinica_gado.warehouse.ledger import Ledger
from clinica_gado.warehouse.records import WAITING, Record, participants, read_record, scan, waiting
from clinica_gado.warehouse.task import claims_folder

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

FLUSH_S = 10.0
LOCK = "ledger"


class State:
    """The state of a CAPS dataset as one run sees and changes it.

    Parameters
    ----------
    run : name of the run, under which it holds claims.
    """

    def __init__(self, caps: Path, run: str) -> None:
        self.caps, self.run = caps, run
        self.folder = qc_folder(caps, PIPELINE)
        self.ledger = Ledger(self.folder / "ledger.sqlite")
        self._kept: list[Record] = []
        self._warned = False
        self._flushed = time.monotonic()

    @contextmanager
    def locked(self, wait_s: float = float("inf")) -> Iterator[bool]:
        """Be the one writer of ledger and tables; give False when another run stayed it."""
        with hold(claims_folder(self.caps), LOCK, self.run, wait_s) as locked:
            yield locked

    def records(self) -> dict[Visit, Record]:
        """Return what is known of every visit: by the ledger or, without one, by CAPS.

        CAPS is asked too of those that wait by the ledger: a run that was killed did not tell it.
        """
        known = self.ledger.read()
        if not known:
            return {record.visit: record for record in scan(self.caps, {})}
        begun = participants(self.caps)
        for visit, record in known.items():
            if record.status == WAITING and visit.participant_id in begun:
                folder = visit_folder(self.caps, visit) / REMOVAL
                known[visit] = (read_record(folder, visit) if folder.is_dir() else None) or record
        return known

    def begin(self, selection: Selection, covers: Callable[[Visit], bool]) -> dict[Visit, Record]:
        """Put a run's choice of images into the tables and its visits into the ledger.

        Parameters
        ----------
        covers : tells whether the run looked at a visit; rows of the others stay.

        Returns
        -------
        What was known before.
        """
        with self.locked():
            known = self.records()
            merge_selection(self.folder / "selection.tsv", selection.table, covers)
            everything = [*known.values(), *map(waiting, selection.jobs)]
            self._write(lambda: self.ledger.write_new(everything))
        return known

    def keep(self, record: Record) -> None:
        """Take the end of a visit; it is in the ledger some seconds later."""
        self._kept.append(record)

    def flush(self, wait_s: float = 0.0, every_s: float = FLUSH_S) -> None:
        """Write what was kept, if it is time to and no other run is writing just then."""
        if not self._kept or time.monotonic() - self._flushed < every_s:
            return
        try:
            with self.locked(wait_s) as locked:
                if locked and self._write(lambda: self.ledger.write(self._kept)):
                    self._kept.clear()
        except OutputError as error:
            logger.debug("%s", error)
        self._flushed = time.monotonic()

    def refresh(self) -> list[Record]:
        """Bring the ledger up to CAPS, and return every record; the state is locked."""
        known = self.ledger.read()
        found = {record.visit: record for record in scan(self.caps, known)}
        for visit, filename in self._selected().items():
            if visit not in found:
                found[visit] = Record(*visit, filename, WAITING)
                # A failure that could not be written to CAPS is known by the ledger alone.
                before = known.get(visit)
                if before is not None and before.status == FAILED and not before.outcome_ns:
                    found[visit] = before
        records = [found[visit] for visit in sorted(found)]
        self._write(lambda: self.ledger.replace(records))
        return records

    def running(self) -> int:
        """Return how many visits are being treated now, by any run."""
        return sum(name.startswith("sub-") for name in list_claims(claims_folder(self.caps)))

    def _selected(self) -> dict[Visit, str]:
        """Return the inputs that selection.tsv names, by visit."""
        path = self.folder / "selection.tsv"
        if not path.is_file():
            return {}
        table = read_table(path, (*IDS, "filename", "role"))
        chosen = table[table["role"] == "source"]
        return {
            Visit(row.participant_id, row.session_id): Path(row.filename).name
            for row in chosen.itertuples()
        }

    def _write(self, write: Callable[[], None]) -> bool:
        """Write to the ledger; without it the run goes on, for CAPS holds the truth."""
        try:
            write()
        except OutputError as error:
            level = logging.DEBUG if self._warned else logging.WARNING
            logger.log(level, "%s The run goes on without it.", error)
            self._warned = True
            return False
        return True


def merge_selection(path: Path, table: pd.DataFrame, covers: Callable[[Visit], bool]) -> None:
    """Write selection.tsv of the whole: new rows, and old ones of visits not looked at now."""
    import pandas as pd

    new = table.assign(doubtful=table["doubtful"].map(str))
    merged = pd.concat([new, _others(path, covers, list(table.columns))], ignore_index=True)
    order = merged.assign(fine=merged["doubtful"] != "True")
    order = order.sort_values(["fine", *IDS, "filename"], kind="stable").index
    write_tsv(path, merged.loc[order])


def _others(path: Path, covers: Callable[[Visit], bool], columns: list[str]) -> pd.DataFrame:
    """Return the rows of a table whose visits `covers` says no to; none if it cannot be read."""
    import pandas as pd

    if not path.is_file():
        return pd.DataFrame(columns=columns)
    try:
        table = read_table(path, tuple(columns))[columns]
    except GadoError as error:
        logger.warning("%s It is written anew.", error)
        return pd.DataFrame(columns=columns)
    kept = [not covers(Visit(row[0], row[1])) for row in table[list(IDS)].to_numpy()]
    return table[pd.Series(kept, table.index, dtype=bool)]


def write_run_tables(
    state: State,
    records: Iterable[Record],
    problems: Iterable[Problem],
    covers: Callable[[Visit], bool],
) -> None:
    """Write images.tsv and failures.tsv of the whole dataset.

    Problems of visits that this run did not look at are taken over from the last failures.tsv.
    """
    path = state.folder / "failures.tsv"
    treated = [record for record in records if record.status != WAITING]
    known = {record.visit for record in treated}
    before = _others(path, covers, [*IDS, "filename", "reason"]).fillna("")
    kept = [
        Problem(Visit(row.participant_id, row.session_id), row.filename, row.reason)
        for row in before.itertuples()
        # A problem that names no image is of the folder: the visit's image may be treated.
        if not row.filename or Visit(row.participant_id, row.session_id) not in known
    ]
    outcomes = [record.outcome for record in treated]
    write_images(state.folder / "images.tsv", outcomes)
    write_failures(path, outcomes, [*problems, *kept])


def coverage(
    selection: Selection, listed: bool, holds: Callable[[Visit], bool]
) -> Callable[[Visit], bool]:
    """Return what tells whether a run looked at a visit.

    Parameters
    ----------
    listed : the run took the visits of a table; else all that `holds` says yes to.
    """
    if not listed:
        return holds
    visits = {decision.visit for decision in selection.decisions}
    visits |= {problem.visit for problem in selection.problems}
    return visits.__contains__
