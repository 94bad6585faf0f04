"""What is made of a network's change before it is added to the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.models.card import Card


@dataclass(frozen=True)
class ChangeGate:
    """Lets a change go one way only, and only where it changes its surroundings enough.

    Gadolinium brightens a T1w: taking it away darkens, adding it brightens. What a network changes
    everywhere, a little, is its doubt and not an agent: such change is faded out. Clear enhancement
    is changed in full, because the gate looks at the smoothed change and multiplies the change
    itself.

    Attributes
    ----------
    threshold : smoothed change, on the network's scale, of which half is kept.
    width : of the logistic step around it, on that scale.
    smoothing_voxels : standard deviation of the Gaussian, in voxels of the image.
    brightens : whether the change may only brighten; else only darken.
    """

    threshold: float
    width: float
    smoothing_voxels: float
    brightens: bool = False

    def apply(self, change: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is left of a change, (X, Y, Z), on the network's scale."""
        sign = np.float32(1 if self.brightens else -1)
        wanted = np.maximum(sign * change, np.float32(0))
        around = ndimage.gaussian_filter(wanted, self.smoothing_voxels)
        gate = expit((around - self.threshold) / self.width)
        return (sign * wanted * gate).astype(np.float32)


def gate_of(card: Card) -> ChangeGate | None:
    """Return the gate of a card, None where it has none."""
    for name, numbers in card.gates.items():
        return ChangeGate(**numbers, brightens=name == "brightening_gate")
    return None
