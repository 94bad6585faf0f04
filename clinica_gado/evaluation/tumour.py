"""Likeness inside the tumour, as Bône 2021 and Chen 2022 measured it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.evaluation.papers import p2_metrics, psnr_db
from clinica_gado.evaluation.similarity import Yardstick

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFINITIONS = {
    "p2_tumour_l2_e4": "P2 (t-L2): mean squared error over the enhancing tumour, times 1e4",
    "p3_tumour_mae": "P3: mean absolute error over the tumour",
    "p3_tumour_psnr_db": "P3: 10 log10(1 / MSE) over the tumour, MAX = 1, in dB",
}
"""On the common scale of `clinica_gado.evaluation.similarity`, found on the brain."""


def tumour_metrics(
    image: NDArray[np.float32],
    reference: NDArray[np.float32],
    brain: NDArray[np.bool_],
    tumour: NDArray[np.bool_],
    enhancing: NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Return the columns of `DEFINITIONS`, all arrays (X, Y, Z); NaN without a voxel of tumour.

    Parameters
    ----------
    image, reference : the image that was made, and the real one; positive in the brain.
    tumour : the whole tumour.
    enhancing : the part of it that takes up contrast agent; all of it by default.
    """
    yardstick = Yardstick(reference, brain)
    scaled = yardstick.scale(image)
    inside = tumour if enhancing is None else enhancing
    row = {name: float("nan") for name in DEFINITIONS}
    row["p2_tumour_l2_e4"] = p2_metrics(scaled, yardstick.scaled, brain, inside)["p2_tumour_l2_e4"]
    if tumour.any():
        difference = (scaled.astype(np.float64) - yardstick.scaled)[tumour]
        row["p3_tumour_mae"] = float(np.mean(np.abs(difference)))
        row["p3_tumour_psnr_db"] = psnr_db(float(np.mean(difference**2)))
    return row
