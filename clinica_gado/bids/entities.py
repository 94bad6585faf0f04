"""File names of BIDS: read into entities tolerantly, written in one fixed order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from clinica_gado.errors import SelectionError

_BEFORE_UNKNOWN = (
    *("sub", "ses", "sample", "task", "tracksys", "acq", "nuc", "voi", "ce", "trc", "stain"),
    *("rec", "dir", "run", "mod", "echo", "flip", "inv", "mt", "part", "proc", "hemi"),
)
_AFTER_UNKNOWN = ("space", "split", "recording", "chunk", "seg", "res", "den", "label", "desc")

BIDS_ORDER = (*_BEFORE_UNKNOWN, "*", *_AFTER_UNKNOWN)
"""Order of the BIDS specification; `*` is where entities unknown to it go."""

CAPS_ORDER = (*_BEFORE_UNKNOWN, "*", "space", "split", "recording", "chunk", "desc", "res", "label")
"""Order of the names that Clinica writes (`space-…_desc-…_res-…`)."""

_SUFFIX = re.compile(r"[A-Za-z0-9]+")
_ENTITY = re.compile(r"([A-Za-z0-9]+)-([^/\\\s]+)")


class BidsNameError(SelectionError):
    """A file name does not follow BIDS."""


@dataclass(frozen=True)
class BidsName:
    """A file name as its entities (in the order read), suffix and extension (`.nii.gz`)."""

    entities: Mapping[str, str] = field(hash=False)
    suffix: str
    extension: str

    def get(self, entity: str) -> str | None:
        """Return the label of an entity, or None when the name does not carry it."""
        return self.entities.get(entity)

    def with_entities(self, **labels: str | None) -> BidsName:
        """Return a copy with entities set to other labels, or removed where the label is None."""
        merged = {**self.entities, **labels}
        kept = {entity: label for entity, label in merged.items() if label is not None}
        return replace(self, entities=kept)

    def __str__(self) -> str:
        return format_name(self)


def parse_name(filename: str) -> BidsName:
    """Read a file name such as `sub-01_ses-M000_ce-gadolinium_run-01_T1w.nii.gz`.

    Unknown entities, any order of entities and names without `ses-` are accepted.

    Raises
    ------
    BidsNameError
        The name has no `sub-`, no suffix, an entity twice, or a part that is no entity.
    """
    name = split_name(filename)
    if "sub" not in name.entities:
        raise BidsNameError(f"{filename!r} is no BIDS name: it has no sub- entity.")
    return name


def split_name(filename: str) -> BidsName:
    """Read a file name as `parse_name` does, `sub-` not required (inherited sidecars have none).

    Raises
    ------
    BidsNameError
        It has no suffix, a part that is no entity, or an entity twice.
    """
    *parts, last = filename.split("_")
    suffix, dot, extension = last.partition(".")
    if not _SUFFIX.fullmatch(suffix):
        raise BidsNameError(
            f"{filename!r} is no BIDS name: it must end with a suffix such as _T1w, not {suffix!r}."
        )
    entities: dict[str, str] = {}
    for part in parts:
        entity, label = _split_entity(part, filename)
        if entity in entities:
            raise BidsNameError(f"{filename!r} is no BIDS name: it has {entity}- twice.")
        entities[entity] = label
    return BidsName(entities, suffix, dot + extension)


def _split_entity(part: str, filename: str) -> tuple[str, str]:
    match = _ENTITY.fullmatch(part)
    if match is None:
        raise BidsNameError(f"{filename!r} is no BIDS name: {part!r} is not an entity-label pair.")
    return match.group(1), match.group(2)


def format_name(name: BidsName, order: tuple[str, ...] = BIDS_ORDER) -> str:
    """Write the file name with its entities in `order`, unknown ones as they came, at its `*`."""
    unknown = order.index("*")
    ranks = {entity: rank for rank, entity in enumerate(order)}
    entities = sorted(name.entities, key=lambda entity: ranks.get(entity, unknown))
    parts = [f"{entity}-{name.entities[entity]}" for entity in entities]
    return "_".join([*parts, name.suffix]) + name.extension


def run_key(name: BidsName) -> tuple[int, int, str]:
    """Return a key that sorts runs by number: none, run-1 = run-01, run-2, run-10, then words."""
    run = name.get("run") or "0"
    return (0, int(run), "") if run.isdecimal() else (1, 0, run)


def same_label(entity: str, first: str | None, second: str | None) -> bool:
    """Tell whether two labels of an entity are equal; runs are numbers (`1` equals `01`)."""
    if entity == "run" and first and second and first.isdecimal() and second.isdecimal():
        return int(first) == int(second)
    return first == second
