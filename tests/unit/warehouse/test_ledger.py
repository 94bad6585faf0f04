"""The ledger gives back what it was given, and can be lost."""

from __future__ import annotations

import sqlite3

import pytest

from clinica_gado.errors import OutputError
from clinica_gado.warehouse.ledger import Ledger
from clinica_gado.warehouse.records import Record


def record(number=1, status="done", **facts):
    return Record(f"sub-{number:02d}", "ses-M000", "a_T1w.nii.gz", status, **facts)


@pytest.fixture
def ledger(tmp_path):
    # Signs that mean something in an address of SQLite's.
    return Ledger(tmp_path / "a? b#%20" / "ledger.sqlite")


def test_records_come_back_as_they_were(ledger):
    kept = [record(1, reason="ä; 'x'", flags="a; b", result_ns=2**60), record(2, "failed")]
    ledger.write_new(kept)
    assert list(ledger.read().values()) == kept


def test_a_later_record_takes_the_place_of_an_earlier_one(ledger):
    ledger.write_new([record(1, "failed"), record(2)])
    ledger.write([record(1)])
    assert [r.status for r in ledger.read().values()] == ["done", "done"]


def test_what_is_known_is_not_made_waiting(ledger):
    ledger.write_new([record(1)])
    ledger.write_new([record(1, "waiting"), record(2, "waiting")])
    assert [r.status for r in ledger.read().values()] == ["done", "waiting"]


def test_replacing_leaves_nothing_else(ledger):
    ledger.write([record(1), record(2)])
    ledger.replace([record(3)])
    assert list(ledger.read().values()) == [record(3)]


def test_without_one_nothing_is_known(ledger):
    assert ledger.read() == {}


def test_a_damaged_one_is_made_again(ledger, caplog):
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(b"no database at all" * 100)
    assert ledger.read() == {}
    ledger.write_new([record(1), record(2)])
    assert list(ledger.read().values()) == [record(1), record(2)]
    assert "damaged" in caplog.text


def test_a_few_records_do_not_pass_for_a_damaged_whole(ledger):
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(b"no database at all" * 100)
    for _ in range(2):
        ledger.write([record(1)])
        assert not ledger.path.exists()


def test_one_of_other_columns_is_made_again(ledger):
    ledger.path.parent.mkdir()
    with sqlite3.connect(ledger.path) as database:
        database.execute("CREATE TABLE visits (something)")
    database.close()
    assert ledger.read() == {}
    ledger.write([record(1)])
    assert list(ledger.read().values()) == [record(1)]


def test_one_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        Ledger(tmp_path / "file" / "ledger.sqlite").write_new([record(1)])
