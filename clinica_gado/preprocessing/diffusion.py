"""Apparent diffusion coefficient (ADC) of diffusion-weighted images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.errors import InputImageError
from clinica_gado.preprocessing.images import Volume, read_series

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ADC_MM2_PER_S = 4e-3
"""Free water at body temperature has 3.0e-3; what exceeds this is noise or motion."""
AIR_FRACTION = 0.1
"""Share of the 99th percentile of the b = 0 image below which there is noise alone."""
SHELL_WIDTH = 50.0
"""b-values closer than this (s/mm²) belong to one shell; up to it a volume counts as b = 0."""


def read_adc(dwi: Path, b_values: Path) -> Volume:
    """Compute the ADC map, mm²/s, of a diffusion series and its `.bval` file.

    Air is 0: the coefficients of its noise would be taken for tissue by a registration.

    Raises
    ------
    InputImageError
        A file cannot be read, they do not belong together, or there is one b-value only.
    """
    series, affine = read_series(dwi)
    b = read_b_values(b_values)
    if len(b) != series.shape[-1]:
        raise InputImageError(
            f"{dwi} has {series.shape[-1]} volumes and {b_values.name} {len(b)} b-values; "
            "convert both again from one series."
        )
    try:
        adc = compute_adc(series, b)
    except InputImageError as error:
        raise InputImageError(f"{b_values}: {error}") from error
    unweighted = series[..., shells_of(b)[0]].mean(axis=-1)
    adc[unweighted < AIR_FRACTION * np.percentile(unweighted, 99)] = 0
    return Volume(adc, affine)


def read_b_values(path: Path) -> NDArray[np.float64]:
    """Read a `.bval` file: b-values in s/mm², separated by blanks, (n,).

    Raises
    ------
    InputImageError
        It cannot be read, or a value is no b-value.
    """
    try:
        b = np.array(path.read_text(encoding="utf-8").split(), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise InputImageError(
            f"{path} cannot be read ({error}); it must hold one b-value a volume."
        ) from error
    if not (np.isfinite(b).all() and (b >= 0).all()):
        raise InputImageError(f"{path} holds values that are no b-values; convert it again.")
    return b


def compute_adc(series: NDArray[np.float32], b: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return ADC = −ln(S_b / S_0) / b by least squares over the b-values, mm²/s, (X, Y, Z).

    Directions of one b-value are averaged first, as logarithms: the geometric mean is the trace
    image when they are spread evenly. Voxels without signal at some b-value are 0; the others are
    clipped to [0, 4e-3].

    Parameters
    ----------
    series : (X, Y, Z, n).
    b : b-values in s/mm², (n,).

    Raises
    ------
    InputImageError
        There are fewer than two b-values, or none is low.
    """
    shells = shells_of(b)
    means = np.array([b[shell].mean() for shell in shells])
    if len(shells) < 2 or means[0] > SHELL_WIDTH:
        found = ", ".join(f"{mean:.0f}" for mean in means) or "none"
        raise InputImageError(
            f"an ADC needs b = 0 and another b-value; there are b = {found} s/mm²."
        )
    valid = np.asarray(series.min(axis=-1) > 0)
    log_signals = np.stack([_mean_log(series[..., shell], valid) for shell in shells])
    # The slope of a regression line is this weighted sum of the values.
    weights = (means - means.mean()) / np.sum((means - means.mean()) ** 2)
    adc = -np.tensordot(weights, log_signals, axes=1)
    return np.where(valid, adc.clip(0, MAX_ADC_MM2_PER_S), 0).astype(np.float32)


def shells_of(b: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Group volumes of nearly one b-value, lowest first: none is further from its shell's first."""
    shells: list[list[np.intp]] = []
    for volume in np.argsort(b, kind="stable"):
        if not shells or b[volume] - b[shells[-1][0]] > SHELL_WIDTH:
            shells.append([])
        shells[-1].append(volume)
    return [np.array(shell, dtype=np.intp) for shell in shells]


def _mean_log(shell: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    ones = np.where(valid[..., None], shell, 1.0)
    return np.log(ones, dtype=np.float64).mean(axis=-1)
