"""From signal to a stored image: voxels and slices, artefacts, gain, noise, orientation."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from clinica_gado.simulation.artefacts import (
    add_ghosts,
    bias_field,
    blur,
    draw_noise,
    mix_motion,
    rician,
)
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
    signal: torch.Tensor,
    affine: Affine,
    grid: Grid,
    parameters: AcquisitionParameters,
    noise_std: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """Scan a head: signal (X, Y, Z) on a 1 mm grid to grey levels on the grid of an image.

    The same parameters give the same signal the same grey level; the noise, of a standard
    deviation before gain, is the image's own.
    """
    sharp = blur(signal, parameters.blur_mm)
    place = displacement(parameters.shift_mm, parameters.turn_deg, affine, signal.shape)
    voxels = average_into_voxels(sharp, place @ affine, grid)
    motion = parameters.motion
    if motion is not None:
        move = displacement(motion.shift_mm, motion.rotation_deg, affine, signal.shape)
        moved = average_into_voxels(sharp, move @ place @ affine, grid)
        voxels = mix_motion(voxels, moved, motion)
    voxels = voxels * bias_field(grid.shape, parameters.bias, voxels.device)
    if parameters.ghosting is not None:
        voxels = add_ghosts(voxels, parameters.ghosting)
    noise = draw_noise(grid.shape, noise_std, generator)
    return rician(voxels, noise) * parameters.gain


def displacement(
    shift_mm: tuple[float, float, float],
    turn_deg: tuple[float, float, float],
    affine: Affine,
    shape: torch.Size,
) -> Affine:
    """Return the rigid map of world mm that turns a head about its centre and shifts it."""
    centre = affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3]
    rigid = np.eye(4)
    rigid[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    rigid[:3, 3] = centre - rigid[:3, :3] @ centre + shift_mm
    return rigid


def plan_grid(occupied: torch.Tensor, affine: Affine, parameters: AcquisitionParameters) -> Grid:
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
    occupied: torch.Tensor, affine: Affine, frame: Affine
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest coordinates of the head along the turned axes."""
    every = max(1, min(occupied.shape) // 40)
    voxels = every * np.argwhere(occupied[::every, ::every, ::every].cpu().numpy()).T
    turned = frame.T @ (affine[:3, :3] @ voxels + affine[:3, 3:])
    return turned.min(axis=1), turned.max(axis=1)


def average_into_voxels(signal: torch.Tensor, affine: Affine, grid: Grid) -> torch.Tensor:
    """Average the signal over the volume of each voxel of the grid (partial volume)."""
    size = nib.affines.voxel_sizes(grid.affine)
    parts = np.maximum(np.ceil(size / _FINE_MM - 1e-6).astype(int), 1)
    fine_shape = [int(n * p) for n, p in zip(grid.shape, parts, strict=True)]
    fine = interpolate(signal, affine, grid.affine @ _subdivision(parts), fine_shape)
    blocks = [value for n, p in zip(grid.shape, parts, strict=True) for value in (n, int(p))]
    return fine.reshape(blocks).mean(dim=(1, 3, 5))


def interpolate(
    volume: torch.Tensor,
    affine: Affine,
    target: Affine,
    shape: list[int],
    mode: str = "bilinear",
    outside: str = "zeros",
) -> torch.Tensor:
    """Return a volume on another grid: linear, or `nearest`; `zeros` or `border` outside."""
    size = np.array(volume.shape)
    to_unit = np.diag([*(2.0 / np.maximum(size - 1, 1)), 1.0])
    to_unit[:3, 3] = -1.0
    unit = torch.as_tensor(
        to_unit @ np.linalg.inv(affine) @ target, dtype=torch.float32, device=volume.device
    )
    x, y, z = (torch.arange(n, dtype=torch.float32, device=volume.device) for n in shape)
    points = (
        x[:, None, None, None] * unit[:3, 0]
        + y[None, :, None, None] * unit[:3, 1]
        + z[None, None, :, None] * unit[:3, 2]
        + unit[:3, 3]
    )
    return torch.nn.functional.grid_sample(
        volume[None, None],
        points.flip(-1)[None],
        mode=mode,
        padding_mode=outside,
        align_corners=True,
    )[0, 0]


def _subdivision(parts: NDArray[np.int64]) -> Affine:
    """Return the map from the indices of parts to those of voxels, centres kept."""
    affine = np.diag([*(1.0 / parts), 1.0])
    affine[:3, 3] = (1.0 / parts - 1.0) / 2.0
    return affine


def to_image(values: torch.Tensor, affine: Affine) -> nib.Nifti1Image:
    """Round to int16 and set both the qform and the sform, in scanner coordinates and mm."""
    stored = values.round().clamp(0, _INT16_MAX).to(torch.int16).cpu().numpy()
    image = nib.Nifti1Image(stored, affine)
    image.set_qform(affine, code="scanner")
    image.set_sform(affine, code="scanner")
    image.header.set_xyzt_units("mm", "sec")
    return image
