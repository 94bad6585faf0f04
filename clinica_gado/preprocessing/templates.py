"""The registration templates: which one fits an image, and whether its file is the one shipped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np

from clinica_gado.errors import ResourceError
from clinica_gado.files import sha256_of
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES, MNI_GRID, Grid
from clinica_gado.preprocessing.images import Volume, load_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHA256 = {
    "template_head_T1w.nii.gz": "ce423f7b39511e794a3c0eccec5874d68d1e95143949206eda8ca982018a2e56",
    "template_brain_T1w.nii.gz": "32a3a292576f039bfd103dc10ee01427a6e339095bf895190bc999df0e2f3824",
}
"""Built by `clinica_gado/resources/build_templates.py`."""

CONSTANT_BACKGROUND_FRACTION = 0.3
"""Skull-stripping leaves at least this share of the field of view at one value."""
BRAIN_ONLY_MAX_CM3 = 2300.0
"""As acquired. Brains with their CSF have 1090 to 1750 cm³ (17 real pairs, 20 label maps) and the
largest some 2100; heads, the air around them at one value, 2500 and more."""
BRAIN_ONLY_MAX_BORDER = 0.8
"""As acquired: area at the border of the field of view, of the largest slice along that axis.
Brains alone have at most .11 (17 real ones), .59 to .79 where the upper 30 mm are missing; slabs of
a head, of their volume, .83 to .88."""
BRAIN_ONLY_MAX_OUTSIDE = 0.25
"""On the template's grid: share of the foreground outside the template's brain. Brains alone have
.04 to .12 of it there (17 real pairs), heads .49 to .68; sizes say less, as heads are enlarged."""


@dataclass(frozen=True)
class Template:
    """A T1w template on `MNI_GRID`.

    Attributes
    ----------
    name : `head`, `brain`, or the path of the user's file.
    """

    name: str
    volume: Volume
    sha256: str


def load_template(name: str) -> Template:
    """Load a shipped template, `head` or `brain`, after checking its checksum.

    Raises
    ------
    ResourceError
        The file is missing or is not the one shipped.
    """
    filename = f"template_{name}_T1w.nii.gz"
    path = Path(str(files("clinica_gado.resources") / filename))
    if not path.is_file() or sha256_of(path) != SHA256[filename]:
        raise ResourceError(f"{path} is missing or altered; reinstall clinica-gado.")
    return Template(name, _read_on_grid(path), SHA256[filename])


@lru_cache(maxsize=1)
def template_brain() -> NDArray[np.bool_]:
    """Return the brain of the shipped template on `CROP_GRID`, (169, 208, 179)."""
    return load_template("brain").volume.data[CROP_SLICES] > 0


def load_user_template(path: Path) -> Template:
    """Load the user's template, for instance Clinica's own MNI152NLin2009cSym file.

    Raises
    ------
    ResourceError
        The file cannot be read, or is not on the grid of MNI152NLin2009cSym.
    """
    if not path.is_file():
        raise ResourceError(f"The template {path} does not exist; check --template.")
    return Template(str(path), _read_on_grid(path), sha256_of(path))


def _read_on_grid(path: Path) -> Volume:
    try:
        image = load_image(path)
        data = np.squeeze(np.asarray(image.dataobj, dtype=np.float32))
    except (OSError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise ResourceError(f"The template {path} cannot be read ({error}).") from error
    if data.shape != MNI_GRID.shape or not np.allclose(image.affine, MNI_GRID.affine, atol=1e-3):
        raise ResourceError(
            f"The template {path} is not on the 1 mm grid of MNI152NLin2009cSym: "
            f"{MNI_GRID.shape} voxels with origin {MNI_GRID.origin} are expected."
        )
    return Volume(data, MNI_GRID.affine)


def is_brain_only(volume: Volume) -> bool:
    """Tell a skull-stripped image: constant around, and no larger than a brain.

    On the template's grid, cropped or not, the template's brain is the measure; as acquired it is
    the volume. Against a whole-head template a brain is inflated until it fills the skull, so the
    template must fit the image.
    """
    foreground = volume.data != most_frequent_value(volume.data)
    if 1.0 - foreground.mean() < CONSTANT_BACKGROUND_FRACTION:
        return False
    if _is_on(CROP_GRID, volume):
        return _share_outside(foreground) <= BRAIN_ONLY_MAX_OUTSIDE
    if _is_on(MNI_GRID, volume):
        return _share_outside(foreground[CROP_SLICES]) <= BRAIN_ONLY_MAX_OUTSIDE
    volume_cm3 = float(foreground.sum()) * float(np.prod(volume.spacing)) / 1000.0
    return volume_cm3 <= BRAIN_ONLY_MAX_CM3 and not _is_cut_off(foreground)


def _is_cut_off(foreground: NDArray[np.bool_]) -> bool:
    """Tell whether a foreground goes on beyond the field of view, as a slab of a head does."""
    for axis in range(3):
        areas = foreground.sum(axis=tuple({0, 1, 2} - {axis}))
        if max(areas[0], areas[-1]) > BRAIN_ONLY_MAX_BORDER * areas.max():
            return True
    return False


def _is_on(grid: Grid, volume: Volume) -> bool:
    same_shape = volume.data.shape == grid.shape
    return same_shape and bool(np.allclose(volume.affine, grid.affine, atol=1e-3))


def _share_outside(foreground: NDArray[np.bool_]) -> float:
    """Return the share of a foreground on `CROP_GRID` outside the template's brain."""
    n_voxels = int(foreground.sum())
    return float((foreground & ~template_brain()).sum()) / n_voxels if n_voxels else 1.0


def most_frequent_value(data: NDArray[np.float32]) -> float:
    """Return the value of the background, if it is constant."""
    values, counts = np.unique(data[::2, ::2, ::2], return_counts=True)
    return float(values[counts.argmax()])
