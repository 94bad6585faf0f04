"""From the image's grid to one a network can take, and back. Images are `(B, C, X, Y, Z)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from clinica_gado.models.card import Grid

AS_IT_IS = "mni-1mm"
FIRST_VOXEL = {"mni-160x192x160": (4, 8, 4), "mni-192x256x192": (-12, -24, -6)}
"""Grids of 1 mm that are a part of the template's cropped grid, or hold it: their first voxel in
voxels of that grid. The smaller one has the template's brain but for 4 mm of the medulla; the
larger one is centred."""


def to_network_grid(images: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Cut, pad with zeros, or resample images of the template's cropped grid to a network's."""
    if grid.name == AS_IT_IS:
        return images
    if grid.name in FIRST_VOXEL:
        return cut(images, FIRST_VOXEL[grid.name], grid.shape)
    return resample(images, grid.shape)


def from_network_grid(images: torch.Tensor, grid: Grid, shape: Sequence[int]) -> torch.Tensor:
    """Undo `to_network_grid`; what it cut off is zero."""
    if grid.name == AS_IT_IS:
        return images
    if grid.name in FIRST_VOXEL:
        x, y, z = FIRST_VOXEL[grid.name]
        return cut(images, (-x, -y, -z), shape)
    return resample(images, shape)


def cut(images: torch.Tensor, first: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """Take the voxels from `first` on, `shape` of them; zeros where the images have none."""
    margins: list[int] = []
    for side, start, wanted in reversed(list(zip(images.shape[2:], first, shape, strict=True))):
        margins += [-start, start + wanted - side]
    # Negative margins crop.
    return functional.pad(images, margins)


def resample(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Resample to a shape over the same field of view, trilinear."""
    if tuple(images.shape[2:]) == tuple(shape):
        return images
    return functional.interpolate(images, size=tuple(shape), mode="trilinear", align_corners=False)


def pad_to_multiple(images: torch.Tensor, multiple: Sequence[int]) -> torch.Tensor:
    """Pad with zeros on both sides until each side is a multiple of its number."""
    margins: list[int] = []
    for side, factor in zip(images.shape[:1:-1], multiple[::-1], strict=True):
        missing = -side % factor
        margins += [missing // 2, missing - missing // 2]
    return functional.pad(images, margins) if any(margins) else images


def crop_to(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Take off what `pad_to_multiple` added."""
    starts = [(side - wanted) // 2 for side, wanted in zip(images.shape[2:], shape, strict=True)]
    x, y, z = (slice(start, start + wanted) for start, wanted in zip(starts, shape, strict=True))
    return images[:, :, x, y, z]
