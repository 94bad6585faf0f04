"""Slices of a volume, turned as they are shown: feet down, the patient's left on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLANES = ("sagittal", "coronal", "axial")
SHARES = {"sagittal": 0.5, "coronal": 0.48, "axial": 0.5}
"""Where the slices are, as shares of the axis: on the template, the superior sagittal sinus, the
third ventricle, and the choroid plexus with the basal ganglia."""


def slice_of(volume: NDArray[Any], plane: str, share: float) -> NDArray[Any]:
    """Return a slice of an RAS volume (X, Y, Z) as a picture (rows, columns), top row first."""
    x, y, z = volume.shape
    if plane == "sagittal":
        return volume[int(share * x)].T[::-1]
    # Columns run right to left in RAS; flipped, the patient's left is on the right of the picture.
    if plane == "coronal":
        return volume[::-1, int(share * y)].T[::-1]
    return volume[::-1, :, int(share * z)].T[::-1]
