"""Averages over mirrored runs and folds, in memory that does not grow with their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLIPS: dict[str, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "lr": ((), (0,)),
    "all": ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)),
}
"""Axes mirrored in each run: none, left and right, or every combination of the three (8 runs)."""


class RunningMean:
    """Mean and variance of arrays that come one by one (Welford 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self._mean = np.zeros((), dtype=np.float32)
        self._squares = np.zeros((), dtype=np.float32)

    def add(self, array: NDArray[np.float32]) -> None:
        """Take one more array, of the shape of those before; it is not kept."""
        self.count += 1
        if self.count == 1:
            self._mean = array.astype(np.float32)
            return
        difference = array - self._mean
        self._mean += difference / np.float32(self.count)
        self._squares = self._squares + difference * (array - self._mean)

    @property
    def mean(self) -> NDArray[np.float32]:
        """Mean of the arrays so far."""
        return self._mean

    @property
    def spread(self) -> NDArray[np.float32] | None:
        """Standard deviation (n − 1) over the arrays; None for fewer than two."""
        if self.count < 2:
            return None
        return np.sqrt(self._squares / np.float32(self.count - 1))


def mirror(images: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """Mirror images `(B, C, X, Y, Z)` along image axes 0 to 2; twice gives them back."""
    return images.flip([axis + 2 for axis in axes]) if axes else images
