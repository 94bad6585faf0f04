"""Likeness of two images inside a mask (the in-mask definitions; names in the docstrings)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage
from skimage.metrics import normalized_mutual_information

from clinica_gado.evaluation.papers import DEFINITIONS as PAPER_DEFINITIONS
from clinica_gado.evaluation.papers import box_around, p1_metrics, p2_metrics, p3_metrics, psnr_db
from clinica_gado.preprocessing.intensity import match_intensity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

PERCENTILE = 99.9
SSIM_SIGMA, SSIM_K1, SSIM_K2 = 1.5, 0.01, 0.03
SSIM_TRUNCATE = 3.5
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
    yardstick = Yardstick(reference, mask)
    return yardstick.compare(yardstick.scale(image))


@dataclass(frozen=True)
class Yardstick:
    """A reference on its scale; what depends on it alone is computed once for all images.

    Attributes
    ----------
    reference : (X, Y, Z), positive in the mask.
    mask : (X, Y, Z), the brain.
    """

    reference: NDArray[np.float32]
    mask: NDArray[np.bool_]

    def scale(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an image on the common scale: medians equal, 1 the reference's percentile.

        NaN everywhere when its median in the mask is not positive: it has no scale.
        """
        median = np.median(image[self.mask])
        if not median > 0:
            return np.full_like(image, np.nan)
        return np.clip(image / median / self._top, 0, 1)

    @cached_property
    def scaled(self) -> NDArray[np.float32]:
        """The reference on the common scale, (X, Y, Z)."""
        return self.scale(self.reference)

    def compare(self, scaled_image: NDArray[np.floating]) -> Similarity:
        """Compare an image that `scale` returned, (X, Y, Z), with the reference.

        Every number is NaN for an image without a scale.
        """
        values = scaled_image[self.mask].astype(np.float64)
        if np.isnan(values).any():
            return Similarity(*[float("nan")] * len(Similarity._fields))
        difference = values - self._values
        mse = float(np.mean(difference**2))
        blur = float("nan")
        if self._sharpness:
            blur = sharpness(scaled_image, self.mask) / self._sharpness
        return Similarity(
            mae=float(np.mean(np.abs(difference))),
            mse=mse,
            psnr_db=psnr_db(mse),
            nrmse=float(np.sqrt(mse / np.mean(self._values**2))),
            ssim=gaussian_ssim(scaled_image, self.scaled, self.mask, self._local_mean),
            nmi=float(normalized_mutual_information(values, self._values, bins=NMI_BINS)),
            blur=blur,
        )

    @cached_property
    def _top(self) -> np.floating:
        inside = self.reference[self.mask]
        return np.percentile(inside / np.median(inside), PERCENTILE)

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        return self.scaled[self.mask].astype(np.float64)

    @cached_property
    def _sharpness(self) -> float:
        return sharpness(self.scaled, self.mask)

    @cached_property
    def _local_mean(self) -> NDArray[np.float64]:
        return local_mean(self.scaled, self.mask)


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
    yardstick = Yardstick(reference, mask)
    scaled = scale_both_ways(image, yardstick)
    if scaled is None:
        logger.warning("Likeness is not measured: an image has no signal in the brain mask.")
        return dict.fromkeys(DEFINITIONS, float("nan"))
    return likeness(scaled, yardstick, enhancing)


def scale_both_ways(
    image: NDArray[np.float32], yardstick: Yardstick
) -> dict[str, NDArray[np.float32]] | None:
    """Return an image on the common scale, `as_is` and `matched` to the reference.

    None when the image or the reference is not positive in the mask.
    """
    mask, reference = yardstick.mask, yardstick.reference
    if not mask.any() or not all(np.median(a[mask]) > 0 for a in (image, reference)):
        return None
    matched = match_intensity(image, reference, mask)
    return {"as_is": yardstick.scale(image), "matched": yardstick.scale(matched)}


def likeness(
    scaled: Mapping[str, NDArray[np.float32]],
    yardstick: Yardstick,
    enhancing: NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Return the columns of `DEFINITIONS` for what `scale_both_ways` returned."""
    mask = yardstick.mask
    lesion = np.zeros(mask.shape, dtype=bool) if enhancing is None else enhancing
    row: dict[str, float] = {}
    for how, values in scaled.items():
        both = (values, yardstick.scaled, mask)
        papers = p1_metrics(*both) | p2_metrics(*both, lesion) | p3_metrics(*both)
        paper_suffix = "" if how == "as_is" else f"_{how}"
        row |= {f"{name}_{how}": v for name, v in yardstick.compare(values)._asdict().items()}
        row |= {f"{name}{paper_suffix}": value for name, value in papers.items()}
    return {name: row[name] for name in DEFINITIONS}


def on_common_scale(
    image: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both images on the scale that `compare` describes."""
    yardstick = Yardstick(reference, mask)
    return yardstick.scale(image), yardstick.scaled


def gaussian_ssim(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    mask: NDArray[np.bool_],
    mean_of_second: NDArray[np.float64] | None = None,
) -> float:
    """Return the 3D Gaussian SSIM (Wang 2004) averaged in a mask; images in [0, 1], (X, Y, Z).

    As scikit-image's, in the box of the mask; the two variances are only needed as a sum, so that
    four images are filtered and not five. NaN for a grid smaller than the window of 11 voxels.

    Parameters
    ----------
    mean_of_second : its `local_mean` if it is known.
    """
    if min(mask.shape) < 2 * SSIM_REACH + 1:
        return float("nan")
    mean_1 = local_mean(first, mask)
    mean_2 = local_mean(second, mask) if mean_of_second is None else mean_of_second
    box = box_around(mask, SSIM_REACH)
    one, other = first[box].astype(np.float64), second[box].astype(np.float64)
    inside = mask[box]
    products, squares = mean_1 * mean_2, mean_1**2 + mean_2**2
    covariance = _gaussian(one * other)[inside] - products
    variances = _gaussian(one**2 + other**2)[inside] - squares
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    similarity = (2 * products + c1) * (2 * covariance + c2)
    similarity /= (squares + c1) * (variances + c2)
    return float(similarity.mean())


def local_mean(image: NDArray[np.floating], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean in SSIM's Gaussian window around each voxel of a mask, (n,)."""
    box = box_around(mask, SSIM_REACH)
    return _gaussian(image[box].astype(np.float64))[mask[box]]


def _gaussian(image: NDArray[np.float64]) -> NDArray[np.float64]:
    filtered = ndimage.gaussian_filter(image, SSIM_SIGMA, truncate=SSIM_TRUNCATE)
    return np.asarray(filtered, dtype=np.float64)


def sharpness(image: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Return the variance of the Laplacian in a mask, (X, Y, Z)."""
    box = box_around(mask, 1)
    return float(ndimage.laplace(image[box].astype(np.float64))[mask[box]].var())
