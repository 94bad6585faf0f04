"""What prepared files were made of: of other images, or in another way, they are made anew."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from clinica_gado.words import counted

logger = logging.getLogger(__name__)

ORIGIN = "origin"
"""Name under which a prepared file keeps its `origin_of`."""


def origin_of(images: Iterable[Path | None], *how: object) -> str:
    """Return a checksum of images, by name, size and time of change, and of how they are prepared.

    Parameters
    ----------
    how : what decides the preparation beside the images; its text counts.
    """
    content = [[_stamp(path) for path in images if path is not None], [str(part) for part in how]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _stamp(path: Path) -> list[str | int]:
    whole = path.resolve()
    if not whole.is_file():
        return [path.name]  # reading it will say so in words
    status = whole.stat()
    return [path.name, status.st_size, status.st_mtime_ns]


def outdated(origins: Mapping[Path, str]) -> set[Path]:
    """Return the prepared files, by their `origin_of`, that are missing or of another origin."""
    missing = {path for path in origins if not path.is_file()}
    kept = {path: _kept_origin(path) for path in origins if path not in missing}
    unknown = {path for path, origin in kept.items() if origin is None}
    others = {path for path, origin in kept.items() if origin not in (None, origins[path])}
    for path in sorted(others):
        logger.info("%s is of other images or another preprocessing: it is made anew.", path)
    if unknown:
        logger.warning(
            "%s made anew, such as %s: what they were made of is not said, as by earlier versions.",
            *(counted(len(unknown), "prepared file"), min(unknown)),
        )
    return missing | others | unknown


def _kept_origin(path: Path) -> str | None:
    """Return the origin that a file names; None where it names none, or cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return str(arrays[ORIGIN]) if ORIGIN in arrays.files else None
    except (OSError, ValueError, BadZipFile):
        return None
