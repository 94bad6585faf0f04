"""Lesions by their long and short axes: marked by readers, or measured on a mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import cdist
from skimage.measure import find_contours

from clinica_gado.bids.visits import Visit, list_in_words, read_visit_table
from clinica_gado.errors import SelectionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Point = NDArray[np.float64]

COORDINATES = tuple(
    f"{axis}_{coordinate}{end}"
    for axis in ("long", "short")
    for end in "12"
    for coordinate in "xyz"
)
"""Columns of the ends of both axes, in mm of the image's world (RAS)."""
_NEGLIGIBLE = 1e-9
"""What floating point may add, in mm and in shares of a side of an outline."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """The two ends of each axis in the world of the image (RAS, mm), (2, 3) each."""

    long: Point
    short: Point

    @property
    def centre(self) -> Point:
        """Mean of the four ends, (3,)."""
        centre: Point = np.concatenate((self.long, self.short)).mean(axis=0)
        return centre

    @property
    def long_mm(self) -> float:
        """Length of the long axis: the size of the lesion."""
        return float(np.linalg.norm(self.long[1] - self.long[0]))

    @property
    def short_mm(self) -> float:
        """Length of the short axis."""
        return float(np.linalg.norm(self.short[1] - self.short[0]))

    def moved(self, matrix: NDArray[np.floating]) -> Lesion:
        """Return the lesion in another world; `matrix` (4, 4) takes points of this one there."""
        long, short = (ends @ matrix[:3, :3].T + matrix[:3, 3] for ends in (self.long, self.short))
        return Lesion(long, short)


@dataclass(frozen=True)
class Marks:
    """What one reader marked on one image of one visit; `image` and `reader` may be empty."""

    visit: Visit
    image: str
    reader: str
    lesions: tuple[Lesion, ...]


def read_marks(path: Path) -> list[Marks]:
    """Read a table of lesions, a row each: visit, `COORDINATES`, and perhaps `image` and `reader`.

    A visit read without any lesion has a row with `n/a` for coordinates: it counts as a case.

    Raises
    ------
    SelectionError
        The table cannot be read, or a coordinate is no number; every fault is listed.
    """
    rows, errors = read_visit_table(path, COORDINATES)
    marks: dict[tuple[Visit, str, str], list[Lesion]] = {}
    for row in rows:
        key = (row.visit, row.cells.get("image", ""), row.cells.get("reader", ""))
        lesions = marks.setdefault(key, [])
        cells = [row.cells[name] for name in COORDINATES]
        if not any(cells):
            continue
        try:
            long, short = np.array(cells, dtype=np.float64).reshape(2, 2, 3)
        except ValueError:
            errors.append(f"{row.place}: coordinates must be twelve numbers, or all n/a")
            continue
        lesions.append(Lesion(long, short))
    if errors:
        raise SelectionError(list_in_words(f"Cannot use the lesions of {path.name}", errors))
    return [Marks(*key, tuple(lesions)) for key, lesions in marks.items()]


def lesions_of_mask(
    mask: NDArray[np.bool_], affine: NDArray[np.float64], min_voxels: int = 1
) -> list[Lesion]:
    """Measure each connected part of a mask, (X, Y, Z), in the axial slice where it is longest.

    The long axis is the largest distance between two points of the outline of a slice, the short
    one the longest chord at right angles to it in that slice, from outline to outline, as RECIST
    1.1 and RANO measure the longest perpendicular diameter. It need not go through the middle of
    the long one. Holes and notches on the way count as lesion: a ring is as wide as its outside.

    Parameters
    ----------
    affine : voxel to world matrix (RAS, mm), (4, 4).
    min_voxels : smaller parts are left out.
    """
    mask, affine = _with_axial_slices_last(mask, affine)
    parts, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    lesions = []
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        part = parts[box] == number
        if part.sum() >= min_voxels:
            start = np.array([side.start for side in box])
            lesions.append(_measure(part, start, affine))
    return lesions


def _with_axial_slices_last(
    mask: NDArray[np.bool_], affine: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return a mask and its matrix with the voxel axis that is nearest to head-foot last."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    upward = int(np.abs(directions[2]).argmax())
    order = [axis for axis in range(3) if axis != upward] + [upward]
    return np.transpose(mask, order), affine[:, [*order, 3]]


def _measure(
    part: NDArray[np.bool_], start: NDArray[np.intp], affine: NDArray[np.float64]
) -> Lesion:
    slices = [
        _axes_of(_outline(part[:, :, z], (*start[:2], start[2] + z), affine))
        for z in range(part.shape[2])
        if part[:, :, z].any()
    ]
    return max(slices, key=lambda lesion: lesion.long_mm)


def _outline(
    section: NDArray[np.bool_], start: tuple[int, ...], affine: NDArray[np.float64]
) -> Point:
    """Return the sides of the outlines of a section in the world, (n, 2, 3)."""
    contours = find_contours(np.pad(section.astype(np.float64), 1), 0.5)
    sides = np.concatenate([np.stack((line[:-1], line[1:]), axis=1) for line in contours])
    in_plane = sides - 1 + start[:2]
    voxels = np.concatenate((in_plane, np.full((len(sides), 2, 1), start[2])), axis=-1)
    points: Point = voxels @ affine[:3, :3].T + affine[:3, 3]
    return points


def _axes_of(outline: Point) -> Lesion:
    points = outline[:, 0]
    distances = cdist(points, points)
    first, second = np.unravel_index(distances.argmax(), distances.shape)
    long = points[[first, second]]
    along = (long[1] - long[0]) / distances[first, second]
    middle = long.mean(axis=0)
    return Lesion(long, middle + _longest_chord_across(outline - middle, along))


def _longest_chord_across(outline: Point, along: Point) -> Point:
    """Return the ends of the longest chord at right angles to a direction, (2, 3).

    Between two corners of the outline no chord is longer than at both, so those at corners are
    looked at. Of equal ones the nearest to the origin is taken.

    Parameters
    ----------
    outline : sides in one plane, (n, 2, 3).
    along : unit vector in that plane, (3,).
    """
    u = outline @ along
    across = outline[:, 0] - np.outer(u[:, 0], along)
    across = across[np.linalg.norm(across, axis=1).argmax()]
    across /= np.linalg.norm(across)
    v = outline @ across
    places = np.unique(u[:, 0])
    run = u[:, 1] - u[:, 0]
    share = (places[:, None] - u[:, 0]) / np.where(run == 0, np.nan, run)
    is_met = (share > -_NEGLIGIBLE) & (share < 1 + _NEGLIGIBLE)
    met = v[:, 0] + share * (v[:, 1] - v[:, 0])
    ends = np.where(is_met, met, np.inf).min(axis=1), np.where(is_met, met, -np.inf).max(axis=1)
    length = ends[1] - ends[0]
    is_longest = length > length.max() - _NEGLIGIBLE
    chosen = np.where(is_longest, np.abs(places), np.inf).argmin()
    chord: Point = places[chosen] * along + np.outer([end[chosen] for end in ends], across)
    return chord


def roi_of(
    lesions: Iterable[Lesion], shape: tuple[int, ...], affine: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return the voxels of lesions, (X, Y, Z): each the parallelogram whose diagonals are its axes.

    It is one voxel thick, in the plane of the axes (Bône 2022).
    """
    roi = np.zeros(shape, dtype=bool)
    for lesion in lesions:
        box = _box_around(lesion, shape, affine)
        voxels = np.stack(np.meshgrid(*box, indexing="ij"), axis=-1).reshape(-1, 3)
        if len(voxels):
            inside = _is_inside(voxels @ affine[:3, :3].T + affine[:3, 3], lesion, affine)
            roi[tuple(voxels[inside].T)] = True
    return roi


def _box_around(
    lesion: Lesion, shape: tuple[int, ...], affine: NDArray[np.float64]
) -> list[NDArray[np.intp]]:
    """Return the voxel numbers, axis by axis, that hold a lesion and one voxel around it."""
    voxels = lesion.moved(np.linalg.inv(affine))
    ends = np.concatenate((voxels.long, voxels.short))
    first = np.maximum(np.floor(ends.min(axis=0)).astype(int) - 1, 0)
    last = np.minimum(np.ceil(ends.max(axis=0)).astype(int) + 1, np.array(shape) - 1)
    return [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]


def _is_inside(points: Point, lesion: Lesion, affine: NDArray[np.float64]) -> NDArray[np.bool_]:
    half_long = (lesion.long[1] - lesion.long[0]) / 2
    half_short = (lesion.short[1] - lesion.short[0]) / 2
    normal = np.cross(half_long, half_short)
    if not normal.any():  # a lesion without width is its centre
        nearest = np.linalg.norm(points - lesion.centre, axis=1).argmin()
        return np.asarray(np.arange(len(points)) == nearest)
    normal = normal / np.linalg.norm(normal)
    basis = np.column_stack((half_long, half_short, normal))
    along, across, above = np.linalg.solve(basis, (points - lesion.centre).T)
    thickness = np.abs(affine[:3, :3].T @ normal).sum()
    return np.asarray((np.abs(along) + np.abs(across) <= 1) & (np.abs(above) <= thickness / 2))
