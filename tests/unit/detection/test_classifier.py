"""The classifier: its card, its band of doubt, and how it is built."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from clinica_gado.bids import Contrast
from clinica_gado.detection import classifier as module
from clinica_gado.detection.classifier import Classifier, classifier_of, load_classifier
from clinica_gado.errors import InputImageError, ResourceError
from clinica_gado.resources import build_contrast_classifier as build

CARD = {
    "Features": {"a": {"Low": 0.0, "High": 2.0, "Weight": 3.0}},
    "Intercept": -3.0,
    "Doubt": [0.2, 0.8],
}


@pytest.fixture
def simple() -> Classifier:
    return classifier_of(CARD)


def test_probability_is_logistic(simple: Classifier) -> None:
    assert simple.judge({"a": 1.5}).probability == pytest.approx(1 / (1 + math.exp(-1.5)), abs=1e-4)


def test_values_are_clipped_to_what_was_trained_on(simple: Classifier) -> None:
    assert simple.judge({"a": 9.0}) == simple.judge({"a": 2.0})


@pytest.mark.parametrize(
    ("value", "contrast"),
    [(2.0, Contrast.ENHANCED), (0.0, Contrast.NON_ENHANCED), (1.1, Contrast.UNKNOWN)],
)
def test_the_band_of_doubt_is_unknown(simple: Classifier, value: float, contrast: Contrast) -> None:
    assert simple.judge({"a": value}).contrast is contrast


def test_an_absent_region_is_an_error_that_names_it(simple: Classifier) -> None:
    with pytest.raises(InputImageError, match=r"too little of the brain.*\(a\)"):
        simple.judge({"a": math.nan})


def test_the_shipped_classifier_is_the_one_of_its_checksum() -> None:
    shipped = load_classifier()
    assert shipped.features == build.FEATURES
    assert 0 < shipped.doubt[0] < 0.5 < shipped.doubt[1] < 1


def test_an_altered_classifier_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    load_classifier.cache_clear()
    with pytest.raises(ResourceError, match="altered"):
        load_classifier()
    load_classifier.cache_clear()


def cases(n: int) -> pd.DataFrame:
    """Make images whose sinuses alone tell them apart."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(1.0, 0.1, (n, len(build.FEATURES))), columns=build.FEATURES)
    table["contrast"] = np.where(np.arange(n) % 2, "ce", "nce")
    table["group"] = [f"head {k // 4:02d}" for k in range(n)]
    table["sinuses_p90"] += np.where(table["contrast"] == "ce", 1.0, 0.0)
    return table


def test_the_fit_agrees_with_the_standard_library() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(1)
    values, sign = rng.normal(size=(40, 3)), np.where(rng.random(40) < 0.5, 1.0, -1.0)
    weights, intercept = build._minimise(values, sign, np.ones(40))
    expected = linear_model.LogisticRegression(C=1 / build.PENALTY, tol=1e-8).fit(values, sign)
    assert weights == pytest.approx(expected.coef_[0], abs=1e-3)
    assert intercept == pytest.approx(expected.intercept_[0], abs=1e-3)


def test_what_tells_images_apart_is_learned() -> None:
    table = cases(40)
    probabilities = build.cross_validate(table)
    is_enhanced = (table["contrast"] == "ce").to_numpy()
    assert probabilities[is_enhanced].min() > probabilities[~is_enhanced].max()


def test_the_band_of_doubt_takes_in_every_error() -> None:
    probabilities = np.array([0.99, 0.03, 0.001, 0.97])
    is_enhanced = np.array([True, True, False, False])
    doubt = build.band_of_doubt(probabilities, is_enhanced)
    assert doubt == pytest.approx((0.02, 0.98), abs=0.011)
    assert build.describe(probabilities, is_enhanced, doubt)["Wrong"] == 0
