"""Build the contrast classifier shipped with the package, a logistic regression as JSON.

It is trained on simulated heads 01-14 and on real pairs that t1-gado-removal has registered
(`clinica run t1-gado-removal` with validation, for the images without contrast). Each head or
participant is left out once to choose the band of doubt. Run from the project's root:

    python clinica_gado/resources/build_contrast_classifier.py LABELMAPS CAPS --keep FOLDER
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from clinica_gado.detection.cases import ENHANCED, registered_cases, simulated_cases
from clinica_gado.detection.classifier import FILENAME, Classifier, classifier_of
from clinica_gado.files import sha256_of, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

HEADS = range(1, 15)
ANATOMIES, PAIRS = 2, 10
PARTICIPANTS = tuple(f"sub-train{number:02d}" for number in range(1, 13))
FEATURES = (
    *("sinuses_p75", "sinuses_p90", "sinuses_p99"),
    *("choroid_p99.9", "atria_p99.9", "deep_p99.5"),
    *("rim_p98", "csf_p50"),
)
"""Some numbers of each place that enhances. The highest percentiles see what is small, such as
choroid plexus, pituitary and deep veins, which is all that some spin echoes show."""
CLIP_PERCENTILES = (2.0, 98.0)
HIGHEST = 1.4
"""Of white matter: what is brighter is no clearer a sign, and would set the scale of the rest."""
REAL_WEIGHT = 3.0
"""A real image counts as so many simulated ones."""
PENALTY = 0.1
"""Of the squared weights of standardised features, against the summed log loss."""
LEAST_DOUBT = (0.05, 0.95)
"""Between these, an image goes to review even if no left-out case was wrong there."""


def fit(cases: pd.DataFrame) -> dict[str, Any]:
    """Return features, weights and intercept of the penalised logistic regression."""
    values = cases[list(FEATURES)].to_numpy(float)
    low, high = np.percentile(values, CLIP_PERCENTILES, axis=0).round(4)
    high = np.minimum(high, HIGHEST)
    clipped = np.clip(values, low, high)
    mean, scale = clipped.mean(axis=0), clipped.std(axis=0)
    sign = np.where(cases["contrast"] == ENHANCED, 1.0, -1.0)
    weight = np.where(cases["group"].str.startswith("sub-"), REAL_WEIGHT, 1.0)
    weights, intercept = _minimise((clipped - mean) / scale, sign, weight)
    raw = weights / scale
    rows = zip(FEATURES, low, high, raw, strict=True)
    return {
        "Features": {
            name: {"Low": float(a), "High": float(b), "Weight": round(float(w), 5)}
            for name, a, b, w in rows
        },
        "Intercept": round(float(intercept - raw @ mean), 5),
        "Doubt": list(LEAST_DOUBT),
    }


def _minimise(
    values: NDArray[np.float64], sign: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (values @ theta[:-1] + theta[-1])
        penalty = np.append(PENALTY * theta[:-1], 0.0)
        slope = -weight * sign * expit(-margin)
        gradient = np.append(values.T @ slope, slope.sum()) + penalty
        return float(weight @ np.logaddexp(0, -margin) + 0.5 * penalty @ theta), gradient

    found = minimize(loss, np.zeros(values.shape[1] + 1), jac=True, method="L-BFGS-B")
    return found.x[:-1], float(found.x[-1])


def judge_all(classifier: Classifier, cases: pd.DataFrame) -> NDArray[np.float64]:
    """Return the probability of gadolinium of each case."""
    rows = cases[list(FEATURES)].to_dict("records")
    return np.array([classifier.judge(row).probability for row in rows])


def cross_validate(cases: pd.DataFrame) -> NDArray[np.float64]:
    """Return the probability of each case by the others, without its head or participant."""
    probabilities = np.zeros(len(cases))
    for group in cases["group"].unique():
        left = (cases["group"] == group).to_numpy()
        probabilities[left] = judge_all(classifier_of(fit(cases[~left])), cases[left])
    return probabilities


def band_of_doubt(
    probabilities: NDArray[np.float64], is_enhanced: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the narrowest band around `LEAST_DOUBT` with no wrong answer on either side."""
    lowest, highest = probabilities[is_enhanced].min(), probabilities[~is_enhanced].max()
    low, high = LEAST_DOUBT
    if lowest <= low:  # the limits themselves are outside the band
        low = max(0.0, float(np.floor(lowest * 100 - 1) / 100))
    if highest >= high:
        high = min(1.0, float(np.ceil(highest * 100 + 1) / 100))
    return low, high


def describe(
    probabilities: NDArray[np.float64], is_enhanced: NDArray[np.bool_], doubt: Sequence[float]
) -> dict[str, Any]:
    """Return how the left-out cases were judged."""
    said = (probabilities <= doubt[0]) | (probabilities >= doubt[1])
    return {
        "Images": len(probabilities),
        "InDoubt": int((~said).sum()),
        "Wrong": int((said & ((probabilities > 0.5) != is_enhanced)).sum()),
        "Brier": round(float(np.mean((probabilities - is_enhanced) ** 2)), 4),
        "MeanProbabilityEnhanced": round(float(probabilities[is_enhanced].mean()), 3),
        "MeanProbabilityPlain": round(float(probabilities[~is_enhanced].mean()), 3),
    }


def main() -> None:
    """Build the file into the folder of this script and print its checksum."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelmaps", type=Path, help="Folder of head_XX_dseg.nii.gz.")
    parser.add_argument("caps", type=Path, help="CAPS with the registered real pairs.")
    parser.add_argument("--keep", type=Path, required=True, help="Folder that keeps the profiles.")
    options = parser.parse_args()
    simulated = simulated_cases(options.labelmaps, HEADS, ANATOMIES, PAIRS, options.keep)
    real = registered_cases(options.caps, PARTICIPANTS, options.keep)
    cases = pd.concat([simulated, real], ignore_index=True).dropna(subset=list(FEATURES))
    card: dict[str, Any] = {
        "Description": "Probability of gadolinium in a T1w, from numbers of its profile"
    }
    is_enhanced, left_out = (cases["contrast"] == ENHANCED).to_numpy(), cross_validate(cases)
    is_real = cases["group"].str.startswith("sub-").to_numpy()
    doubt = band_of_doubt(left_out, is_enhanced)
    card |= fit(cases) | {"Doubt": list(doubt)}
    card["LeftOut"] = {
        name: describe(left_out[mask], is_enhanced[mask], doubt)
        for name, mask in (("simulated", ~is_real), ("real", is_real))
    }
    path = Path(__file__).parent / FILENAME
    write_json(path, card)
    logger.info("%s\n%s\nsha256 %s", path, json.dumps(card["LeftOut"]), sha256_of(path))


if __name__ == "__main__":
    main()
