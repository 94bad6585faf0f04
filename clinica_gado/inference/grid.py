"""From the image's grid to one a network can take, and back. Images are `(B, C, X, Y, Z)`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


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
