"""Networks that see a few slices at a time, over a whole volume: overlapping slabs, averaged."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

AT_ONCE = 4
"""Slabs in a batch: enough for a GPU, little beside the maps of a network for whole volumes."""


def estimate_by_slabs(
    estimate: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor, slices: int
) -> torch.Tensor:
    """Return the mean over all slabs of `slices` axial slices, each one slice from the next.

    A slice in the middle is the mean of `slices` answers, the first and the last of one. A volume
    of fewer slices is padded with zeros.

    Parameters
    ----------
    estimate
        Turns slabs `(B, C, X, Y, slices)` into `(B, 1, X, Y, slices)`, float32.
    images
        One volume, `(1, C, X, Y, Z)`.

    Returns
    -------
    `(1, 1, X, Y, Z)`.
    """
    n_slices = images.shape[4]
    padded = functional.pad(images, (0, max(slices - n_slices, 0)))
    slabs = padded[0].unfold(3, slices, 1).movedim(3, 0)
    total = torch.zeros(1, 1, *padded.shape[2:])
    counts = torch.zeros(padded.shape[4])
    for first in range(0, len(slabs), AT_ONCE):
        answers = estimate(slabs[first : first + AT_ONCE])
        for offset, answer in enumerate(answers):
            start = first + offset
            total[0, :, :, :, start : start + slices] += answer
            counts[start : start + slices] += 1
    return (total / counts)[..., :n_slices]
