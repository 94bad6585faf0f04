"""What takes the place of an image that a visit lacks: nothing, zeros, or another model's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clinica_gado.errors import InputImageError
from clinica_gado.inference import Predictor
from clinica_gado.inference.missing import complete_images
from clinica_gado.models.card import CardInput

SHAPE = (12, 12, 12)


@pytest.fixture
def t1w() -> np.ndarray:
    return np.random.default_rng(0).normal(300, 60, SHAPE).astype(np.float32)


@pytest.fixture
def bundle(make_bundle):
    """Return a bundle that refuses to lack T1w, makes T2w, and takes zeros for ADC."""
    found = make_bundle(inputs=("T1w", "T2w", "ADC"))
    inputs = (
        CardInput("T1w"),
        CardInput("T2w", synthesised_by="t1-to-t2"),
        CardInput("ADC", may_be_missing=True),
    )
    return replace(found, card=replace(found.card, inputs=inputs))


@pytest.fixture
def t1_to_t2(tmp_path, make_bundle):
    """Return a predictor that makes T2w of T1w."""
    made = make_bundle(inputs=("T1w",))
    made = replace(made, card=replace(made.card, id="t1-to-t2"))
    return Predictor(made, device="cpu", precision="fp32")


def test_a_missing_image_is_made_by_the_bundle_that_the_card_names(bundle, t1_to_t2, t1w) -> None:
    asked = []

    def predictor_of(name):
        asked.append(name)
        return t1_to_t2

    completed = complete_images({"T1w": t1w}, bundle.card, predictor_of)
    assert asked == ["t1-to-t2"]
    assert set(completed.images) == {"T1w", "T2w"}
    assert np.array_equal(completed.images["T2w"], t1_to_t2.predict([t1w]).array)
    sha256 = t1_to_t2.bundle.sha256
    assert completed.origins == {
        "T1w": "given",
        "T2w": f"synthesised by t1-to-t2 (sha256 {sha256})",
        "ADC": "zeros",
    }


def test_what_is_given_is_kept(bundle, t1w) -> None:
    images = {"T1w": t1w, "T2w": t1w + 1, "ADC": t1w + 2}
    completed = complete_images(images, bundle.card, pytest.fail)
    assert completed.images == images
    assert set(completed.origins.values()) == {"given"}


def test_an_image_without_substitute_is_refused(bundle, t1_to_t2, t1w) -> None:
    with pytest.raises(InputImageError, match="not trained to do without T1w"):
        complete_images({"T2w": t1w}, bundle.card, lambda name: t1_to_t2)


def test_a_model_that_lacks_its_own_input_is_named(bundle, t1_to_t2, t1w) -> None:
    with pytest.raises(InputImageError, match="t1-to-t2 cannot synthesise it without T1w"):
        complete_images({"ADC": t1w}, bundle.card, lambda name: t1_to_t2)


def test_zeros_are_recorded_in_the_prediction(bundle, t1w) -> None:
    predictor = Predictor(bundle, device="cpu", precision="fp32")
    prediction = predictor.predict({"T1w": t1w, "T2w": t1w})
    assert prediction.notes == ("ADC is missing, zeros take its place",)
    assert predictor.predict([t1w, t1w, t1w]).notes == ()
