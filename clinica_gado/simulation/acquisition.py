"""From signal to a stored image: voxels and slices, sensitivity, gain, noise, orientation."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from clinica_gado.simulation.labels import BoolArray, FloatArray
from clinica_gado.simulation.parameters import AcquisitionParameters

_MARGIN_MM = 8.0
_FINE_MM = 1.0
_INT16_MAX = 32767
Affine = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Voxels of an image: shape, and affine to world mm."""

    shape: tuple[int, int, int]
    affine: Affine


def acquire(
    signal: FloatArray,
    affine: Affine,
    parameters: AcquisitionParameters,
    noise_std: float,
    rng: np.random.Generator,
) -> nib.Nifti1Image:
    """Scan a head: signal (X, Y, Z) on a 1 mm grid to an int16 image in scanner coordinates.

    Signal at the same place gives the same grey level (gain and bias) in each image of a
    session; the noise is the image's own.
    """
    grid = plan_grid(signal > 0, affine, parameters)
    voxels = average_into_voxels(signal, affine, grid)
    voxels *= bias_field(grid.shape, parameters.bias)
    noisy = rician(voxels, noise_std, rng) * parameters.gain
    return to_image(noisy, grid.affine)


def plan_grid(occupied: BoolArray, affine: Affine, parameters: AcquisitionParameters) -> Grid:
    """Place a field of view around a head, turned by the rotation and ordered by the axis codes.

    The world space of the head is kept: the same point of anatomy has the same coordinates.
    The field is cut `coverage_mm` below its top.
    """
    frame = Rotation.from_euler("xyz", parameters.rotation_deg, degrees=True).as_matrix()
    axes, signs = _storage_order(parameters.axis_codes)
    low, high = _extent(occupied, affine, frame)
    low, high = low - [_MARGIN_MM, _MARGIN_MM, 0.0], high + _MARGIN_MM
    low[2] = max(low[2], high[2] - parameters.coverage_mm)
    voxel = np.array(parameters.voxel_mm)
    count = np.ceil((high - low)[axes] / voxel).astype(int)
    directions = frame[:, axes] * signs
    start = np.where(signs > 0, low[axes] + voxel / 2, high[axes] - voxel / 2)
    grid_affine = np.eye(4)
    grid_affine[:3, :3] = directions * voxel
    grid_affine[:3, 3] = frame[:, axes] @ start
    return Grid((int(count[0]), int(count[1]), int(count[2])), grid_affine)


def _storage_order(axis_codes: str) -> tuple[list[int], NDArray[np.float64]]:
    """Return for each stored axis the anatomical one (0 R, 1 A, 2 S) and its direction."""
    orientation = nib.orientations.axcodes2ornt(tuple(axis_codes))
    return [int(axis) for axis in orientation[:, 0]], np.asarray(orientation[:, 1])


def _extent(
    occupied: BoolArray, affine: Affine, frame: Affine
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest coordinates of the head along the turned axes."""
    every = max(1, min(occupied.shape) // 40)
    voxels = every * np.argwhere(occupied[::every, ::every, ::every]).T
    turned = frame.T @ (affine[:3, :3] @ voxels + affine[:3, 3:])
    return turned.min(axis=1), turned.max(axis=1)


def average_into_voxels(signal: FloatArray, affine: Affine, grid: Grid) -> FloatArray:
    """Average the signal over the volume of each voxel of the grid (partial volume)."""
    size = nib.affines.voxel_sizes(grid.affine)
    parts = np.maximum(np.ceil(size / _FINE_MM - 1e-6).astype(int), 1)
    fine_affine = grid.affine @ _subdivision(parts)
    to_signal = np.linalg.inv(affine) @ fine_affine
    fine_shape = tuple(int(n * p) for n, p in zip(grid.shape, parts, strict=True))
    fine = ndimage.affine_transform(
        signal, to_signal[:3, :3], to_signal[:3, 3], output_shape=fine_shape, order=1
    )
    blocks = [value for n, p in zip(grid.shape, parts, strict=True) for value in (n, int(p))]
    return np.asarray(fine.reshape(blocks).mean(axis=(1, 3, 5)), dtype=np.float32)


def _subdivision(parts: NDArray[np.int64]) -> Affine:
    """Return the map from the indices of parts to those of voxels, centres kept."""
    affine = np.diag([*(1.0 / parts), 1.0])
    affine[:3, 3] = (1.0 / parts - 1.0) / 2.0
    return affine


def bias_field(shape: tuple[int, ...], coefficients: tuple[float, ...]) -> FloatArray:
    """Return a smooth positive field: exp of a second-order polynomial over the grid, (X, Y, Z).

    Coefficients: x, y, z, x², y², z², xy, xz, yz, each coordinate running from -1 to 1.
    """
    x, y, z = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    terms = (x, y, z, x * x, y * y, z * z, x * y, x * z, y * z)
    exponent = sum(c * term for c, term in zip(coefficients, terms, strict=True))
    return np.broadcast_to(np.exp(exponent), shape).astype(np.float32)


def rician(signal: FloatArray, noise_std: float, rng: np.random.Generator) -> FloatArray:
    """Return the magnitude of a signal with Gaussian noise in both channels."""
    real = signal + noise_std * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = noise_std * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.asarray(np.hypot(real, imaginary), dtype=np.float32)


def to_image(values: FloatArray, affine: Affine) -> nib.Nifti1Image:
    """Round to int16 and set both the qform and the sform, in scanner coordinates and mm."""
    stored = np.clip(np.rint(values), 0, _INT16_MAX).astype(np.int16)
    image = nib.Nifti1Image(stored, affine)
    image.set_qform(affine, code="scanner")
    image.set_sform(affine, code="scanner")
    image.header.set_xyzt_units("mm", "sec")
    return image
