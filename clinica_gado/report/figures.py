"""Pictures of a result, small enough to page through thousands."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.files import atomic_path
from clinica_gado.report.scale import white_level
from clinica_gado.report.slices import slice_of, usual_slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.typing import NDArray

AXIAL_SHARES = (0.28, 0.42, 0.55, 0.68)
CHANGE_SHARE = 0.5
"""The colour scale of the change ends at this share of what is shown as white in the input."""
DPI = 80


def save_mosaic(
    before: NDArray[np.float32], after: NDArray[np.float32], path: Path, title: str
) -> None:
    """Write rows `before`, `after` and `after - before` as one PNG, all on one intensity scale.

    Parameters
    ----------
    before, after : (X, Y, Z) in RAS order, on one grid.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    brightest = white_level(before)
    rows = {"with contrast": before, "synthetic, without": after, "change": after - before}
    figure = Figure(figsize=(12.6, 7.0), facecolor="black", dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, len(AXIAL_SHARES) + 2, squeeze=False)
    for line, (name, volume) in zip(axes, rows.items(), strict=True):
        _draw_row(line, volume, brightest, is_change=name == "change")
        line[0].text(
            -0.06, 0.5, name, color="white", rotation=90, va="center", ha="right",
            transform=line[0].transAxes, fontsize=11,
        )  # fmt: skip
    figure.suptitle(title, color="white", fontsize=10, y=0.985)
    figure.text(
        0.99, 0.008, "the patient's left is on the right · research, not for diagnosis",
        color="grey", fontsize=8, ha="right",
    )  # fmt: skip
    figure.subplots_adjust(left=0.03, right=0.995, bottom=0.03, top=0.95, wspace=0.02, hspace=0.02)
    with atomic_path(path) as partial:
        figure.savefig(partial)


def _draw_row(
    line: NDArray[np.object_], volume: NDArray[np.float32], brightest: float, is_change: bool
) -> None:
    for axes, plane in zip(line, _planes(volume), strict=True):
        _draw(axes, plane, brightest, is_change)


def _planes(volume: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    axial = [slice_of(volume, "axial", int(share * volume.shape[2])) for share in AXIAL_SHARES]
    middle = usual_slices(volume.shape)
    return [*axial, *(slice_of(volume, plane, middle[plane]) for plane in ("sagittal", "coronal"))]


def _draw(axes: Axes, plane: NDArray[np.float32], brightest: float, is_change: bool) -> None:
    limits = (-CHANGE_SHARE * brightest, CHANGE_SHARE * brightest) if is_change else (0, brightest)
    axes.imshow(
        plane,
        cmap=change_colours() if is_change else "gray",
        vmin=limits[0],
        vmax=limits[1],
        interpolation="bilinear",
    )
    axes.set_axis_off()


@lru_cache(maxsize=1)
def change_colours() -> Colormap:
    """Return blue and dark for darkened, grey for unchanged, orange and light for brightened.

    From dark to light throughout, so that a print in greyscale says the same.
    """
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(
        "change", ["#03103f", "#2a4fae", "#8c8c8c", "#eda55a", "#fff3dd"]
    )
