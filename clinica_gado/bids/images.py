"""Images of a visit, with the metadata that apply to each (BIDS inheritance principle)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from clinica_gado.bids.entities import BidsName, BidsNameError, parse_name, split_name
from clinica_gado.bids.visits import Visit, VisitFolder, list_entries

_NIFTI = (".nii", ".nii.gz")
_EXTENSION = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_FOLDERS_IN_CACHE = 8


@dataclass(frozen=True)
class BidsImage:
    """An image file; `filename` is its POSIX path relative to the BIDS dataset.

    `present` is false for a link to a file that is not there (an annex not downloaded, say).
    """

    path: Path
    filename: str
    visit: Visit
    name: BidsName
    present: bool = True


@dataclass(frozen=True)
class Unusable:
    """A file that looks like an image of a sequence and cannot be one, with the reason in words."""

    filename: str
    visit: Visit
    reason: str


@dataclass(frozen=True)
class Metadata:
    """Merged sidecar fields of an image, and what could not be read."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sidecar:
    """A JSON file, which applies to every image that carries all its entities and its suffix."""

    path: Path
    name: BidsName

    def applies_to(self, image: BidsName) -> bool:
        """Tell whether the inheritance principle gives this file's fields to the image."""
        return (
            self.name.suffix == image.suffix
            and self.name.entities.items() <= image.entities.items()
        )

    @cached_property
    def metadata(self) -> Metadata:
        """Its fields, read once; none, with a note, when the file is corrupt."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError):
            return Metadata(notes=(f"{self.path.name} cannot be read as JSON and was ignored",))
        if not isinstance(content, dict):
            return Metadata(notes=(f"{self.path.name} is not a JSON object and was ignored",))
        return Metadata(content)


class DatasetReader:
    """Reads images and metadata of visits; each folder is listed once while it is in use."""

    def __init__(self, bids: Path) -> None:
        self._bids = bids
        self._entries = lru_cache(_FOLDERS_IN_CACHE)(list_entries)
        self._sidecars = lru_cache(_FOLDERS_IN_CACHE)(self._list_sidecars)
        self._inherited_by_all = self._list_sidecars(bids)

    def t1w_of(self, folder: VisitFolder) -> tuple[list[BidsImage], list[Unusable]]:
        """List the T1w in the `anat` folder of a visit; see `images_of`."""
        return self.images_of(folder, "anat", "T1w")

    def images_of(
        self, folder: VisitFolder, modality: str, suffix: str
    ) -> tuple[list[BidsImage], list[Unusable]]:
        """List the images of a suffix in a folder of a visit, and the files that only look so.

        Raises
        ------
        OSError
            The folder cannot be read.
        """
        images: list[BidsImage] = []
        unusable: list[Unusable] = []
        place, wanted = folder.path / modality, suffix.lower()
        for entry in self._entries(place) if place.is_dir() else ():
            if not entry.name.lower().endswith(_NIFTI) or wanted not in entry.name.lower():
                continue
            filename = place.relative_to(self._bids).joinpath(entry.name).as_posix()
            try:
                name = _checked_name(entry.name, folder)
            except BidsNameError as error:
                unusable.append(Unusable(filename, folder.visit, str(error)))
                continue
            if name.suffix.lower() == wanted:
                present = _is_file(entry)
                images.append(BidsImage(Path(entry.path), filename, folder.visit, name, present))
        return images, unusable

    def metadata_of(self, image: BidsImage) -> Metadata:
        """Merge the sidecars of an image: nearer folders, then more entities, take precedence."""
        fields: dict[str, Any] = {}
        notes: list[str] = []
        for sidecar in self._applicable(image):
            fields.update(sidecar.metadata.fields)
            notes += sidecar.metadata.notes
        return Metadata(fields, tuple(notes))

    def file_beside(self, image: BidsImage, extension: str) -> Path | None:
        """Return the nearest file of an extension that applies to an image, such as its `.bval`.

        Of several in one folder, the one that shares most entities.

        Raises
        ------
        OSError
            A folder cannot be read.
        """
        for folder in reversed(self._folders_of(image)):
            found = [s for s in self._list_files(folder, extension) if s.applies_to(image.name)]
            if found:
                return found[-1].path
        return None

    def _applicable(self, image: BidsImage) -> list[Sidecar]:
        found = [s for s in self._inherited_by_all if s.applies_to(image.name)]
        for folder in self._folders_of(image)[1:]:
            found += (s for s in self._sidecars(folder) if s.applies_to(image.name))
        others = self._images_beside(image)
        return [s for s in found if s.path.parent != image.path.parent or s.path.stem not in others]

    def _images_beside(self, image: BidsImage) -> set[str]:
        """Return the names, without extension, of the other images in the folder of an image.

        `sub-01_T1w.json` applies to `sub-01_acq-mprage_T1w.nii.gz`, but is of `sub-01_T1w.nii.gz`
        where there is one.
        """
        names = (entry.name for entry in self._entries(image.path.parent))
        images = {stem_of(name) for name in names if name.lower().endswith(_NIFTI)}
        return images - {stem_of(image.path.name)}

    def _folders_of(self, image: BidsImage) -> list[Path]:
        """Return the folders that hold an image, from the dataset to its own."""
        parts = Path(image.filename).parent.parts
        return [self._bids.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]

    def _list_sidecars(self, folder: Path) -> tuple[Sidecar, ...]:
        return self._list_files(folder, ".json")

    def _list_files(self, folder: Path, extension: str) -> tuple[Sidecar, ...]:
        found = []
        for entry in self._entries(folder):
            if not entry.name.endswith(extension):
                continue
            try:
                found.append(Sidecar(Path(entry.path), split_name(entry.name)))
            except BidsNameError:
                continue
        return tuple(sorted(found, key=lambda sidecar: len(sidecar.name.entities)))


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads in a circle, or to a place without permission
        return False


def stem_of(filename: str) -> str:
    """Return a file name or POSIX path without its extension: `.nii` and `.nii.gz` become one."""
    return _EXTENSION.sub("", filename)


def is_synthetic(image: BidsImage, metadata: Metadata) -> bool:
    """Tell whether the image was made by a network: its sidecar or its `desc-Synth…` says so."""
    flagged = str(metadata.fields.get("SyntheticImage", False)).lower() == "true"
    return flagged or (image.name.get("desc") or "").lower().startswith("synth")


def _checked_name(filename: str, folder: VisitFolder) -> BidsName:
    name = parse_name(filename)
    expected = folder.visit.participant_id, None if folder.cross_sectional else folder.path.name
    for entity, label in zip(("sub", "ses"), expected, strict=True):
        found = f"{entity}-{name.entities[entity]}" if entity in name.entities else None
        if found not in (label, None):
            place = label or "a folder without session"
            raise BidsNameError(f"the name says {found} but the file lies in {place}")
    return name
