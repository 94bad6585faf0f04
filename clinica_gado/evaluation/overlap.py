"""How well a segmentation agrees with known labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the Dice overlap of two masks of one shape: 1 equal, 0 apart, NaN both empty.

    2 |A ∩ B| / (|A| + |B|); Dice 1945, Ecology 26:297.

    Raises
    ------
    ValueError
        The masks differ in shape.
    """
    if one.shape != other.shape:
        raise ValueError(f"Masks of {one.shape} and {other.shape} voxels cannot be compared.")
    size = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / size if size else float("nan")
