"""How well a network makes the enhanced image of cases that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clinica_gado.evaluation.papers import DEFINITIONS as PAPERS
from clinica_gado.evaluation.papers import P2_TUMOUR_SCALE, p2_metrics, psnr_db
from clinica_gado.evaluation.similarity import (
    AS_IS,
    IN_MASK_DEFINITIONS,
    Yardstick,
    gaussian_ssim,
)
from clinica_gado.evaluation.tumour import DEFINITIONS as TUMOUR
from clinica_gado.evaluation.tumour import tumour_metrics
from clinica_gado.training.validation import Trial, trial_of_case
from clinica_gado.validation.enhancement import BRIGHTENED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.inference import Predictor

    Image = NDArray[np.float32]

REGION = (
    "voxels of the brain that the real enhanced image shows brighter than the first image by more "
    f"than {100 * BRIGHTENED:.0f} % of the median, each image divided by its own"
)


LABELLED = (
    "voxels of the brain that an enhancing lesion fills by half or more in simulated heads, and "
    "that have a label of enhancing lesion in real visits"
)
"""What scores of lesions are of; a case without has none."""


class Score(NamedTuple):
    """A number of a case: its heading, decimals, definition, which way is better, and the best."""

    heading: str
    digits: int
    definition: str
    lower_is_better: bool = True
    best: float = 0.0

    def badness(self, value: float) -> float:
        """Return a number that is lower for what is better; infinity where there is none."""
        if np.isnan(value):
            return float("inf")
        return value if self.lower_is_better else -value


SCORES = {
    "l2_e5": Score("L2 (×10⁻⁵)", 1, PAPERS["p2_l2_e5"]),
    "lesion_l2_e4": Score("t-L2 (×10⁻⁴)", 1, f"{TUMOUR['p2_tumour_l2_e4']}: {LABELLED}"),
    "enhancing_l2_e4": Score(
        "Enhancing L2 (×10⁻⁴)",
        1,
        f"mean squared error over the enhancing region, times 1e4: {REGION}",
    ),
    "psnr_db": Score("PSNR (dB)", 2, PAPERS["p2_psnr_db"], lower_is_better=False, best=math.inf),
    "ssim_percent": Score(
        "SSIM (%)", 2, f"{IN_MASK_DEFINITIONS['ssim']}, in %", lower_is_better=False, best=100.0
    ),
    "mae": Score("MAE", 4, IN_MASK_DEFINITIONS["mae"]),
    "lesion_psnr_db": Score(
        "Tumour PSNR (dB)",
        2,
        f"{TUMOUR['p3_tumour_psnr_db']}: {LABELLED}",
        lower_is_better=False,
        best=math.inf,
    ),
    "enhancing_psnr_db": Score(
        "Enhancing PSNR (dB)",
        2,
        f"PSNR over the enhancing region: {REGION}",
        lower_is_better=False,
        best=math.inf,
    ),
}
"""Of a case, all on one scale; see `AS_IS`."""
COLUMNS = ("case", *SCORES)
Maker = Callable[[Trial], "Image"]
"""What makes an enhanced image of a case."""


def definitions() -> dict[str, str]:
    """Return every score in words."""
    return {name: f"{score.definition}; {AS_IS}" for name, score in SCORES.items()}


def maker_of(predictor: Predictor) -> Maker:
    """Return what a network makes of those images of a case that it takes."""
    names = [item.name for item in predictor.bundle.card.inputs]

    def make(trial: Trial) -> Image:
        images = {name: by_name(trial)[name] for name in names if name in trial.images}
        return predictor.predict(images, region=trial.region).array

    return make


def by_name(trial: Trial) -> Mapping[str, Image]:
    """Return the images of a trial that is of a case; the first of them leads.

    Raises
    ------
    TypeError
        The trial is of a pair.
    """
    if not isinstance(trial.images, Mapping):
        raise TypeError("The trial is of a pair, whose images have no names.")
    return trial.images


def unchanged(trial: Trial) -> Image:
    """Return the first image as it is: what any network must beat."""
    return next(iter(by_name(trial).values()))


def score_cases(make: Maker, files: Iterable[Path]) -> pd.DataFrame:
    """Return a row a prepared case (`COLUMNS`)."""
    rows = []
    for file in files:
        trial = trial_of_case(file)
        rows.append({"case": trial.name, **score_image(make(trial), trial)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def score_image(image: Image, trial: Trial) -> dict[str, float]:
    """Return `SCORES` of an image, (X, Y, Z); NaN in a region without a voxel or signal."""
    brain = trial.mask
    yardstick = Yardstick(trial.wanted, brain)
    scaled = yardstick.scale(image)
    enhancing = enhancing_region(trial)
    found = p2_metrics(scaled, yardstick.scaled, brain, enhancing)
    inside = found["p2_tumour_l2_e4"] / P2_TUMOUR_SCALE
    lesion = np.zeros_like(brain) if trial.lesion is None else brain & trial.lesion
    tumour = tumour_metrics(image, trial.wanted, brain, lesion)
    return {
        "l2_e5": found["p2_l2_e5"],
        "lesion_l2_e4": tumour["p2_tumour_l2_e4"],
        "enhancing_l2_e4": found["p2_tumour_l2_e4"],
        "psnr_db": found["p2_psnr_db"],
        "ssim_percent": 100 * gaussian_ssim(scaled, yardstick.scaled, brain),
        "mae": float(np.abs(scaled[brain].astype(np.float64) - yardstick.scaled[brain]).mean()),
        "lesion_psnr_db": tumour["p3_tumour_psnr_db"],
        "enhancing_psnr_db": psnr_db(inside),
    }


def enhancing_region(trial: Trial) -> NDArray[np.bool_]:
    """Return the voxels that take up agent, see `REGION`, (X, Y, Z)."""
    first, brain = unchanged(trial), trial.mask
    before, after = (image / np.median(image[brain]) for image in (first, trial.wanted))
    return np.asarray(brain & (after - before > BRIGHTENED))
