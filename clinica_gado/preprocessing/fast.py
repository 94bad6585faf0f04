"""t1-linear in seconds: the field found on a coarse grid, the affine from coarse images to finer.

The methods are those of `linear`: N4 as ANTs does it, and ANTs' registration by mutual information.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import Rotation

from clinica_gado.preprocessing.images import Volume, shrink
from clinica_gado.preprocessing.linear import (
    N4_SPLINE_DISTANCE_MM,
    RANDOM_SEED,
    REGISTRATION,
    LinearResult,
    bring_to_template,
    estimate_transform,
)
from clinica_gado.preprocessing.n4 import SHRINK_FACTOR, estimate_log_field
from clinica_gado.preprocessing.rigid import REGISTRATION as RIGID_REGISTRATION
from clinica_gado.preprocessing.rigid import mutual_information

if TYPE_CHECKING:
    from numpy.typing import NDArray

START_MM, FINE_MM = 4.0, 2.0
START_ANGLES_DEG = ((30, 0, 0), (-30, 0, 0), (0, 0, 30), (0, 0, -30))
"""About the left-right, back-front and foot-head axes: nods and turns of a head in the scanner."""
MIN_GAIN = 1.02
"""A rigid movement from a turned start must raise the mutual information by this factor over the
affine from the centres of mass, which fits a head better unless it went astray."""
REFINEMENT: Mapping[str, Any] = {
    "aff_iterations": (50,),
    "aff_shrink_factors": (1,),
    "aff_smoothing_sigmas": (0,),
    "aff_random_sampling_rate": 0.1,
    "grad_step": 0.1,
}
"""`REGISTRATION` makes no step on the finest of its images: this one does."""


def describe_fast() -> dict[str, Any]:
    """Return what tells this route from the standard one, for sidecars."""
    return {
        "BiasFieldShrinkFactor": SHRINK_FACTOR,
        "StartMm": START_MM,
        "StartAnglesDeg": [list(angles) for angles in START_ANGLES_DEG],
        "FineMm": FINE_MM,
        "RefinementIterations": list(REFINEMENT["aff_iterations"]),
        "RefinementSampling": REFINEMENT["aff_random_sampling_rate"],
    }


def run_linear_fast(volume: Volume, template: Volume, seed: int = RANDOM_SEED) -> LinearResult:
    """Bring a T1w image to the template as `run_linear` does."""
    corrected = correct_bias_fast(volume)
    return bring_to_template(corrected, estimate_affine_fast(corrected, template, seed))


def correct_bias_fast(volume: Volume) -> Volume:
    """Remove the smooth intensity inhomogeneity as `correct_bias` does."""
    positive = np.maximum(volume.data, 0)
    log_field = estimate_log_field(Volume(positive, volume.affine), N4_SPLINE_DISTANCE_MM)
    return Volume(positive / np.exp(log_field), volume.affine)


def estimate_affine_fast(
    moving: Volume, template: Volume, seed: int = RANDOM_SEED
) -> NDArray[np.float64]:
    """Return the matrix (4, 4) that takes template world coordinates to those of `moving`, RAS mm.

    Raises
    ------
    RegistrationError
        ANTs gave up.
    """
    images = shrink(moving, FINE_MM), shrink(template, FINE_MM)
    coarse = estimate_transform(*images, REGISTRATION, seed)
    start = _better_start(shrink(moving, START_MM), shrink(template, START_MM), coarse, seed)
    if start is not None:
        coarse = estimate_transform(*images, REGISTRATION, seed, start)
    return estimate_transform(*images, "Affine", seed, coarse, **REFINEMENT)


def _better_start(
    moving: Volume, template: Volume, found: NDArray[np.float64], seed: int
) -> NDArray[np.float64] | None:
    """Return the rigid movement from a turned start that explains more than the affine found."""
    best, reached = None, MIN_GAIN * mutual_information(moving, template, found)
    for start in _turned_starts(moving, template):
        matrix = estimate_transform(moving, template, RIGID_REGISTRATION, seed, start)
        information = mutual_information(moving, template, matrix)
        if information > reached:
            best, reached = matrix, information
    return best


def _turned_starts(moving: Volume, template: Volume) -> list[NDArray[np.float64]]:
    """Put the centres of mass on each other, at each of the angles."""
    to, origin = _centre_of_mass(moving), _centre_of_mass(template)
    starts = []
    for angles in START_ANGLES_DEG:
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        matrix[:3, 3] = to - matrix[:3, :3] @ origin
        starts.append(matrix)
    return starts


def _centre_of_mass(volume: Volume) -> NDArray[np.float64]:
    weights = np.maximum(volume.data, 0).astype(np.float64)
    voxel = [
        np.average(np.arange(size), weights=weights.sum(tuple({0, 1, 2} - {axis})))
        for axis, size in enumerate(volume.data.shape)
    ]
    return np.asarray(volume.affine[:3, :3] @ voxel + volume.affine[:3, 3])
