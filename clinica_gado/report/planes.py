"""The small picture that the report shows of a visit: every image in three planes, in one file.

Layout: a row an image, in each row the three planes from left to right. Below them, for each image
that was segmented, a row a tissue: its outline on nothing, to be laid over the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinica_gado.files import atomic_path, write_json
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.report.figures import CHANGE_SHARE, change_colours
from clinica_gado.report.scale import WHITE, brain_in, brain_median, white_level
from clinica_gado.report.slices import PLANES, Slices, slice_of, slices_of_change, usual_slices
from clinica_gado.roles import REMOVAL_ROLES, SYNTHETIC, Roles
from clinica_gado.segmentation.segmenter import TISSUES, TissueMaps
from clinica_gado.segmentation.volumes import THRESHOLD

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANGE, UNCERTAINTY = "change", "uncertainty"
UNCERTAINTY_SHARE = 0.2
"""The colour scale of the uncertainty ends at this share of what is shown as white."""
QUALITY = 55
LARGEST, USUAL = "the largest change", "the usual places"
"""What the planes of a visit go through; the second where little was changed."""
OUTLINE_COLOURS = {"graymatter": "#ffd34d", "whitematter": "#5ad1ff", "csf": "#ff8ad8"}
"""Told apart in greyscale by their strokes: grey matter drawn through, white dashed, CSF dotted."""


def save_planes(
    images: Mapping[str, NDArray[np.float32]],
    contours: Mapping[str, TissueMaps] | None,
    path: Path,
    *,
    roles: Roles = REMOVAL_ROLES,
    uncertainty: NDArray[np.float32] | None = None,
    made: NDArray[np.bool_] | None = None,
) -> None:
    """Write the picture of a visit as WebP, and its layout as JSON beside it.

    Parameters
    ----------
    images : those of `roles`, the real one where there is one; (X, Y, Z) in RAS order, one grid.
        All are shown on one scale, that of the brain before; the real one and the others given,
        of another gain, are brought to the median of the synthetic. All are cut at the same slices,
        through the largest change.
    contours : tissue maps of some of those, by the same names.
    path : ends in `_planes.webp`.
    uncertainty : standard deviation of the synthetic image, on its scale and grid.
    made : voxels that the synthetic image shows; elsewhere there is no change. All by default.
    """
    before = images[roles.before]
    shown = _on_one_scale(images, roles)
    change = shown[SYNTHETIC] - shown[roles.before]
    if made is not None:
        change = np.where(made, change, np.float32(0))
    found = slices_of_change(change * np.float32(WHITE), brain_in(before))
    slices, through = (found, LARGEST) if found else (usual_slices(change.shape), USUAL)
    rows = {name: _grey_row(image, slices) for name, image in shown.items()}
    rows[CHANGE] = _change_row(change, slices)
    if uncertainty is not None:
        rows[UNCERTAINTY] = _uncertainty_row(uncertainty / white_level(before), slices)
    for name, maps in (contours or {}).items():
        rows |= {f"{name}:{tissue}": _outline_row(maps, tissue, slices) for tissue in TISSUES}
    write_json(layout_of(path), _describe(change.shape, list(rows), slices, through))
    _save(np.concatenate(list(rows.values())), path)


def layout_of(sprite: Path) -> Path:
    """Return the JSON that says what is where in a picture of planes."""
    return sprite.with_suffix(".json")


def _on_one_scale(
    images: Mapping[str, NDArray[np.float32]], roles: Roles
) -> dict[str, NDArray[np.float32]]:
    white = white_level(images[roles.before])
    shown = {name: images[name] / white for name in roles.names if name in images}
    for name in shown.keys() - set(roles.compared):
        gain = brain_median(shown[SYNTHETIC]) / brain_median(shown[name])
        shown[name] = shown[name] * np.float32(gain)
    return shown


def _describe(
    shape: tuple[int, ...], rows: list[str], slices: Slices, through: str
) -> dict[str, Any]:
    x, y, z = shape
    sizes = {"sagittal": (y, z), "coronal": (x, z), "axial": (x, y)}
    layout = {"rows": rows, "row_height": max(y, z), "planes": sizes, "slices": slices}
    if shape != CROP_GRID.shape:
        return {**layout, "through": through}
    origin = dict(zip(PLANES, CROP_GRID.origin, strict=True))
    return {
        **layout,
        "through": through,
        "position_mm": {plane: origin[plane] + index for plane, index in slices.items()},
    }


def _tiles(volume: NDArray[Any], slices: Slices) -> Iterator[NDArray[Any]]:
    """Yield the planes of a row, filled up from below to one height."""
    height = max(volume.shape[1:])
    for plane in PLANES:
        tile = slice_of(volume, plane, slices[plane])
        yield np.pad(tile, ((0, height - tile.shape[0]), (0, 0)))


def _grey_row(image: NDArray[np.float32], slices: Slices) -> NDArray[np.uint8]:
    grey = np.concatenate(list(_tiles(image, slices)), axis=1)
    return _rgba(np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2))


def _change_row(change: NDArray[np.float32], slices: Slices) -> NDArray[np.uint8]:
    plane = np.concatenate(list(_tiles(change, slices)), axis=1)
    colours = change_colours()(np.clip(plane / (2 * CHANGE_SHARE) + 0.5, 0, 1))
    return _rgba(colours[..., :3])


def _uncertainty_row(spread: NDArray[np.float32], slices: Slices) -> NDArray[np.uint8]:
    from matplotlib import colormaps

    plane = np.concatenate(list(_tiles(spread, slices)), axis=1)
    colours = colormaps["inferno"](np.clip(plane / UNCERTAINTY_SHARE, 0, 1))
    return _rgba(colours[..., :3])


def _rgba(colours: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    opaque = np.ones((*colours.shape[:2], 1))
    return (255 * np.concatenate([colours, opaque], axis=2) + 0.5).astype(np.uint8)


def _outline_row(maps: TissueMaps, tissue: str, slices: Slices) -> NDArray[np.uint8]:
    from matplotlib.colors import to_rgb
    from scipy.ndimage import binary_erosion

    probabilities = np.concatenate(list(_tiles(getattr(maps, tissue), slices)), axis=1)
    inside = probabilities > THRESHOLD
    line = inside & ~binary_erosion(inside) & _stroke(inside.shape, tissue)
    row = np.empty((*line.shape, 4))
    # One flat colour, whose edges are in the transparency: nothing for the lossy coder to blur.
    row[..., :3] = to_rgb(OUTLINE_COLOURS[tissue])
    row[..., 3] = line
    return (255 * row + 0.5).astype(np.uint8)


def _stroke(shape: tuple[int, ...], tissue: str) -> NDArray[np.bool_]:
    """Return where the pen is down. The slope is one that outlines rarely follow."""
    along = np.add.outer(2 * np.arange(shape[0]), np.arange(shape[1]))
    gaps = {"graymatter": 0, "whitematter": 2, "csf": 2}[tissue]
    period = {"graymatter": 1, "whitematter": 7, "csf": 4}[tissue]
    kept: NDArray[np.bool_] = along % period >= gaps
    return kept


def _save(picture: NDArray[np.uint8], path: Path) -> None:
    from PIL import Image

    with atomic_path(path) as partial:
        Image.fromarray(picture, "RGBA").save(
            partial, format="WEBP", quality=QUALITY, alpha_quality=100, method=4
        )
