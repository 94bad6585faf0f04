"""How much contrast agent is left in an image, and what else was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.cluster.vq import kmeans2

if TYPE_CHECKING:
    from numpy.typing import NDArray

TISSUES = ("csf", "gm", "wm")


class Enhancement(NamedTuple):
    """What a model took away where it should and where it should not.

    Attributes
    ----------
    left : mean excess over the target in enhancing voxels, as a share of the input's excess there:
        1 for the input itself, 0 for a perfect removal, below 0 when too much was taken.
    side_change : mean absolute change of the other voxels, as a share of the input's median.
    """

    left: float
    side_change: float


def measure_enhancement(
    image: NDArray[np.float32],
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    mask: NDArray[np.bool_],
) -> Enhancement:
    """Compare an image with its contrast-enhanced source and the source without enhancement.

    All are (X, Y, Z), on the source's intensity scale; `target` as `remove_enhancement` makes it.
    """
    enhancing = mask & (source > target)
    other = mask & ~enhancing
    excess = float((source - target)[enhancing].mean()) if enhancing.any() else float("nan")
    return Enhancement(
        left=float((image - target)[enhancing].mean()) / excess,
        side_change=float(np.abs(image - source)[other].mean() / np.median(source[mask])),
    )


def tissue_contrast(
    image: NDArray[np.float32], classes: NDArray[np.int64], mask: NDArray[np.bool_]
) -> dict[str, float]:
    """Return the Michelson contrasts of an image, by the tissue classes of its mask.

    `gm_csf` is (GM - CSF) / (GM + CSF) of the class means, `wm_gm` alike.
    """
    values = image[mask]
    csf, gm, wm = (float(values[classes == index].mean()) for index in range(len(TISSUES)))
    return {"gm_csf": (gm - csf) / (gm + csf), "wm_gm": (wm - gm) / (wm + gm)}


def classify_tissue(
    non_enhanced: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Split the voxels of a brain into CSF, GM and WM (0, 1, 2) by k-means of a non-enhanced T1w.

    A coarse segmentation, good enough to average over; it starts from quantiles, so it has no
    random part.
    """
    values = non_enhanced[mask].astype(np.float64)
    start = np.quantile(values, (0.08, 0.4, 0.8))[:, None]
    centres, labels = kmeans2(values[:, None], start, minit="matrix", iter=25)
    rank = np.argsort(np.argsort(centres[:, 0]))
    return np.asarray(rank[labels], dtype=np.int64)
