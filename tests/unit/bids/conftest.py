"""A BIDS dataset of empty files, made as each test needs it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Dataset:
    """A dataset under construction."""

    root: Path

    def add(self, *names: str, **fields: Any) -> None:
        """Create T1w (or other) files by name, with a sidecar beside each when it has fields."""
        for name in names:
            path = self.folder_of(name) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            if fields:
                self.write(path.with_name(name.split(".")[0] + ".json"), json.dumps(fields))

    def folder_of(self, name: str) -> Path:
        """Return the `anat` folder that the name itself asks for."""
        folders = [part for part in name.split("_") if part.startswith(("sub-", "ses-"))]
        return self.root.joinpath(*folders, "anat")

    def write(self, name: str | Path, text: str) -> Path:
        """Write a file of the dataset."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Start a dataset that holds its description only."""
    made = Dataset(tmp_path / "bids")
    made.write("dataset_description.json", '{"Name": "test", "BIDSVersion": "1.10.0"}')
    return made


@pytest.fixture
def tsv(tmp_path: Path) -> Any:
    """Write a table given as lines of words separated by spaces."""

    def write(*lines: str, name: str = "table.tsv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join("\t".join(line.split()) for line in lines) + "\n")
        return path

    return write
