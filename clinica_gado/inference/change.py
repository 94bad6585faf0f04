"""What is made of a network's change before it is added to the image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy import ndimage
from scipy.special import expit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_VOXELS_AT_ONCE = 2**18
"""Whose neighbourhoods are held in memory together: 28 MB."""


@dataclass(frozen=True)
class Surroundings:
    """What a rule may look at beside the change; all of it (X, Y, Z).

    Attributes
    ----------
    image : the first input, on the network's scale.
    region : voxels that gave that scale, such as the brain's.
    allowed : voxels that may change; None for all of them.
    """

    image: NDArray[np.float32]
    region: NDArray[np.bool_]
    allowed: NDArray[np.bool_] | None = None


class ChangeRule(Protocol):
    """Makes one change of another."""

    def apply(self, change: NDArray[np.float32], around: Surroundings) -> NDArray[np.float32]:
        """Return what is made of a change, (X, Y, Z), on the network's scale."""


@dataclass(frozen=True)
class DarkeningGate:
    """Lets a change only darken, and only where it darkens its surroundings enough.

    Gadolinium brightens a T1w, so taking it away darkens. What a network takes off everywhere, a
    little, is its doubt and not an agent: such change is faded out. Clear enhancement is taken away
    in full, because the gate looks at the smoothed change and multiplies the change itself.

    Attributes
    ----------
    threshold : smoothed darkening, on the network's scale, of which half is kept.
    width : of the logistic step around it, on that scale.
    smoothing_voxels : standard deviation of the Gaussian, in voxels of the image.
    """

    threshold: float
    width: float
    smoothing_voxels: float

    def apply(self, change: NDArray[np.float32], _: Surroundings) -> NDArray[np.float32]:
        """Return what is left of a change, (X, Y, Z), on the network's scale."""
        darkening = np.minimum(change, np.float32(0))
        around = -ndimage.gaussian_filter(darkening, self.smoothing_voxels)
        gate = expit((around - self.threshold) / self.width)
        return (darkening * gate).astype(np.float32)


@dataclass(frozen=True)
class BrainReach:
    """Lets a change fade out away from the brain, the region that gave the scale.

    Scalp, marrow and the fat of the orbits are bright without an agent, and a network that learned
    from brains alone what real images look like takes them for enhanced.

    Attributes
    ----------
    voxels : distance to the brain up to which a change is kept.
    fade_voxels : over which it then falls to nothing.
    """

    voxels: float
    fade_voxels: float

    def apply(self, change: NDArray[np.float32], around: Surroundings) -> NDArray[np.float32]:
        """Return what is left of a change, (X, Y, Z), on the network's scale."""
        if around.region.all():
            return change
        distance = ndimage.distance_transform_edt(~around.region)
        kept = np.clip(1 - (distance - self.voxels) / self.fade_voxels, 0, 1)
        return change * kept.astype(np.float32)


@dataclass(frozen=True)
class Outlines:
    """Takes away the bright outline that is left around what was darkened.

    A network that is a voxel out, or halves the partial volume at the wall of a vessel, leaves
    speckle there: beside a clear darkening no voxel stays above the median of its 3 × 3 × 3
    neighbourhood. Neighbours that may not change, such as what was stripped, do not count.

    Attributes
    ----------
    threshold : darkening that is clear, on the network's scale.
    reach_voxels : steps from face to face, in voxels, that count as beside it.
    """

    threshold: float
    reach_voxels: int

    def apply(self, change: NDArray[np.float32], around: Surroundings) -> NDArray[np.float32]:
        """Return the change, (X, Y, Z), on the network's scale, deepened on outlines."""
        beside = change < -self.threshold
        if not beside.any():
            return change
        beside = ndimage.binary_dilation(beside, iterations=self.reach_voxels)
        darkened = around.image + change
        counted = darkened
        if around.allowed is not None:
            beside &= around.allowed
            counted = np.where(around.allowed, darkened, np.float32(np.nan))
        excess = darkened[beside] - _medians(counted, beside)
        result = change.copy()
        result[beside] -= np.maximum(excess, 0)
        return result


RULES: Mapping[str, type[DarkeningGate | BrainReach | Outlines]] = {
    "darkening_gate": DarkeningGate,
    "brain_reach": BrainReach,
    "outlines": Outlines,
}
"""By their names in a card, in the order in which they are applied."""


def change_rules_from(numbers: Mapping[str, Mapping[str, Any]]) -> Sequence[ChangeRule]:
    """Return the rules of a card, in the order of `RULES`."""
    return [rule(**numbers[name]) for name, rule in RULES.items() if name in numbers]


def _medians(image: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the median of the 3 × 3 × 3 neighbourhood of each voxel, without NaN.

    Of an even number the lower of the two in the middle.
    """
    padded = np.pad(image, 1, constant_values=np.nan)
    medians = np.empty(int(where.sum()), dtype=np.float32)
    voxels = np.argwhere(where)
    for start in range(0, len(voxels), _VOXELS_AT_ONCE):
        x, y, z = voxels[start : start + _VOXELS_AT_ONCE].T
        steps = product(range(3), repeat=3)
        ordered = np.sort([padded[x + i, y + j, z + k] for i, j, k in steps], axis=0)
        middle = (np.isfinite(ordered).sum(axis=0, keepdims=True) - 1) // 2
        medians[start : start + len(x)] = np.take_along_axis(ordered, middle, axis=0)[0]
    return medians
