"""Files that appear whole or not at all, tables and checksums."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.errors import OutputError, SelectionError

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT_DIGITS = 8
"""Of numbers in tables: more than any measure has, fewer than the noise of floating point."""
_CHUNK_BYTES = 1 << 20


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its name once the block ends without error.

    The temporary name is hidden (leading dot) and keeps the extension of `path`, because nibabel
    and others choose the format by it. Nothing is left behind when the block raises.

    Raises
    ------
    OutputError
        The folder cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
            partial = Path(folder) / path.name
            yield partial
            _flush(partial)
            partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}. Check permissions and free space."
        ) from error


def _flush(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written below a folder."""
    for leftover in folder.rglob(".partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON, atomically."""
    with atomic_path(path) as partial:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as TSV with `n/a` for missing values (the BIDS convention), atomically."""
    with atomic_path(path) as partial:
        table.to_csv(
            partial,
            sep="\t",
            index=False,
            na_rep="n/a",
            lineterminator="\n",
            float_format=f"%.{SIGNIFICANT_DIGITS}g",
        )


def read_table(path: Path, required: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a user's TSV as text, `n/a` and blanks as missing, and check its columns.

    Raises
    ------
    SelectionError
        The file cannot be read as a table, or a required column is absent.
    """
    import pandas as pd

    try:
        table = pd.read_csv(
            path, sep="\t", dtype=str, na_values=["n/a", ""], keep_default_na=False, index_col=False
        )
    except (OSError, ValueError) as error:
        raise SelectionError(f"Cannot read {path} as a tab-separated table: {error}") from error
    missing = [name for name in required if name not in table.columns]
    if missing:
        with_all = f" with {', '.join(required)}" if len(missing) < len(required) else ""
        raise SelectionError(
            f"{path} has no column {', '.join(missing)}; "
            f"it must be a table separated by tabs{with_all}."
        )
    return table
