"""Slices of a volume, turned as they are shown: feet down, the patient's left on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLANES = ("sagittal", "coronal", "axial")
"""In the order of the axes X, Y, Z that they are across."""
SHARES = {"sagittal": 0.5, "coronal": 0.48, "axial": 0.5}
"""Where the slices are when nothing says otherwise, as shares of the axis: on the template, the
superior sagittal sinus, the third ventricle, and the choroid plexus with the basal ganglia."""

CHANGE_SIGMA_MM = 4.0
RIND_MM = 10.0
LEAST_CHANGE = 0.05
"""Of the brain's median intensity: with less there is nothing to be shown at a place of its own."""

Slices = dict[str, int]
"""Index of the slice of each plane."""


def usual_slices(shape: tuple[int, ...]) -> Slices:
    """Return the slices at `SHARES` of a volume of a shape."""
    return {plane: int(SHARES[plane] * n) for plane, n in zip(PLANES, shape, strict=True)}


def slice_of(volume: NDArray[Any], plane: str, index: int) -> NDArray[Any]:
    """Return a slice of an RAS volume (X, Y, Z) as a picture (rows, columns), top row first."""
    if plane == "sagittal":
        return volume[index].T[::-1]
    # Columns run right to left in RAS; flipped, the patient's left is on the right of the picture.
    if plane == "coronal":
        return volume[::-1, index].T[::-1]
    return volume[::-1, :, index].T[::-1]


def slices_of_change(change: NDArray[np.floating], brain: NDArray[np.bool_]) -> Slices | None:
    """Return the slices through the largest change of a brain, (X, Y, Z) each at 1 mm.

    It is where the mean of |change| over about a centimetre is largest, so that a lesion counts for
    more than a vessel, however bright, and noise for nothing; but for the brain's rind, where the
    sinuses would always win. Equal input gives equal slices.

    Parameters
    ----------
    change : as shares of the brain's median intensity.

    Returns
    -------
    None where no change is worth showing (see `LEAST_CHANGE`).
    """
    box = ndimage.find_objects(brain.astype(np.uint8))
    if not box:
        return None
    depth = ndimage.distance_transform_edt(np.pad(brain[box[0]], 1))[1:-1, 1:-1, 1:-1]
    deep = depth > min(RIND_MM, depth.max() / 2)
    inside = np.where(deep, np.abs(change[box[0]]), 0).astype(np.float32)
    mean = ndimage.gaussian_filter(inside, CHANGE_SIGMA_MM, truncate=2.0)
    place = np.unravel_index(int(mean.argmax()), mean.shape)
    if mean[place] < LEAST_CHANGE:
        return None
    starts = [side.start for side in box[0]]
    indices = (int(start + n) for start, n in zip(starts, place, strict=True))
    return dict(zip(PLANES, indices, strict=True))
