"""The intensities of a picture: what is shown as white, by the brain and not by scalp or air."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.preprocessing.templates import template_brain

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHITE = 1.8
"""Shown as white, in medians of the brain: white matter (about 1.2) keeps its shades, and what is
enhanced more than that is for the eye alike. Scalp and vessels may be five times as bright."""


def brain_in(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the voxels of the template's brain that an image shows, (X, Y, Z).

    All that it shows where it is on another grid, or shows none of the brain.
    """
    seen = image > 0
    brain = template_brain()
    inside = seen & brain if image.shape == brain.shape else seen
    return inside if inside.any() else seen


def brain_median(image: NDArray[np.float32]) -> float:
    """Return the median in the brain; 1 for an image that shows nothing."""
    inside = image[brain_in(image)]
    return float(np.median(inside)) if inside.size else 1.0


def white_level(image: NDArray[np.float32]) -> float:
    """Return the intensity that is shown as white."""
    return WHITE * brain_median(image)
