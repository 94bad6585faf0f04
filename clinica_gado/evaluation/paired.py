"""Models side by side on real pairs, case by case, against leaving the image as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from clinica_gado.evaluation.enhancement import (
    classify_tissue,
    measure_enhancement,
    tissue_contrast,
)
from clinica_gado.evaluation.similarity import compare
from clinica_gado.preprocessing.intensity import match_intensity
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.training.pairs import Pair, load_pair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clinica_gado.inference import Predictor

IDENTITY = "identity"
"""The contrast-enhanced image as it is: what any model must beat."""
DIGITS = 6


def evaluate_pairs(files: Sequence[Path], predictors: Mapping[str, Predictor]) -> pd.DataFrame:
    """Return one row a case and image: the input as it is, and what each model makes of it."""
    rows = []
    for path in files:
        pair = load_pair(path)
        rows.append(_row(pair, IDENTITY, pair.source))
        for name, predictor in predictors.items():
            rows.append(
                _row(pair, name, predictor.predict([pair.source], region=template_brain()).array)
            )
    return pd.DataFrame(rows)


def _row(pair: Pair, name: str, image: NDArray[np.float32]) -> dict[str, object]:
    as_is = compare(image, pair.reference, pair.mask)
    matched = compare(match_intensity(image, pair.reference, pair.mask), pair.reference, pair.mask)
    enhancement = measure_enhancement(image, pair.source, pair.target, pair.mask)
    classes = classify_tissue(pair.reference, pair.mask)
    wanted = tissue_contrast(pair.target, classes, pair.mask)
    found = tissue_contrast(image, classes, pair.mask)
    numbers = {
        **{f"{key}_as_is": value for key, value in as_is._asdict().items()},
        **{f"{key}_matched": value for key, value in matched._asdict().items()},
        "enhancement_left": enhancement.left,
        "side_change": enhancement.side_change,
        **{f"{key}_contrast": value for key, value in found.items()},
        **{f"{key}_contrast_error": abs(found[key] - wanted[key]) for key in found},
    }
    return {"case": pair.name, "image": name, **_rounded(numbers.items())}


def _rounded(numbers: Iterable[tuple[str, float]]) -> dict[str, float]:
    return {key: round(float(value), DIGITS) for key, value in numbers}
