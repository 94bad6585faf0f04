"""Files appear whole or not at all; tables are read as they are."""

from __future__ import annotations

import pandas as pd
import pytest

from clinica_gado.errors import OutputError, SelectionError
from clinica_gado.files import atomic_path, read_table, sha256_of, write_json, write_tsv


def test_a_file_appears_when_its_block_ends(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as partial:
        partial.write_text("x")
        assert not path.exists()
    assert path.read_text() == "x"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_and_fail():
        with atomic_path(path) as partial:
            partial.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_line(tmp_path):
    with (
        pytest.raises(OutputError, match=r"No space left.*free space"),
        atomic_path(tmp_path / "a.txt"),
    ):
        raise OSError(28, "No space left on device")


def test_the_checksum_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "a") == known


def test_a_missing_value_is_written_and_read_as_bids_does(tmp_path):
    write_tsv(tmp_path / "t.tsv", pd.DataFrame({"a": ["1", None], "b": ["x", "y"]}))
    assert (tmp_path / "t.tsv").read_text() == "a\tb\n1\tx\nn/a\ty\n"
    assert read_table(tmp_path / "t.tsv")["a"].isna().tolist() == [False, True]


def test_a_trailing_tab_does_not_shift_the_columns(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2\t\n")
    assert read_table(tmp_path / "t.tsv")["a"].tolist() == ["1"]


def test_a_missing_column_is_named(tmp_path):
    (tmp_path / "t.tsv").write_text("a\n1\n")
    with pytest.raises(SelectionError, match=r"no column b; .* with a, b\."):
        read_table(tmp_path / "t.tsv", required=("a", "b"))


def test_columns_that_are_all_missing_are_listed_once(tmp_path):
    (tmp_path / "t.tsv").write_text("c\n1\n")
    with pytest.raises(SelectionError, match=r"no column a, b; it must be a table") as error:
        read_table(tmp_path / "t.tsv", required=("a", "b"))
    assert str(error.value).count("a, b") == 1


def test_json_is_indented_and_keeps_letters(tmp_path):
    write_json(tmp_path / "a.json", {"ä": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "ä": 1\n}\n'
