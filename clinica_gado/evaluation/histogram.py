"""Histogram matching, the baseline of who has no network: the intensities of other people's nce.

The template histogram is learned from the real T1w without contrast of the other participants of
the evaluation, never from that of the case itself, which no user has (else there would be no need
of a synthetic image): the mean of their quantiles (Nyul 2000), each image divided by its median in
the brain. The image is then given that histogram by scikit-image's `match_histograms`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from skimage.exposure import match_histograms

from clinica_gado.evaluation.cases import visit_of
from clinica_gado.preprocessing.templates import template_brain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.evaluation.cases import Case, Image, Mask

N_QUANTILES = 2001


class HistogramMatching:
    """Gives a case the histogram of the nce images of the other participants.

    Parameters
    ----------
    files : every prepared pair of the evaluation.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._quantiles = {visit_of(path): _quantiles_of(path) for path in files}

    def __call__(self, case: Case) -> Image:
        """Return the case's source with the template histogram, on the scale of the source.

        Raises
        ------
        ValueError
            There is no other participant to learn from.
        """
        others = [
            quantiles
            for visit, quantiles in self._quantiles.items()
            if visit.participant_id != case.visit.participant_id
        ]
        if not others:
            raise ValueError("histogram matching needs a pair of another participant")
        return match_to_quantiles(case.source, np.mean(others, axis=0), case.brain)


def _quantiles_of(path: Path) -> NDArray[np.float64]:
    with np.load(path, allow_pickle=False) as arrays:
        source, reference = arrays["source"], arrays["reference"]
    inside = reference[template_brain() & (source > 0) & (reference > 0)]
    quantiles = np.quantile(inside, np.linspace(0, 1, N_QUANTILES))
    return np.asarray(quantiles / np.median(inside), dtype=np.float64)


def match_to_quantiles(image: Image, quantiles: NDArray[np.float64], brain: Mask) -> Image:
    """Give an image, (X, Y, Z), the histogram of some quantiles within the brain.

    Parameters
    ----------
    quantiles : evenly spaced, (n,), of images divided by their median.

    Returns
    -------
    The whole image mapped, its median in the brain as before; zero stays zero.
    """
    inside = image[brain]
    values, first = np.unique(inside, return_index=True)
    matched = match_histograms(inside, quantiles * np.median(inside))[first]
    mapped = np.interp(image, np.append(0.0, values), np.append(0.0, matched))
    return np.where(image > 0, mapped, image).astype(np.float32)
