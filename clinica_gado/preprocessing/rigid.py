"""Two images of one head brought together by a rigid movement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.preprocessing.images import Volume, shrink, to_ants
from clinica_gado.preprocessing.linear import RANDOM_SEED, estimate_transform, resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

REGISTRATION = "antsRegistrationSyNQuick[r]"
"""Six degrees of freedom by mutual information, from the centres of mass."""
MIN_GAIN = 1.02
"""A registration must raise the mutual information by this factor to be preferred to the headers:
interpolation alone raises it a little (.3 % on pairs of `real` that were brought together before).
"""
FAST_MM = 2.0


@dataclass(frozen=True)
class Alignment:
    """How one image was brought to another of the same head.

    Attributes
    ----------
    fixed_to_moving : world of the fixed image to world of the moving one (RAS, mm), (4, 4).
    origin : `headers` when their coordinates agreed as well, else `registration`.
    mutual_information : of the two images so aligned, in nats (Mattes).
    """

    fixed_to_moving: NDArray[np.float64]
    origin: str
    mutual_information: float


def align_rigidly(
    moving: Volume, fixed: Volume, seed: int = RANDOM_SEED, fast: bool = False
) -> Alignment:
    """Find the rigid movement between two images of one head, whatever their contrast.

    Images of one examination often share their coordinates already: these are kept unless a
    registration is clearly better.

    Parameters
    ----------
    fast : register images of `FAST_MM`; what is kept is judged at full resolution all the same.

    Raises
    ------
    RegistrationError
        ANTs gave up.
    """
    headers = np.eye(4)
    images = (shrink(moving, FAST_MM), shrink(fixed, FAST_MM)) if fast else (moving, fixed)
    registered = estimate_transform(*images, REGISTRATION, seed)
    before = mutual_information(moving, fixed, headers)
    after = mutual_information(moving, fixed, registered)
    if after > MIN_GAIN * before:
        return Alignment(registered, "registration", after)
    return Alignment(headers, "headers", before)


def mutual_information(moving: Volume, fixed: Volume, matrix: NDArray[np.float64]) -> float:
    """Return the mutual information of `fixed` and `moving` sampled on its grid through `matrix`.

    Parameters
    ----------
    matrix : world of `fixed` to world of `moving` (RAS, mm), (4, 4).
    """
    import ants

    moved = resample(moving, fixed.data.shape, fixed.affine, matrix)
    # ANTs returns the cost, which is lower for images that tell more of each other.
    return -float(ants.image_mutual_information(to_ants(fixed), to_ants(moved)))
