"""What is measured on an image of a case."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from clinica_gado.evaluation.measures import measure_image, sharpness_kept
from clinica_gado.evaluation.metrics import METRICS, NOT_RANKED, Metric
from clinica_gado.evaluation.similarity import on_common_scale, similarity_row
from clinica_gado.preprocessing.intensity import match_intensity


def test_every_number_has_its_definition_in_one_place(make_case):
    found = measure_image(make_case(), make_case().source)
    assert list(found) == list(METRICS)
    assert all(metric.definition for metric in METRICS.values())
    assert set(METRICS) >= NOT_RANKED
    assert not np.isnan(list(found.values())).any()


def test_likeness_is_that_of_the_similarity_table(make_case):
    case = make_case()
    row = similarity_row(case.source, case.reference, case.brain, case.regions["enhancing_lesion"])
    found = measure_image(case, case.source)
    assert {name: found[name] for name in row} == row


def test_the_identity_keeps_all_enhancement_and_the_target_none(make_case):
    case = make_case()
    as_it_is, perfect = (measure_image(case, image) for image in (case.source, case.target))
    for name in ("enhancement_left", "lesion_enhancement_left"):
        assert as_it_is[name] == pytest.approx(1)
        assert perfect[name] == pytest.approx(0, abs=1e-6)
    assert as_it_is["side_change"] == perfect["side_change"] == 0
    assert as_it_is["sharpness_kept"] == perfect["sharpness_kept"] == pytest.approx(1)
    assert perfect["gm_csf_contrast_error"] == 0


def test_another_gain_changes_only_what_is_measured_as_is(make_case):
    case = make_case()
    found, plain = measure_image(case, case.target * 3), measure_image(case, case.target)
    assert found["side_change"] > 1
    assert found["side_change_matched"] == pytest.approx(plain["side_change_matched"], abs=1e-4)
    assert found["sharpness_kept"] == pytest.approx(1, abs=1e-4)


def test_regions_are_measured_on_the_scale_of_the_brain(make_case):
    case = make_case()
    found = measure_image(case, case.source)
    matched = match_intensity(case.source, case.reference, case.brain)
    for how, image in (("as_is", case.source), ("matched", matched)):
        first, second = on_common_scale(image, case.reference, case.brain)
        for region, mask in case.regions.items():
            difference = (first.astype(float) - second)[mask]
            assert found[f"mae_{region}_{how}"] == pytest.approx(np.abs(difference).mean())
            psnr = 10 * math.log10(1 / np.mean(difference**2))
            assert found[f"psnr_db_{region}_{how}"] == pytest.approx(psnr)
    assert case.regions["enhancing"].sum() + case.regions["elsewhere"].sum() == case.brain.sum()
    assert found["p2_tumour_l2_e4"] == pytest.approx(
        1e4 * np.mean(np.subtract(*on_common_scale(case.source, case.reference, case.brain))[
            case.regions["enhancing_lesion"]] ** 2), rel=1e-5
    )  # fmt: skip


def test_without_labels_the_numbers_of_lesions_are_missing(make_case):
    found = measure_image(make_case(labelled=False), make_case().source)
    assert {name for name, value in found.items() if np.isnan(value)} == {
        name for name in METRICS if "lesion" in name or "tumour" in name
    }


def test_an_image_without_signal_is_told(make_case):
    case = make_case()
    with pytest.raises(ValueError, match="no signal"):
        measure_image(case, np.zeros_like(case.source))


def test_a_blurred_image_has_lost_sharpness(make_case):
    case = make_case()
    blurred = ndimage.gaussian_filter(case.source, 1)
    assert sharpness_kept(blurred, case.source, case.brain) < 0.5
    assert math.isnan(sharpness_kept(blurred, case.source, case.brain & False))


def test_badness_grows_away_from_the_best_value():
    assert Metric("", math.inf).badness(20) > Metric("", math.inf).badness(21)
    assert Metric("", 1.0).badness(1.2) == pytest.approx(Metric("", 1.0).badness(0.8))
    assert Metric("", 0.0).badness(-3) == 3
    best = {name: METRICS[name].best for name in ("psnr_db_as_is", "ssim_as_is", "p1_mae")}
    assert best == {"psnr_db_as_is": math.inf, "ssim_as_is": 1, "p1_mae": 0}
    assert METRICS["nmi_matched"].best == math.inf
    assert METRICS["blur_as_is"].best == METRICS["sharpness_kept"].best == 1
