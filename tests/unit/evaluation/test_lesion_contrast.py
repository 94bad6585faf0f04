"""CNR, LBR and CEP by hand; likeness inside a tumour."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.evaluation.lesion_contrast import (
    DEFINITIONS,
    healthy_white_matter,
    lesion_contrast,
)
from clinica_gado.evaluation.papers import psnr_db
from clinica_gado.evaluation.tumour import tumour_metrics

LESION = np.array([True, True, False, False, False]).reshape(1, 1, 5)
IMAGE = np.array([180.0, 220.0, 90.0, 110.0, 100.0]).reshape(1, 1, 5)
BEFORE = np.array([50.0, 30.0, 45.0, 55.0, 50.0]).reshape(1, 1, 5)


def test_contrast_is_that_of_the_formulae() -> None:
    found = lesion_contrast(IMAGE, LESION, ~LESION, BEFORE)
    deviation = np.sqrt(200 / 3)
    assert found["cnr"] == pytest.approx((200 - 100) / deviation)
    assert found["lbr"] == pytest.approx(2.0)
    assert found["pre_contrast_factor"] == pytest.approx(2.0)
    assert found["cep_percent"] == pytest.approx(100 * (200 - 80) / 80)


@pytest.mark.parametrize("gain", [0.01, 7.0])
def test_the_gain_of_either_image_does_not_matter(gain) -> None:
    expected = lesion_contrast(IMAGE, LESION, ~LESION, BEFORE)
    found = lesion_contrast(gain * IMAGE, LESION, ~LESION, BEFORE / gain)
    for name in ("cnr", "lbr", "cep_percent"):
        assert found[name] == pytest.approx(expected[name])


def test_without_an_image_before_there_is_no_enhancement() -> None:
    assert np.isnan(lesion_contrast(IMAGE, LESION, ~LESION)["cep_percent"])


@pytest.mark.parametrize(
    ("image", "lesion", "brain"),
    [
        (IMAGE, np.zeros_like(LESION), ~LESION),
        (IMAGE, LESION, np.zeros_like(LESION)),
        (np.ones_like(IMAGE), LESION, ~LESION),
        (np.zeros_like(IMAGE), LESION, ~LESION),
    ],
)
def test_what_cannot_be_told_is_nan(image, lesion, brain) -> None:
    found = lesion_contrast(image, lesion, brain, BEFORE)
    assert set(found) == set(DEFINITIONS)
    assert np.isnan(list(found.values())).all()


def test_healthy_white_matter_is_more_than_10_mm_from_any_lesion() -> None:
    white = np.ones((1, 1, 30), dtype=bool)
    lesion = np.zeros_like(white)
    lesion[..., 4] = True
    healthy = healthy_white_matter(white, lesion, (1.0, 1.0, 2.0))
    assert np.flatnonzero(healthy).tolist() == list(range(10, 30))
    assert healthy_white_matter(white, np.zeros_like(white), (1.0, 1.0, 2.0)).all()


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    reference = rng.uniform(50, 150, (12, 12, 12)).astype(np.float32)
    return reference, (reference + rng.normal(0, 8, reference.shape)).astype(np.float32)


def test_tumour_metrics_are_of_the_tumour_alone(images) -> None:
    reference, image = images
    brain = np.ones(reference.shape, dtype=bool)
    tumour = np.zeros_like(brain)
    tumour[4:8, 4:8, 4:8] = True
    enhancing = tumour.copy()
    enhancing[6:] = False
    found = tumour_metrics(image, reference, brain, tumour, enhancing)
    top = np.percentile(reference / np.median(reference), 99.9)
    scaled = [np.clip(a / np.median(a) / top, 0, 1).astype(float) for a in (image, reference)]
    squared = (scaled[0] - scaled[1]) ** 2
    assert found["p2_tumour_l2_e4"] == pytest.approx(1e4 * squared[enhancing].mean(), rel=1e-4)
    assert found["p3_tumour_psnr_db"] == pytest.approx(psnr_db(squared[tumour].mean()), rel=1e-5)
    mae = np.sqrt(squared)[tumour].mean()
    assert found["p3_tumour_mae"] == pytest.approx(mae, rel=1e-4)
    none = tumour_metrics(image, reference, brain, np.zeros_like(tumour))
    assert all(np.isnan(value) for value in none.values())
