"""N4 (Tustison 2010) on a coarse grid, its field evaluated at full resolution.

The steps and constants are those of ANTs' N4BiasFieldCorrection. What makes it fast: on the voxels
of a box the B-spline approximation of N4 (Lee 1997) is a product of one small matrix per axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import BSpline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.preprocessing.images import Volume

    Matrix = NDArray[np.float64]

SPLINE_ORDER = 3
SHRINK_FACTOR = 4
N_LEVELS = 4
"""Each halves the distance of the control points."""
MAX_ITERATIONS = 50
"""Of a level; it ends earlier once the field changes by less than the tolerance."""
TOLERANCE = 1e-7
N_BINS = 200
N_PADDED_BINS = 512
FWHM = 0.15
"""Width of the histogram of the logarithm of a bias field."""
WIENER_NOISE = 0.01


@dataclass(frozen=True)
class Axis:
    """One axis of the image on the spline's domain, which reaches beyond it on both sides.

    Attributes
    ----------
    size, padded, lower : voxels of the image, of the domain, and before the image.
    n_spans : intervals between control points over the domain at the first level.
    """

    size: int
    padded: int
    lower: int
    n_spans: int

    @property
    def coarse_voxels(self) -> NDArray[np.int64]:
        """Voxels of the domain that make the coarse grid: centred as ITK's ShrinkImageFilter does.

        There the image's first voxel is number 0, those before it negative, and none is taken
        before the first multiple of the factor.
        """
        count = self.padded // SHRINK_FACTOR
        centred = (self.padded - (count - 1) * SHRINK_FACTOR) // 2
        first = max(centred, self.lower % SHRINK_FACTOR)
        return first + SHRINK_FACTOR * np.arange(count)

    @property
    def coarse_inside(self) -> NDArray[np.bool_]:
        """Which of them are voxels of the image."""
        inside = self.coarse_voxels - self.lower
        return (inside >= 0) & (inside < self.size)

    def coarse_basis(self, level: int) -> Matrix:
        """B-splines at the coarse voxels of the image, (voxels, control points)."""
        count = len(self.coarse_voxels)
        return _basis(self.n_spans * 2**level, count, np.flatnonzero(self.coarse_inside))

    def full_basis(self, level: int) -> Matrix:
        """B-splines at the voxels of the image, (voxels, control points)."""
        return _basis(self.n_spans * 2**level, self.padded, self.lower + np.arange(self.size))


def _axis(size: int, spacing: float, distance_mm: float) -> Axis:
    """Pad an axis on both sides to a whole number of the spline's intervals."""
    # In single precision, as in ANTs: rounding of an oblique image's spacing adds no interval.
    extent = float(np.float32((size - 1) * spacing))
    n_spans = int(np.ceil(extent / distance_mm))
    padding = int((n_spans * distance_mm - extent) / spacing + 0.5)
    return Axis(size, size + padding, padding // 2, n_spans)


def _basis(n_spans: int, count: int, positions: NDArray[np.int64]) -> Matrix:
    """Uniform cubic B-splines over `count` equidistant positions, at some of these."""
    knots = np.arange(-SPLINE_ORDER, n_spans + SPLINE_ORDER + 1, dtype=np.float64)
    places = np.minimum(positions * (n_spans / (count - 1)), n_spans)
    return np.asarray(BSpline.design_matrix(places, knots, SPLINE_ORDER).toarray())


def _approximation(basis: Matrix) -> Matrix:
    """Return what makes control points of values along one axis (Lee 1997), (points, values)."""
    squared = basis**2
    reach = squared.sum(axis=0)
    cubed = basis**3 / squared.sum(axis=1, keepdims=True)
    return np.divide(cubed, reach, out=np.zeros_like(cubed), where=reach > 0).T


def _along_axes(data: NDArray[np.floating], matrices: list[Matrix]) -> NDArray[np.floating]:
    """Multiply the three axes of an array by a matrix each."""
    for matrix in matrices:
        # The axis that is summed goes last: after three of them the order is as before.
        data = np.tensordot(data, matrix.astype(data.dtype), axes=(0, 1))
    return data


def estimate_log_field(volume: Volume, distance_mm: float) -> NDArray[np.float32]:
    """Return the logarithm of the bias field at every voxel, (X, Y, Z).

    Parameters
    ----------
    volume : no value below zero; zero counts as one, as in ANTs.
    distance_mm : of the control points at the first of the levels.
    """
    axes = [
        _axis(size, spacing, distance_mm)
        for size, spacing in zip(volume.data.shape, volume.spacing, strict=True)
    ]
    coarse = volume.data[np.ix_(*(a.coarse_voxels[a.coarse_inside] - a.lower for a in axes))]
    log_image = np.log(np.where(coarse > 0, coarse, 1).astype(np.float64))
    lattices = _fit(log_image, axes)
    total = np.zeros(volume.data.shape, dtype=np.float32)
    for level, lattice in enumerate(lattices):
        total += _along_axes(lattice.astype(np.float32), [a.full_basis(level) for a in axes])
    return total


def _fit(log_image: Matrix, axes: list[Axis]) -> list[Matrix]:
    """Return the control points of each level; the field is their sum."""
    lattices = []
    log_field = np.zeros_like(log_image)
    for level in range(N_LEVELS):
        bases = [axis.coarse_basis(level) for axis in axes]
        inverses = [_approximation(basis) for basis in bases]
        lattice = np.zeros([basis.shape[1] for basis in bases])
        for _ in range(MAX_ITERATIONS):
            uncorrected = log_image - log_field
            step = _along_axes(uncorrected - sharpen(uncorrected), inverses)
            change = _along_axes(step, bases)
            lattice += step
            log_field += change
            if _variation(change) <= TOLERANCE:
                break
        lattices.append(lattice)
    return lattices


def _variation(log_change: NDArray[np.floating]) -> float:
    """Coefficient of variation of the factor by which the field changed."""
    change = np.exp(log_change)
    return float(change.std() / change.mean())


def sharpen(values: Matrix) -> Matrix:
    """Replace values by what they probably were before a field blurred their histogram."""
    low, high = float(values.min()), float(values.max())
    if high == low:
        return values
    width = (high - low) / (N_BINS - 1)
    places = (values - low) / width
    expected = _expected_values(_histogram(places), low, width)
    return np.interp(places, np.arange(N_BINS), expected)


def _histogram(places: Matrix) -> Matrix:
    """Share every value between the two bins beside it."""
    flat = places.ravel()
    below = np.minimum(flat.astype(np.intp), N_BINS - 2)
    share = flat - below
    counts = np.bincount(below, 1 - share, N_BINS)
    return np.asarray(counts + np.bincount(below + 1, share, N_BINS), dtype=np.float64)


def _expected_values(counts: Matrix, low: float, width: float) -> Matrix:
    """Deconvolve the histogram from that of the field; return E(sharp | blurred) of each bin."""
    before = (N_PADDED_BINS - N_BINS) // 2
    padded = np.zeros(N_PADDED_BINS)
    padded[before : before + N_BINS] = counts
    blur = np.fft.fft(_gaussian(FWHM / width)).real
    wiener = blur / (blur**2 + WIENER_NOISE)
    sharp = np.maximum(np.fft.ifft(np.fft.fft(padded) * wiener).real, 0)
    centres = low + (np.arange(N_PADDED_BINS) - before) * width
    weighted, total = (
        np.fft.ifft(np.fft.fft(part) * blur).real for part in (centres * sharp, sharp)
    )
    expected = np.divide(weighted, total, out=np.zeros_like(total), where=total != 0)
    return np.asarray(expected[before : before + N_BINS])


def _gaussian(fwhm_bins: float) -> Matrix:
    """Gaussian of area one around bin 0, periodic."""
    distance = np.minimum(np.arange(N_PADDED_BINS), N_PADDED_BINS - np.arange(N_PADDED_BINS))
    height = 2 * np.sqrt(np.log(2) / np.pi) / fwhm_bins
    return np.asarray(height * np.exp(-4 * np.log(2) * (distance / fwhm_bins) ** 2))
