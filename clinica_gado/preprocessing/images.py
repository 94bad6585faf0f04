"""Read images safely, and pass volumes between nibabel's and ANTs' conventions."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from clinica_gado.errors import InputImageError
from clinica_gado.files import atomic_path

if TYPE_CHECKING:
    import ants
    from numpy.typing import NDArray

MIN_VOXELS = 8
"""Fewer slices than this along an axis is a localiser, not a volume that can be registered."""
MAX_SHEAR = 1e-3
"""Largest cosine between two image axes; ITK keeps orthogonal axes only."""
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_READ_ERRORS = (
    *(OSError, EOFError, ValueError, TypeError, OverflowError, zlib.error),
    nib.filebasedimages.ImageFileError,
)


@dataclass(frozen=True)
class Volume:
    """A 3D image in memory.

    Attributes
    ----------
    data : float32, (X, Y, Z).
    affine : voxel to world matrix (RAS+, mm), (4, 4).
    """

    data: NDArray[np.float32]
    affine: NDArray[np.float64]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel sizes in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)


def load_image(path: Path) -> nib.spatialimages.SpatialImage:
    """Open an image that has voxels and an affine; nothing is checked, no voxel read yet."""
    image = nib.load(path)
    if not isinstance(image, nib.spatialimages.SpatialImage):
        raise nib.filebasedimages.ImageFileError(f"{type(image).__name__} has no voxels")
    return image


def read_volume(path: Path) -> Volume:
    """Read a 3D NIfTI image with its scaling applied, and refuse what cannot be processed.

    Raises
    ------
    InputImageError
        Unreadable or truncated file, not 3D, no orientation, sheared axes, constant or non-finite
        values. The message names the file and the remedy.
    """
    image, data = _load(path)
    data = _as_3d(data, path)
    _check_orientation(image, path)
    _check_values(data, path)
    return Volume(data, np.asarray(image.affine, dtype=np.float64))


def read_series(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Read a 4D NIfTI image and its affine, (X, Y, Z, n) and (4, 4); see `read_volume`.

    Raises
    ------
    InputImageError
        As `read_volume`, but the image must be 4D.
    """
    image, data = _load(path)
    if data.ndim != 4:
        raise InputImageError(
            f"{path} is {data.ndim}D {data.shape}; a series of volumes, 4D, is needed."
        )
    _check_orientation(image, path)
    _check_values(data, path)
    return data, np.asarray(image.affine, dtype=np.float64)


def _load(path: Path) -> tuple[nib.spatialimages.SpatialImage, NDArray[np.float32]]:
    try:
        image = load_image(path)
        return image, _as_float32(np.asanyarray(image.dataobj))
    except (*_READ_ERRORS, HeaderDataError) as error:
        reason = _first_line(error).replace(f" {path}", "")  # said once is enough
        raise InputImageError(
            f"{path} cannot be read ({reason}); check it or convert it again."
        ) from error


def _as_float32(stored: NDArray[np.generic]) -> NDArray[np.float32]:
    if np.iscomplexobj(stored):
        raise TypeError("its values are complex: take their magnitude")
    with np.errstate(over="ignore"):  # what is too large is refused later, as infinite
        return stored.astype(np.float32)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _as_3d(data: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    shape = data.shape
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise InputImageError(
            f"{path} is {len(shape)}D {shape}; a 3D image is needed: split it into its volumes."
        )
    if min(data.shape) < MIN_VOXELS:
        raise InputImageError(
            f"{path} has only {min(data.shape)} voxels along an axis {shape}; "
            f"at least {MIN_VOXELS} are needed: is it a localiser?"
        )
    return data


def _check_orientation(image: nib.spatialimages.SpatialImage, path: Path) -> None:
    header = image.header
    if isinstance(header, nib.Nifti1Header) and not (header["sform_code"] or header["qform_code"]):
        raise InputImageError(
            f"{path} states no orientation (sform_code and qform_code are 0), so left and right "
            "cannot be told; convert it again from DICOM, or set the codes if you know them."
        )
    axes = np.asarray(image.affine, dtype=np.float64)[:3, :3]
    sizes = np.linalg.norm(axes, axis=0)
    if not (np.isfinite(image.affine).all() and (sizes > 0).all()):
        raise InputImageError(f"{path} has an affine that is singular or not finite; fix it.")
    cosines = (axes / sizes).T @ (axes / sizes) - np.eye(3)
    if np.abs(cosines).max() > MAX_SHEAR:
        raise InputImageError(
            f"{path} has axes that are not at right angles (largest cosine "
            f"{np.abs(cosines).max():.3f}, tilted gantry?); resample it to orthogonal axes."
        )


def _check_values(data: NDArray[np.float32], path: Path) -> None:
    finite = np.isfinite(data)
    if not finite.all():
        raise InputImageError(
            f"{path} has {int((~finite).sum())} voxels that are NaN or infinite; "
            "replace them (with 0 if they are background) or convert it again."
        )
    if data.min() == data.max():
        raise InputImageError(f"{path} holds one value everywhere ({data.min():g}): no image.")


def save_volume(volume: Volume, path: Path) -> None:
    """Write float32 NIfTI with sform and qform set, whole or not at all."""
    image = nib.Nifti1Image(volume.data.astype(np.float32, copy=False), volume.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(volume.affine, code="aligned")
    image.set_qform(volume.affine, code="aligned")
    with atomic_path(path) as partial:
        nib.save(image, partial)


def shrink(volume: Volume, size_mm: float) -> Volume:
    """Average blocks of voxels to about `size_mm`; an axis that is coarser stays as it is."""
    steps = np.maximum(1, np.floor(size_mm / np.array(volume.spacing) + 0.01)).astype(int)
    shape = np.array(volume.data.shape) // steps
    i, j, k = (slice(0, int(n * s)) for n, s in zip(shape, steps, strict=True))
    blocks = volume.data[i, j, k].reshape([int(v) for v in np.stack([shape, steps], 1).ravel()])
    affine = volume.affine @ np.diag([*steps.astype(float), 1.0])
    affine[:3, 3] += volume.affine[:3, :3] @ ((steps - 1) / 2.0)
    return Volume(blocks.mean(axis=(1, 3, 5), dtype=np.float32), affine)


def to_ants(volume: Volume) -> ants.ANTsImage:
    """Give a volume to ANTs, whose world axes are LPS."""
    import ants

    axes = _RAS_TO_LPS @ volume.affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    return ants.from_numpy(
        np.ascontiguousarray(volume.data, dtype=np.float32),
        origin=tuple(float(value) for value in _RAS_TO_LPS @ volume.affine[:3, 3]),
        spacing=tuple(float(value) for value in spacing),
        direction=axes / spacing,
    )


def from_ants(image: ants.ANTsImage) -> Volume:
    """Take a volume back from ANTs."""
    affine = np.eye(4)
    affine[:3, :3] = _RAS_TO_LPS @ (np.asarray(image.direction) * np.asarray(image.spacing))
    affine[:3, 3] = _RAS_TO_LPS @ np.asarray(image.origin)
    return Volume(image.numpy().astype(np.float32, copy=False), affine)
