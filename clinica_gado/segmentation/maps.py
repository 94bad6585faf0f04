"""Probability maps as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np

from clinica_gado.files import atomic_path
from clinica_gado.preprocessing.images import load_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

STEPS = 255
"""Probabilities are stored as 8-bit integers with this scale, as SPM stores them: a tenth of the
size of floats, which matters over a warehouse, and a voxel stays on its side of one half."""


def save_probabilities(
    probabilities: NDArray[np.float32], affine: NDArray[np.float64], path: Path
) -> None:
    """Write probabilities in [0, 1], (X, Y, Z), as NIfTI, atomically."""
    stored = np.clip(np.round(probabilities * STEPS), 0, STEPS).astype(np.uint8)
    image = nib.Nifti1Image(stored, affine)
    image.header.set_slope_inter(1 / STEPS, 0)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code="aligned")
    image.set_qform(affine, code="aligned")
    with atomic_path(path) as partial:
        nib.save(image, partial)


def read_probabilities(path: Path) -> NDArray[np.float32]:
    """Read what `save_probabilities` wrote, (X, Y, Z)."""
    return np.asarray(load_image(path).dataobj, dtype=np.float32)
