"""Is a registration believable? What can be told from the matrix and from the likeness reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import polar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.preprocessing.images import Volume

N_BINS = 32
MIN_SIMILARITY = 1.02
"""Right registrations of real images reach 1.029 and more, 20 mm or 20° off 1.018 and less."""
SCALE_RANGE = (0.7, 1.45)
MAX_ROTATION_DEG = 50.0
MIN_BRAIN_COVERAGE = 0.9


@dataclass(frozen=True)
class RegistrationCheck:
    """What was measured of a registration, and what is wrong with it in words.

    Attributes
    ----------
    similarity : normalised mutual information with the template in its brain, 1 (none) to 2.
    scales : stretch of the template along its principal axes, sorted, dimensionless.
    rotation_deg : angle of the rotation from template to image world.
    brain_coverage : share of the template's brain inside the image's field of view.
    flags : what is out of range; empty when the registration is plausible.
    """

    similarity: float
    scales: tuple[float, float, float]
    rotation_deg: float
    brain_coverage: float
    flags: tuple[str, ...]


def check_registration(
    registered: Volume,
    template: Volume,
    brain: NDArray[np.bool_],
    mni_to_native: NDArray[np.float64],
    native: Volume,
) -> RegistrationCheck:
    """Measure a registration and flag what is out of range.

    Parameters
    ----------
    registered, template : on one grid, (X, Y, Z).
    brain : the template's brain, on the same grid.
    mni_to_native : template world to image world, RAS mm, (4, 4).
    native : the image on its own grid.
    """
    rotation, stretch = polar(mni_to_native[:3, :3])
    scales = tuple(float(value) for value in np.sort(np.linalg.eigvalsh(stretch)))
    mirrored = bool(np.linalg.det(rotation) < 0)
    turn = np.clip((np.trace(-rotation if mirrored else rotation) - 1) / 2, -1, 1)
    measured = RegistrationCheck(
        similarity=normalised_mutual_information(registered.data[brain], template.data[brain]),
        scales=(scales[0], scales[1], scales[2]),
        rotation_deg=float(np.degrees(np.arccos(turn))),
        brain_coverage=_coverage(brain, template.affine, mni_to_native, native),
        flags=(),
    )
    return RegistrationCheck(**{**measured.__dict__, "flags": tuple(_flags(measured, mirrored))})


def _flags(check: RegistrationCheck, mirrored: bool) -> list[str]:
    low, high = SCALE_RANGE
    found = {
        f"similarity to the template {check.similarity:.3f} is below {MIN_SIMILARITY}": (
            check.similarity < MIN_SIMILARITY
        ),
        f"scale {check.scales[0]:.2f}–{check.scales[2]:.2f} is outside {low}–{high}": (
            check.scales[0] < low or check.scales[2] > high
        ),
        f"rotation of {check.rotation_deg:.0f}° is over {MAX_ROTATION_DEG:.0f}°": (
            check.rotation_deg > MAX_ROTATION_DEG
        ),
        f"only {100 * check.brain_coverage:.0f} % of the brain is in the field of view": (
            check.brain_coverage < MIN_BRAIN_COVERAGE
        ),
        "the affine mirrors the head": mirrored,
    }
    return [text for text, is_true in found.items() if is_true]


def normalised_mutual_information(
    first: NDArray[np.floating], second: NDArray[np.floating]
) -> float:
    """Return (H(a) + H(b)) / H(a, b) of two samples of equal length, 1 to 2 (Studholme 1999)."""
    joint, _, _ = np.histogram2d(_clip(first), _clip(second), bins=N_BINS)
    joint /= joint.sum()
    separate = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
    together = _entropy(joint)
    return separate / together if together > 0 else 1.0


def _clip(values: NDArray[np.floating]) -> NDArray[np.floating]:
    low, high = np.percentile(values, (0.5, 99.5))
    return np.clip(values, low, high)


def _entropy(probabilities: NDArray[np.float64]) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())


def _coverage(
    brain: NDArray[np.bool_],
    affine: NDArray[np.float64],
    mni_to_native: NDArray[np.float64],
    native: Volume,
) -> float:
    voxels = np.argwhere(brain[::4, ::4, ::4]) * 4
    to_voxels = np.linalg.inv(native.affine) @ mni_to_native @ affine
    positions = voxels @ to_voxels[:3, :3].T + to_voxels[:3, 3]
    inside = (positions >= -0.5) & (positions <= np.array(native.data.shape) - 0.5)
    return float(inside.all(axis=1).mean())
