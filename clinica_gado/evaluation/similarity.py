"""Likeness of two images inside a mask (the in-mask definitions; names in the docstrings)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage
from skimage.metrics import normalized_mutual_information, structural_similarity

from clinica_gado.evaluation.papers import DEFINITIONS as PAPER_DEFINITIONS
from clinica_gado.evaluation.papers import p1_metrics, p2_metrics, p3_metrics, psnr_db
from clinica_gado.preprocessing.intensity import match_intensity

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

PERCENTILE = 99.9
SSIM_SIGMA, SSIM_K1, SSIM_K2 = 1.5, 0.01, 0.03
SSIM_REACH = 5
"""Voxels that the Gaussian window reaches: scikit-image cuts it at 3.5 sigma."""
NMI_BINS = 100

IN_MASK_DEFINITIONS = {
    "mae": "mean absolute error over the voxels of the brain",
    "mse": "mean squared error over the voxels of the brain",
    "psnr_db": "10 log10(1 / MSE) over the voxels of the brain, in dB",
    "nrmse": "root of the summed squared error over that of the reference's summed squares, over "
    "the voxels of the brain",
    "ssim": "3D Gaussian SSIM (Wang 2004; sigma 1.5, K1 .01, K2 .03, data range 1), averaged in "
    "the brain",
    "nmi": "normalised mutual information (H(A) + H(B)) / H(A, B) over the voxels of the brain, "
    "100 bins: 1 is none, 2 is all",
    "blur": "variance of the Laplacian in the brain over that of the reference: below 1 is less "
    "sharp",
}
AS_IS = (
    "no match: each image divided by its own median in the brain, then both by the reference's "
    "99.9th percentile there, clipped to [0, 1]"
)
MATCHED = (
    "after a monotone intensity match to the reference fitted on non-enhancing tissue; then as "
    "without the match"
)
DEFINITIONS = {
    **{f"{name}_as_is": f"{text}; {AS_IS}" for name, text in IN_MASK_DEFINITIONS.items()},
    **{f"{name}_matched": f"{text}; {MATCHED}" for name, text in IN_MASK_DEFINITIONS.items()},
    **{name: f"{text}; {AS_IS}" for name, text in PAPER_DEFINITIONS.items()},
    **{f"{name}_matched": f"{text}; {MATCHED}" for name, text in PAPER_DEFINITIONS.items()},
}
"""Columns of `similarity_row` in words. A paper's metric without suffix is taken as is."""


class Similarity(NamedTuple):
    """Likeness inside a mask; `IN_MASK_DEFINITIONS` says what each number is."""

    mae: float
    mse: float
    psnr_db: float
    nrmse: float
    ssim: float
    nmi: float
    blur: float


def compare(
    image: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> Similarity:
    """Compare an image with its reference over a mask, (X, Y, Z) each.

    Each image is divided by its own median in the mask, then both by the reference's 99.9th
    percentile in the mask, and clipped to [0, 1]. MAE and PSNR = 10 log10(1 / MSE) are over the
    voxels of the mask. SSIM is the 3D Gaussian map of Wang 2004 (sigma 1.5, K1 .01, K2 .03, data
    range 1), averaged in the mask.
    """
    return _compare_scaled(*on_common_scale(image, reference, mask), mask)


def similarity_row(
    image: NDArray[np.float32],
    reference: NDArray[np.float32],
    mask: NDArray[np.bool_],
    enhancing: NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Return every likeness of an image to its reference, as is and after an intensity match.

    Sequence and gain often differ between the images of one patient, so each number comes twice:
    `_as_is`, and `_matched` after `match_intensity` of the image to the reference. Those of the
    papers (`p1_…`, `p2_…`, `p3_…`) have no suffix when as is.

    Parameters
    ----------
    image, reference : (X, Y, Z), on one grid.
    mask : (X, Y, Z), the brain; for P1's definition the union of the brains of both images.
    enhancing : (X, Y, Z), enhancing lesion, for P2's tumour L2; NaN without it.

    Returns
    -------
    The columns of `DEFINITIONS`; NaN when an image is not positive in the mask.
    """
    if not mask.any() or not all(np.median(a[mask]) > 0 for a in (image, reference)):
        logger.warning("Likeness is not measured: an image has no signal in the brain mask.")
        return dict.fromkeys(DEFINITIONS, float("nan"))
    lesion = np.zeros(mask.shape, dtype=bool) if enhancing is None else enhancing
    matched = match_intensity(image, reference, mask)
    row: dict[str, float] = {}
    for values, suffix, paper_suffix in ((image, "_as_is", ""), (matched, "_matched", "_matched")):
        first, second = on_common_scale(values, reference, mask)
        in_mask = _compare_scaled(first, second, mask)._asdict()
        papers = p1_metrics(first, second, mask) | p2_metrics(first, second, mask, lesion)
        papers |= p3_metrics(first, second, mask)
        row |= {f"{name}{suffix}": value for name, value in in_mask.items()}
        row |= {f"{name}{paper_suffix}": value for name, value in papers.items()}
    return {name: row[name] for name in DEFINITIONS}


def on_common_scale(
    image: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both images on the scale that `compare` describes."""
    first, second = (values / np.median(values[mask]) for values in (image, reference))
    top = np.percentile(second[mask], PERCENTILE)
    return np.clip(first / top, 0, 1), np.clip(second / top, 0, 1)


def gaussian_ssim(
    first: NDArray[np.floating], second: NDArray[np.floating], mask: NDArray[np.bool_]
) -> float:
    """Return the 3D Gaussian SSIM (Wang 2004) averaged in a mask; images in [0, 1], (X, Y, Z).

    NaN for a grid smaller than the window of 11 voxels.
    """
    if min(mask.shape) < 2 * SSIM_REACH + 1:
        return float("nan")
    box = _around(mask, 2 * SSIM_REACH)  # wide enough for scikit-image even at the grid's border
    _, similarity_map = structural_similarity(
        first[box].astype(np.float64), second[box].astype(np.float64), data_range=1.0,
        gaussian_weights=True, sigma=SSIM_SIGMA, K1=SSIM_K1, K2=SSIM_K2,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    return float(similarity_map[mask[box]].mean())


def sharpness(image: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Return the variance of the Laplacian in a mask, (X, Y, Z)."""
    box = _around(mask, 1)
    return float(ndimage.laplace(image[box].astype(np.float64))[mask[box]].var())


def _compare_scaled(
    first: NDArray[np.floating], second: NDArray[np.floating], mask: NDArray[np.bool_]
) -> Similarity:
    values, wanted = first[mask].astype(np.float64), second[mask].astype(np.float64)
    difference = values - wanted
    mse = float(np.mean(difference**2))
    reference_sharpness = sharpness(second, mask)
    return Similarity(
        mae=float(np.mean(np.abs(difference))),
        mse=mse,
        psnr_db=psnr_db(mse),
        nrmse=float(np.sqrt(mse / np.mean(wanted**2))),
        ssim=gaussian_ssim(first, second, mask),
        nmi=float(normalized_mutual_information(values, wanted, bins=NMI_BINS)),
        blur=sharpness(first, mask) / reference_sharpness if reference_sharpness else float("nan"),
    )


def _around(mask: NDArray[np.bool_], margin: int) -> tuple[slice, ...]:
    """Return the box of a mask with a margin, cut at the grid's border.

    What a filter no wider than the margin makes of the voxels of the mask is the same in the box.
    """
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, size in zip(box, mask.shape, strict=True)
    )
