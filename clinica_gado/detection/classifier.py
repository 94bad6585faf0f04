"""The probability that an image holds gadolinium, from its profile; and when that is not enough."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import expit

from clinica_gado.bids import Contrast
from clinica_gado.detection.profile import profile
from clinica_gado.errors import InputImageError, ResourceError
from clinica_gado.files import sha256_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILENAME = "contrast_classifier.json"
SHA256 = "988ee34efe13e6dcd9980dedbd454cb3b5074e9ac4f4cf6dfd20b08cad00155a"
"""Built by `clinica_gado/resources/build_contrast_classifier.py`."""


class Picture(NamedTuple):
    """What an image shows: the probability of gadolinium, and the state it is taken for.

    The state is unknown within the band of doubt.
    """

    probability: float
    contrast: Contrast


@dataclass(frozen=True)
class Classifier:
    """A logistic regression on numbers of `profile`, clipped to what it was trained on.

    Attributes
    ----------
    features, low, high, weights : names of numbers, the range each is clipped to, and its weight.
    doubt : probabilities between which nothing is said.
    """

    features: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float
    doubt: tuple[float, float]

    def judge(self, numbers: Mapping[str, float]) -> Picture:
        """Judge the profile of an image.

        Raises
        ------
        InputImageError
            A region that the judgement rests on is not in the image.
        """
        values = np.array([numbers[name] for name in self.features])
        if not np.isfinite(values).all():
            absent = [n for n, v in zip(self.features, values, strict=True) if not np.isfinite(v)]
            raise InputImageError(
                f"it shows too little of the brain to tell its contrast ({', '.join(absent)}); "
                "look at it and say so in --contrast-tsv."
            )
        score = self.intercept + float(self.weights @ np.clip(values, self.low, self.high))
        probability = round(float(expit(score)), 4)
        return Picture(probability, self._state(probability))

    def _state(self, probability: float) -> Contrast:
        if self.doubt[0] < probability < self.doubt[1]:
            return Contrast.UNKNOWN
        return Contrast.ENHANCED if probability >= self.doubt[1] else Contrast.NON_ENHANCED


def judge_image(image: NDArray[np.float32]) -> Picture:
    """Judge an image on `CROP_GRID`, (169, 208, 179)."""
    return load_classifier().judge(profile(image))


@lru_cache(maxsize=1)
def load_classifier() -> Classifier:
    """Load the classifier shipped here.

    Raises
    ------
    ResourceError
        The file is missing or is not the one shipped.
    """
    path = Path(str(files("clinica_gado.resources") / FILENAME))
    if not path.is_file() or sha256_of(path) != SHA256:
        raise ResourceError(f"{path} is missing or altered; reinstall clinica-gado.")
    return classifier_of(json.loads(path.read_text(encoding="utf-8")))


def classifier_of(card: Mapping[str, Any]) -> Classifier:
    """Return the classifier that a card describes."""
    rows = list(card["Features"].values())
    low, high, weights = (np.array([row[k] for row in rows]) for k in ("Low", "High", "Weight"))
    first, last = card["Doubt"]
    features = tuple(card["Features"])
    return Classifier(features, low, high, weights, card["Intercept"], (first, last))
