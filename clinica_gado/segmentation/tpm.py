"""SPM's tissue probability map (TPM.nii): which file, is it one, and unzipped for SPM."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib

from clinica_gado.errors import SegmentationError
from clinica_gado.preprocessing.images import load_image

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "SPM_TPM"
N_TISSUES = 6
_CHUNK_BYTES = 1 << 20


def locate_tpm(spm_folder: Path, wanted: Path | None = None) -> Path:
    """Return the map to use: the one asked for, else that of `SPM_TPM`, else that of SPM.

    Raises
    ------
    SegmentationError
        There is no such file, or it is no map of six tissues.
    """
    if wanted is not None:
        return _checked(wanted, "asked for by the option")
    if os.environ.get(VARIABLE):
        return _checked(Path(os.environ[VARIABLE]), f"named by the variable {VARIABLE}")
    path = spm_folder / "tpm" / "TPM.nii"
    if not path.is_file():
        raise SegmentationError(
            f"SPM has no tissue probability map in {path.parent}; name another by the variable "
            f"{VARIABLE} or by --tpm, or copy TPM.nii of an SPM installation there."
        )
    return _checked(path, "of SPM")


def _checked(path: Path, source: str) -> Path:
    if not path.is_file():
        raise SegmentationError(f"The tissue probability map {path}, {source}, does not exist.")
    try:
        shape = load_image(path).shape
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise SegmentationError(
            f"The tissue probability map {path}, {source}, cannot be read ({error})."
        ) from error
    if len(shape) != 4 or shape[3] != N_TISSUES:
        raise SegmentationError(
            f"{path}, {source}, is no tissue probability map of SPM: {N_TISSUES} volumes are "
            f"expected, its shape is {shape}."
        )
    return path


def tpm_sha256(path: Path) -> str:
    """Return the SHA-256 of the map unzipped, so that TPM.nii and TPM.nii.gz are one."""
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def unzip_tpm(path: Path, folder: Path) -> Path:
    """Put the map into a folder under a name that SPM can take, and return its path."""
    unzipped = folder / "TPM.nii"
    with unzipped.open("wb") as stream:
        for chunk in _chunks(path):
            stream.write(chunk)
    return unzipped


def _chunks(path: Path) -> Iterator[bytes]:
    import gzip

    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk
