"""Give SPM an image whose dimensions its solver can take.

SPM12 r7771 (and every release whose `shoot_regularisers.c` has the same line) reads one dimension
too far where its multigrid solver prepares the relaxation of a small grid:
`if (dm[0]==1 && dm[2]==1 && dm[3]==1) w000 = lam0;` was meant for the grid of one voxel, but
`dm[3]` is the width of the next coarser one. So a level of 1 × n × 1 voxels, n > 1, is taken for a
single voxel and loses the weight of its regularisation; the solution then diverges unless the data
outweigh it. Seen on Clinica's crop grid, 57 × 70 × 60 when sampled every 3 mm: brain-only images,
in which little but the brain holds the deformation, ended as NaN at the first step, silently, with
maps that are 0 everywhere; whole heads did not. Neither was seen when y does not outlast x and z.

Levels are made by halving each dimension, rounded up, so 1 × n × 1 occurs when y needs more
halvings than x and z. Zeros added beyond the last slice avoid it and change nothing else: SPM
leaves voxels of value 0 out, and neither the header nor the sampled points move.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.preprocessing.images import Volume

if TYPE_CHECKING:
    from clinica_gado.preprocessing.grids import Shape

PADDING_RULE = "zeros above the last slice, until y needs no more halvings than z on SPM's grid"


def padded_shape(volume: Volume, sampling_mm: float) -> Shape:
    """Return the dimensions to give to SPM: those of the image, with more slices where needed."""
    x, y, z = volume.data.shape
    steps = [max(1, floor(sampling_mm / size + 0.5)) for size in volume.spacing]
    halvings = [(ceil(n / step) - 1).bit_length() for n, step in zip((x, y, z), steps, strict=True)]
    if halvings[1] <= max(halvings[0], halvings[2]):
        return x, y, z
    smallest_sampled = 2 ** (halvings[1] - 1) + 1
    return x, y, (smallest_sampled - 1) * steps[2] + 1


def pad(volume: Volume, sampling_mm: float) -> Volume:
    """Add the slices that `padded_shape` asks for; the affine stays."""
    missing = padded_shape(volume, sampling_mm)[2] - volume.data.shape[2]
    return Volume(np.pad(volume.data, ((0, 0), (0, 0), (0, missing))), volume.affine)
