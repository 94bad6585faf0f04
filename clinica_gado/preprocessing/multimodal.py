"""The other sequences of a visit, brought to the template by way of its T1w."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.linear import correct_bias, resample_to_grid
from clinica_gado.preprocessing.rigid import Alignment, align_rigidly
from clinica_gado.sequences import ADC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.preprocessing.images import Volume

MIN_COVERAGE = 0.8
"""Share of the brain that an image must show; thin slabs of slices are no input for a network."""


def bring_sequence(
    name: str, image: Volume, t1w: Volume, mni_to_t1w: NDArray[np.float64]
) -> tuple[Volume, Alignment]:
    """Bring one of `clinica_gado.sequences` to the template: N4 but for the ADC, then as below."""
    prepared = image if name == ADC else correct_bias(image)
    moved, alignment, _ = bring_by_t1w(prepared, t1w, mni_to_t1w)
    return moved, alignment


def bring_by_t1w(
    image: Volume, t1w: Volume, mni_to_t1w: NDArray[np.float64], fast: bool = False
) -> tuple[Volume, Alignment, NDArray[np.float64]]:
    """Sample an image on `CROP_GRID` through the affine of the T1w of the same head.

    It is aligned to the T1w rigidly, by mutual information; both movements are one interpolation.

    Parameters
    ----------
    image, t1w : on their own grids.
    mni_to_t1w : world of the template to world of the T1w (RAS, mm), (4, 4).
    fast : see `align_rigidly`.

    Returns
    -------
    The image there, how it was aligned, and the matrix from the template to the image, (4, 4).

    Raises
    ------
    RegistrationError
        ANTs gave up.
    """
    alignment = align_rigidly(image, t1w, fast=fast)
    mni_to_image = alignment.fixed_to_moving @ mni_to_t1w
    return resample_to_grid(image, CROP_GRID, mni_to_image), alignment, mni_to_image


def flags_of(moved: Volume, brain: NDArray[np.bool_]) -> tuple[str, ...]:
    """Say in words what is doubtful about an image on the grid of a brain mask."""
    coverage = float((moved.data[brain] != 0).mean()) if brain.any() else 0.0
    if coverage < MIN_COVERAGE:
        return (f"shows {100 * coverage:.0f} % of the brain",)
    return ()
