"""The ledger: records of a CAPS dataset in one SQLite file, quick to read, made again at will."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path

from clinica_gado.bids import Visit
from clinica_gado.errors import OutputError
from clinica_gado.warehouse.records import Record

logger = logging.getLogger(__name__)

VERSION = 1
"""Raised with every change of the columns: an older ledger is made again from CAPS."""
_COLUMNS = [field.name for field in fields(Record)]
_CREATE = (
    f"CREATE TABLE IF NOT EXISTS visits ({', '.join(_COLUMNS)}, "
    "PRIMARY KEY (participant_id, session_id))"
)
_INSERT = f"INTO visits VALUES ({', '.join('?' * len(_COLUMNS))})"
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM visits ORDER BY participant_id, session_id"


class Ledger:
    """Records by visit. Writers hold the claim of the dataset: there is one at a time.

    It is opened for each reading and writing and closed again, so that several machines see the
    same file over a network file system.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[Visit, Record]:
        """Return every record; none when there is no ledger that can be read."""
        if not self.path.is_file():
            return {}
        try:
            with self._open("?mode=ro") as database:
                if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                    return {}
                return {record.visit: record for record in _records(database)}
        except sqlite3.Error as error:
            logger.warning("%s cannot be read (%s); CAPS is read instead.", self.path, error)
            return {}

    def write(self, records: Iterable[Record]) -> None:
        """Put records in place of those of the same visits.

        A damaged ledger is removed, and one that is not there is not begun: a few records would
        pass for the whole, and without any CAPS is read.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        self._write(f"INSERT OR REPLACE {_INSERT}", records, whole=False)

    def write_new(self, records: Iterable[Record]) -> None:
        """Add records of visits that are not in it, the first of each; what it has stays.

        Parameters
        ----------
        records : all that are known, for a ledger that is damaged and made again.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        self._write(f"INSERT OR IGNORE {_INSERT}", records)

    def replace(self, records: Iterable[Record]) -> None:
        """Hold these records and no others.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        self._write(f"INSERT OR REPLACE {_INSERT}", records, first="DELETE FROM visits")

    def _write(
        self, statement: str, records: Iterable[Record], first: str = "", *, whole: bool = True
    ) -> None:
        if not whole and not self.path.is_file():
            return
        rows = list(map(astuple, records))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._run(statement, rows, first)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise  # no room or no permission: the file is as it was
                logger.warning("%s is damaged (%s) and is made again.", self.path, error)
                self.path.unlink(missing_ok=True)
                if whole:
                    self._run(statement, rows, first)
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"Cannot write {self.path}: {error}.") from error

    def _run(self, statement: str, rows: Sequence[tuple[object, ...]], first: str) -> None:
        with self._open() as database, database:
            if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                database.execute("DROP TABLE IF EXISTS visits")
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.execute(_CREATE)
            if first:
                database.execute(first)
            database.executemany(statement, rows)

    @contextmanager
    def _open(self, options: str = "") -> Iterator[sqlite3.Connection]:
        address = self.path.absolute().as_uri() + options
        database = sqlite3.connect(address, uri=True, timeout=60)
        try:
            yield database
        finally:
            database.close()


def _records(database: sqlite3.Connection) -> Iterator[Record]:
    return (Record(*row) for row in database.execute(_SELECT))
