"""What is made of a network's change before it is added to the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.special import expit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


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

    def apply(self, change: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is left of a change, (X, Y, Z), on the network's scale."""
        darkening = np.minimum(change, np.float32(0))
        around = -ndimage.gaussian_filter(darkening, self.smoothing_voxels)
        gate = expit((around - self.threshold) / self.width)
        return (darkening * gate).astype(np.float32)


def gate_from(numbers: Mapping[str, float] | None) -> DarkeningGate | None:
    """Return the gate of a card, None where it has none."""
    return None if numbers is None else DarkeningGate(**numbers)
