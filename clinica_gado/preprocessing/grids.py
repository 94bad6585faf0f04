"""The voxel grids of Clinica's t1-linear (REFERENCE: Clinica 0.12, MNI152NLin2009cSym at 1 mm)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Grid:
    """A 1 mm RAS grid.

    Attributes
    ----------
    shape : voxels along right-left, posterior-anterior, inferior-superior.
    origin : world coordinates of voxel (0, 0, 0), in mm.
    """

    shape: Shape
    origin: tuple[float, float, float]

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel to world matrix, (4, 4)."""
        affine = np.eye(4)
        affine[:3, 3] = self.origin
        return affine


MNI_GRID = Grid(shape=(193, 229, 193), origin=(-96.0, -132.0, -78.0))
"""Grid of the MNI152NLin2009cSym template, as downloaded by Clinica."""

CROP_GRID = Grid(shape=(169, 208, 179), origin=(-84.0, -119.0, -78.0))
"""Grid of Clinica's `desc-Crop` images."""

CROP_SLICES = (slice(12, 181), slice(13, 221), slice(0, 179))
"""Voxels of `MNI_GRID` that make `CROP_GRID`."""
