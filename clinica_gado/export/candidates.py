"""The T1w without contrast of a visit in CAPS: the real one if there is one, else the synthetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinica_gado.bids import CAPS_ORDER, BidsName, Contrast, Visit, format_name, parse_name
from clinica_gado.caps import RESOLUTION, SPACE, read_sidecar, sidecar_of, visit_folder
from clinica_gado.errors import OutputError
from clinica_gado.files import read_table
from clinica_gado.gado_removal import flags_in

REAL, SYNTHETIC = "real", "synthetic"
_ON_GRID = ("space", "desc", "res")


@dataclass(frozen=True)
class Candidate:
    """An image on the grid of Clinica's `desc-Crop`, and what is known of it.

    Attributes
    ----------
    whole : Clinica's own image before the crop, where there is one.
    """

    visit: Visit
    origin: str
    image: Path
    sidecar: Mapping[str, Any]
    flags: tuple[str, ...] = ()
    whole: Path | None = None

    @property
    def exported_name(self) -> str:
        """Name of Clinica's t1-linear for it; `ce-` of the source is gone, as the contrast is."""
        name = parse_name(self.image.name).entities
        kept = {key: value for key, value in name.items() if key not in ("ce", *_ON_GRID)}
        session = self.visit.session_id.removeprefix("ses-")
        entities = {**kept, "ses": session, "space": SPACE, "desc": "Crop", "res": RESOLUTION}
        return format_name(BidsName(entities, "T1w", ".nii.gz"), CAPS_ORDER)


def find_candidate(caps: Path, visit: Visit, contrasts: Mapping[str, str]) -> Candidate | None:
    """Return what stands for a visit without contrast; None when CAPS has nothing of it.

    Parameters
    ----------
    contrasts : state of raw T1w by the stem of their file names, from `selection.tsv`.

    Raises
    ------
    OutputError
        There are several of one kind, and nothing says which one counts.
    """
    folder = visit_folder(caps, visit)
    finders = (_reference, _clinica, _synthetic)
    found = (find(folder, visit, contrasts) for find in finders)
    return next((candidate for candidate in found if candidate is not None), None)


def contrasts_of(selection: Path) -> dict[str, str]:
    """Read the state of each raw T1w from `selection.tsv`, by stem; nothing without the file."""
    if not selection.is_file():
        return {}
    table = read_table(selection, ("filename", "contrast"))
    names = (Path(str(name)).name.split(".")[0] for name in table["filename"])
    return dict(zip(names, table["contrast"].astype(str), strict=True))


def _reference(folder: Path, visit: Visit, _: Mapping[str, str]) -> Candidate | None:
    """Find the real image aligned by the validation; one of another session is not this visit's."""
    pattern = f"*_space-{SPACE}_desc-Reference_res-{RESOLUTION}_T1w.nii.gz"
    found = _complete(folder / "t1_gado_removal" / "preprocessing", pattern)
    session = visit.session_id.removeprefix("ses-")
    own = {p: s for p, s in found.items() if parse_name(p.name).get("ses") == session}
    image = _only(list(own), visit)
    if image is None:
        return None
    return Candidate(visit, REAL, image, own[image], flags_in(own[image]))


def _clinica(folder: Path, visit: Visit, contrasts: Mapping[str, str]) -> Candidate | None:
    """Find the image of Clinica's t1-linear of a raw T1w that is known to have no contrast."""
    pattern = f"*_space-{SPACE}_desc-Crop_res-{RESOLUTION}_T1w.nii.gz"
    images = sorted((folder / "t1_linear").glob(pattern))
    plain = Contrast.NON_ENHANCED.value
    image = _only([p for p in images if _state(p, contrasts) == plain], visit)
    if image is None:
        return None
    whole = image.with_name(image.name.replace("_desc-Crop", ""))
    return Candidate(visit, REAL, image, {}, (), whole if whole.is_file() else None)


def _synthetic(folder: Path, visit: Visit, _: Mapping[str, str]) -> Candidate | None:
    pattern = f"*_space-{SPACE}_desc-SynthNCE_res-{RESOLUTION}_T1w.nii.gz"
    found = _complete(folder / "t1_gado_removal", pattern)
    image = _only(list(found), visit)
    if image is None:
        return None
    stem = image.name.removesuffix("_T1w.nii.gz")
    measured = read_sidecar(image.with_name(f"{stem}_measures.json")) or {}
    flags = (*flags_in(found[image]), *measured.get("Flags", ()))
    return Candidate(visit, SYNTHETIC, image, found[image], flags)


def _complete(folder: Path, pattern: str) -> dict[Path, Mapping[str, Any]]:
    """Return images with their sidecars, which are written last: without, one is half-made."""
    pairs = ((path, read_sidecar(sidecar_of(path))) for path in sorted(folder.glob(pattern)))
    return {path: sidecar for path, sidecar in pairs if sidecar is not None}


def _only(images: list[Path], visit: Visit) -> Path | None:
    if len(images) > 1:
        names = ", ".join(image.name for image in images)
        raise OutputError(f"{visit} has several images ({names}); remove those that are outdated.")
    return images[0] if images else None


def _state(image: Path, contrasts: Mapping[str, str]) -> str | None:
    name = parse_name(image.name)
    source = {key: value for key, value in name.entities.items() if key not in _ON_GRID}
    without_session = {key: value for key, value in source.items() if key != "ses"}
    for entities in (source, without_session):
        stem = format_name(BidsName(entities, "T1w", ""), CAPS_ORDER)
        if stem in contrasts:
            return contrasts[stem]
    return None
