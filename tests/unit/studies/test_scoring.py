"""Scores of known images, over the brain and over what enhances."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from clinica_gado.evaluation.similarity import compare
from clinica_gado.studies.scoring import (
    SCORES,
    definitions,
    enhancing_region,
    score_cases,
    score_image,
    unchanged,
)
from clinica_gado.training.validation import trial_of_case


@pytest.fixture
def trial(cases):
    return trial_of_case(cases[0])


def test_the_enhancing_region_is_the_lesion(trial):
    region = np.zeros(trial.mask.shape, dtype=bool)
    region[5:9, 5:9, 5:9] = True
    np.testing.assert_array_equal(enhancing_region(trial), region)


def test_the_real_image_is_perfect_whatever_its_gain(trial):
    found = score_image(7 * trial.wanted, trial)
    assert set(found) == set(SCORES) == set(definitions())
    assert found["l2_e5"] == pytest.approx(0, abs=1e-6)
    assert found["ssim_percent"] == pytest.approx(100)
    assert found["psnr_db"] > 100


def test_scores_of_the_brain_are_those_of_the_evaluation(trial):
    found = score_image(unchanged(trial), trial)
    known = compare(unchanged(trial), trial.wanted, trial.mask)
    assert found["psnr_db"] == pytest.approx(known.psnr_db)
    assert found["l2_e5"] == pytest.approx(1e5 * known.mse)
    assert found["mae"] == pytest.approx(known.mae)
    assert found["ssim_percent"] == pytest.approx(100 * known.ssim)


def test_a_labelled_lesion_is_scored_apart_from_all_that_enhances(trial):
    half = trial.lesion.copy()
    half[7:] = False
    better = np.where(half, trial.wanted, unchanged(trial))
    found = score_image(better, replace(trial, lesion=half))
    assert found["lesion_l2_e4"] < 0.01 * found["enhancing_l2_e4"]
    unlabelled = score_image(better, replace(trial, lesion=None))
    assert math.isnan(unlabelled["lesion_l2_e4"])
    assert math.isnan(unlabelled["lesion_psnr_db"])
    assert unlabelled["enhancing_l2_e4"] == found["enhancing_l2_e4"]


def test_what_is_wrong_in_the_lesion_alone_counts_more_there(trial):
    found = score_image(unchanged(trial), trial)
    assert found["lesion_l2_e4"] == pytest.approx(found["enhancing_l2_e4"])
    assert found["lesion_psnr_db"] == pytest.approx(found["enhancing_psnr_db"])
    assert found["enhancing_l2_e4"] / 1e4 > 10 * found["l2_e5"] / 1e5
    expected = -10 * math.log10(found["enhancing_l2_e4"] / 1e4)
    assert found["enhancing_psnr_db"] == pytest.approx(expected)


def test_a_case_where_nothing_enhances_has_no_number_there(cases, tmp_path):
    with np.load(cases[0]) as arrays:
        content = dict(arrays)
    path = tmp_path / "sub-9_ses-M000.npz"
    np.savez(path, **{**content, "enhanced": content["T1w"]})
    table = score_cases(unchanged, [cases[0], path])
    assert list(table["case"]) == ["sub-0_ses-M000", "sub-9_ses-M000"]
    assert list(table["enhancing_l2_e4"].isna()) == [False, True]
    assert SCORES["l2_e5"].badness(math.nan) == math.inf
    assert SCORES["psnr_db"].badness(30.0) < SCORES["psnr_db"].badness(20.0)
