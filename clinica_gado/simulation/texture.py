"""Smooth random fields."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from clinica_gado.simulation.labels import FloatArray


def smooth_noise(shape: tuple[int, ...], seed: int, *, sigma_mm: float) -> FloatArray:
    """Return Gaussian noise of mean 0 and spread 1, smoothed over `sigma_mm` voxels of 1 mm."""
    noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    field = ndimage.gaussian_filter(noise, sigma_mm, mode="wrap")
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)
