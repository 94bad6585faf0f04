"""Lesion labels of a BIDS dataset (`derivatives/lesions`), brought to the template grid."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from scipy import ndimage

from clinica_gado.caps import removal_paths
from clinica_gado.errors import GadoError, InputImageError, RegistrationError
from clinica_gado.files import atomic_path, sha256_of
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, load_image, read_volume
from clinica_gado.preprocessing.linear import estimate_transform, read_itk_affine
from clinica_gado.preprocessing.t1_linear import is_affine_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.bids import Job, Visit

logger = logging.getLogger(__name__)

FOLDER = Path("derivatives") / "lesions"
ENHANCING = (3, 4)
"""Labels of enhancing tumour in the BraTS challenges: 4, and 3 from 2023 on."""
LABEL_TOLERANCE = 0.01
"""How far from whole a stored label may be: the slopes of NIfTI are of single precision."""
REGISTRATION = "AffineFast"
"""Of an image to itself, where the quick one is enough."""


@dataclass(frozen=True)
class Lesions:
    """Where lesions are on the template grid, (X, Y, Z) each."""

    whole: NDArray[np.bool_]
    enhancing: NDArray[np.bool_]


@dataclass(frozen=True)
class LesionSource:
    """Where labels come from and which of them enhance.

    Attributes
    ----------
    folder : `sub-X/ses-Y/anat/*_dseg.nii.gz` below it, in the world of the contrast-enhanced T1w.
    caps : outputs of t1-gado-removal, whose affines are taken if they are there.
    enhancing : labels that enhance.
    """

    folder: Path
    caps: Path | None = None
    enhancing: tuple[int, ...] = ENHANCING


def find_lesions(
    jobs: Iterable[Job], files: Sequence[Path], source: LesionSource
) -> dict[Visit, Lesions]:
    """Return the lesions of each visit that has labels; made once, kept beside the pairs."""
    prepared = {path.stem: path for path in files}
    found = {}
    for job in jobs:
        labels = labels_of(job.visit, source.folder)
        pair = prepared.get(f"{job.visit.participant_id}_{job.visit.session_id}")
        if labels is None or pair is None:
            continue
        try:
            moved = _on_grid(job, labels, pair, source.caps)
        except GadoError as error:
            logger.warning("%s: lesions are left out: %s", job.visit, error)
            continue
        found[job.visit] = Lesions(moved > 0, np.isin(moved, source.enhancing))
    return found


def labels_of(visit: Visit, folder: Path, suffix: str = "dseg") -> Path | None:
    """Return the label map (or `mask`) of a visit, or None; of several the first by name."""
    anat = folder / visit.participant_id / visit.session_id / "anat"
    return next(iter(sorted(anat.glob(f"*_{suffix}.nii*"))), None)


def checksums_of_labels(folder: Path, suffix: str = "dseg") -> dict[str, str]:
    """Return the SHA-256 of every label map (or `mask`) that can be read, by its path below."""
    found = {}
    for path in sorted(folder.glob(f"sub-*/ses-*/anat/*_{suffix}.nii*")):
        with suppress(OSError):
            found[path.relative_to(folder).as_posix()] = sha256_of(path)
    return found


def _on_grid(job: Job, labels: Path, pair: Path, caps: Path | None) -> NDArray[np.int16]:
    """Return the labels on `CROP_GRID`, nearest neighbour, from the cache if they are there."""
    with np.load(pair, allow_pickle=False) as arrays:
        source = arrays["source"]
    key = hashlib.sha256(sha256_of(labels).encode() + source.tobytes()).hexdigest()[:16]
    kept = pair.parent / "lesions" / f"{pair.stem}_{key}.nii.gz"
    if not kept.is_file():
        moved = move_labels(labels, _affine(job, source, caps))
        with atomic_path(kept) as partial:
            nib.save(nib.Nifti1Image(moved, CROP_GRID.affine), partial)
    return np.asarray(load_image(kept).dataobj).astype(np.int16)


def _affine(job: Job, source: NDArray[np.float32], caps: Path | None) -> NDArray[np.float64]:
    """Return the matrix (4, 4) from the template to the source's own world, RAS mm.

    A prepared pair does not keep it. The source is found again in its prepared image, which is
    the same image, so that the registration can hardly err; it is checked all the same.
    """
    native, prepared = read_volume(job.source), Volume(source, CROP_GRID.affine)
    if caps is not None:
        affine = removal_paths(caps, job.source, job.visit).affine
        if affine.is_file() and is_affine_of(prepared, native, read_itk_affine(affine)):
            return read_itk_affine(affine)
    logger.info("%s: registering the labels of its lesions", job.visit)
    matrix = estimate_transform(native, prepared, REGISTRATION)
    if not is_affine_of(prepared, native, matrix):
        raise RegistrationError(
            f"{job.source.name} was not found again in its prepared image; remove the pair from "
            "the cache, or give --caps."
        )
    return matrix


def move_labels(path: Path, mni_to_native: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return a label map on `CROP_GRID`, nearest neighbour.

    Parameters
    ----------
    mni_to_native : world of the template to world of the labels, RAS mm, (4, 4).

    Raises
    ------
    InputImageError
        The file cannot be read.
    """
    labels, affine = read_label_map(path)
    return labels_on_grid(labels, affine, mni_to_native)


def read_label_map(path: Path) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Return the labels of a file, (X, Y, Z), and their voxel to world matrix, (4, 4).

    Raises
    ------
    InputImageError
        The file cannot be read, or has values that are not whole.
    """
    try:
        image = load_image(path)
        values = np.squeeze(np.asarray(image.dataobj))
    except (OSError, ValueError, EOFError, nib.filebasedimages.ImageFileError) as error:
        raise InputImageError(f"{path} cannot be read ({error}).") from error
    # A label that was stored with a slope comes back as 2.9999.
    labels = np.rint(values)
    if not np.abs(values - labels).max(initial=0.0) < LABEL_TOLERANCE:
        raise InputImageError(f"{path} is no label map: it has values that are not whole.")
    return labels.astype(np.int16), image.affine


def labels_on_grid(
    labels: NDArray[np.integer], affine: NDArray[np.float64], mni_to_native: NDArray[np.float64]
) -> NDArray[np.int16]:
    """Return labels, (X, Y, Z) with their voxel to world matrix, on `CROP_GRID`."""
    to_voxels = np.linalg.inv(affine) @ mni_to_native @ CROP_GRID.affine
    moved = ndimage.affine_transform(labels, to_voxels, output_shape=CROP_GRID.shape, order=0)
    return np.asarray(moved, dtype=np.int16)
