"""A case on the scales of a network, and visits that become cases."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from clinica_gado.bids import InputFile, InputJob, Visit
from clinica_gado.errors import InputImageError
from clinica_gado.evaluation import lesions
from clinica_gado.inference.inputs import Rules
from clinica_gado.inference.normalisation import PercentileMedian, ZScore
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.studies.scoring import score_image
from clinica_gado.training import cases
from clinica_gado.training.cases import (
    Case,
    in_own_style,
    load_case,
    prepare_cases,
    scale_case,
)
from clinica_gado.training.validation import trial_of_case
from clinica_gado.validation import enhanced_lesions
from clinica_gado.virtual_enhancement import EnhancementSettings

SHAPE = (6, 6, 6)
BRAIN = np.zeros(SHAPE, dtype=bool)
BRAIN[1:5, 1:5, 1:5] = True
T1W = np.random.default_rng(0).uniform(80, 120, SHAPE).astype(np.float32)


def case(**changes):
    given = {"images": {"T1w": T1W}, "wanted": 3 * T1W, "same_scale": False, **changes}
    return Case(name="a", brain=BRAIN, mask=np.ones(SHAPE, dtype=bool), **given)


def rules(rule, *names):
    return Rules(rule, dict.fromkeys(names, rule))


def test_the_gain_of_another_scan_is_no_enhancement():
    pair = scale_case(case(), rules(PercentileMedian(), "T1w"))
    np.testing.assert_allclose(pair.target, pair.source[0], rtol=1e-5)


def test_on_one_scale_the_enhanced_image_keeps_its_units():
    pair = scale_case(case(same_scale=True), rules(PercentileMedian(), "T1w"))
    np.testing.assert_allclose(pair.target, 3 * pair.source[0], rtol=1e-5)


def test_a_missing_image_is_zero_and_images_are_in_the_order_of_the_rules():
    given = case(images={"FLAIR": 2 * T1W, "T1w": T1W})
    pair = scale_case(given, rules(PercentileMedian(), "T1w", "T2w", "FLAIR"))
    assert [bool(channel.any()) for channel in pair.source] == [True, False, True]
    assert float(np.median(pair.source[0][BRAIN])) == pytest.approx(0.5)


def test_a_network_of_the_brain_alone_sees_nothing_around_it():
    pair = scale_case(case(), rules(ZScore(-2.0, 2.0), "T1w"))
    assert not pair.source[:, ~BRAIN].any()
    assert not pair.target[~BRAIN].any()
    assert np.array_equal(pair.mask, BRAIN)


def two_scans():
    """Return a case whose images are of two sequences and gains, with a vessel, and where it is."""
    rng = np.random.default_rng(3)
    shape = (32, 32, 32)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    plain = (100 + 40 * smooth / smooth.std()).clip(20, 200)
    vessel = np.zeros(shape, dtype=bool)
    vessel[10:22, 15:18, 15:18] = True
    t1w = (plain + rng.normal(0, 1, shape)).astype(np.float32)
    enhanced = (2 * (0.6 * plain + 40) + rng.normal(0, 1, shape) + 200 * vessel).astype(np.float32)
    everywhere = np.ones(shape, dtype=bool)
    return Case("a", {"T1w": t1w}, enhanced, everywhere, everywhere), vessel


def test_in_its_own_style_a_case_differs_from_its_first_image_by_the_agent_alone():
    case, vessel = two_scans()
    own = in_own_style(case)
    gain = np.median(case.images["T1w"]) / np.median(case.wanted)
    change = own.wanted - case.images["T1w"]
    assert change[vessel].mean() == pytest.approx(200 * gain, rel=0.05)
    away = ~ndimage.binary_dilation(vessel, iterations=2)
    assert change[away].mean() < 0.2
    assert own.same_scale


def test_images_of_one_scale_are_of_one_style_already():
    simulated = case(same_scale=True)
    assert in_own_style(simulated) is simulated


def test_a_prepared_case_is_read_with_the_target_asked_for(tmp_path):
    case, _ = two_scans()
    file = tmp_path / "a.npz"
    np.savez(file, **case.images, enhanced=case.wanted, brain=case.brain)
    np.testing.assert_array_equal(load_case(file).wanted, case.wanted)
    np.testing.assert_array_equal(load_case(file, "added").wanted, in_own_style(case).wanted)


@pytest.fixture
def job(tmp_path):
    source = tmp_path / "sub-1_ses-M000_T1w.nii.gz"
    return InputJob(Visit("sub-1", "ses-M000"), {"T1w": InputFile(source)}, reference=source)


@pytest.fixture
def settings(tmp_path):
    return EnhancementSettings(tmp_path / "bids", tmp_path / "caps")


@pytest.fixture
def made(monkeypatch):
    """Put a T1w and an enhanced image in place of what is prepared; return what was asked for."""
    made = []
    monkeypatch.setattr(cases, "preprocess", lambda job, settings: made.append("inputs"))
    monkeypatch.setattr(cases, "align_real", lambda job, settings: made.append("real"))
    monkeypatch.setattr(cases, "read_brain", lambda paths: BRAIN)
    monkeypatch.setattr(cases, "read_images", lambda job, caps: {"T1w": T1W})
    enhanced = np.where(BRAIN, 2 * T1W, np.float32(0))
    volume = type("Volume", (), {"data": enhanced})
    monkeypatch.setattr(cases, "read_volume", lambda path: volume)
    return made


def test_a_prepared_case_is_what_the_pipeline_prepared_and_is_made_once(
    job, settings, tmp_path, made
):
    first = prepare_cases([job], tmp_path / "cache", settings)
    assert prepare_cases([job], tmp_path / "cache", settings) == first
    assert made == ["inputs", "real"]
    found = load_case(first[0])
    np.testing.assert_array_equal(found.images["T1w"], T1W)
    np.testing.assert_array_equal(found.mask, BRAIN)
    assert not found.same_scale
    assert found.lesion is None


def test_a_case_of_other_images_or_another_route_is_prepared_anew(
    job, settings, tmp_path, made, caplog
):
    caplog.set_level(logging.INFO)
    fast = replace(settings, linear=LinearOptions("fast"))
    other = replace(job, reference=tmp_path / "sub-1_ses-M000_acq-other_T1w.nii.gz")
    for given, how in ((job, settings), (job, fast), (other, fast), (other, fast)):
        prepare_cases([given], tmp_path / "cache", how)
    assert made.count("inputs") == 3
    assert caplog.text.count("is of other images or another preprocessing") == 2


@pytest.fixture
def draw(settings, monkeypatch):
    """Return what draws lesion labels of the visit, (X, Y, Z), which lie on the template's grid."""
    monkeypatch.setattr(lesions, "CROP_GRID", replace(CROP_GRID, shape=SHAPE))
    monkeypatch.setattr(enhanced_lesions, "read_itk_affine", lambda path: np.eye(4))
    anat = settings.bids / "derivatives/lesions/sub-1/ses-M000/anat"
    anat.mkdir(parents=True)

    def draw_labels(labels):
        image = nib.Nifti1Image(labels.astype(np.uint8), CROP_GRID.affine)
        nib.save(image, anat / "sub-1_ses-M000_dseg.nii.gz")

    return draw_labels


def test_a_case_kept_from_before_its_lesions_were_labelled_is_prepared_with_them(
    job, settings, tmp_path, made, draw
):
    def lesion_of(wanted):
        (file,) = prepare_cases([job], tmp_path / "cache", wanted)
        return load_case(file).lesion

    assert lesion_of(settings) is None
    labels = np.zeros(SHAPE)
    labels[2:4, 2, 2], labels[3:5, 4, 4], labels[4, 2, 2] = 4, 3, 2
    draw(labels)
    np.testing.assert_array_equal(lesion_of(settings), np.isin(labels, (3, 4)))
    assert made.count("inputs") == 2
    assert lesion_of(settings).any()
    assert made.count("inputs") == 2
    oedema = replace(settings, enhancing_labels=(2,))
    np.testing.assert_array_equal(lesion_of(oedema), labels == 2)
    draw(labels == 0)
    assert not lesion_of(settings).any()
    assert made.count("inputs") == 4


def test_a_labelled_lesion_of_a_real_visit_is_scored(job, settings, tmp_path, made, draw):
    labels = np.zeros(SHAPE)
    labels[2:4, 2:4, 2:4] = 3
    draw(labels)
    (file,) = prepare_cases([job], tmp_path / "cache", settings)
    trial = trial_of_case(file)
    assert list(trial.images) == ["T1w"]
    better = np.where(labels == 3, trial.wanted, 1.1 * trial.wanted)
    scores = score_image(better, trial)
    assert np.isfinite([scores["lesion_l2_e4"], scores["lesion_psnr_db"]]).all()


def test_a_visit_without_an_enhanced_image_is_kept_apart_from_one_with_it(
    job, settings, tmp_path, monkeypatch
):
    monkeypatch.setattr(cases, "preprocess", lambda job, settings: None)
    monkeypatch.setattr(cases, "read_brain", lambda paths: BRAIN)
    monkeypatch.setattr(cases, "read_images", lambda job, caps: {"T1w": T1W, "ADC": 2 * T1W})
    (file,) = prepare_cases([replace(job, reference=None)], tmp_path / "cache", settings)
    assert file.parent.name == "T1w-alone"
    found = load_case(file, "ADC")
    assert list(found.images) == ["T1w"]
    np.testing.assert_array_equal(found.wanted, 2 * T1W)


def test_a_visit_that_cannot_be_prepared_is_left_out_with_its_reason(
    job, settings, tmp_path, monkeypatch, caplog
):
    def fail(job, settings):
        raise InputImageError(f"{job.source.name} is truncated; copy it again")

    monkeypatch.setattr(cases, "preprocess", fail)
    with caplog.at_level(logging.WARNING):
        assert prepare_cases([job], tmp_path / "cache", settings) == []
    assert "is truncated; copy it again; this visit is left out." in caplog.text
    assert not list(Path(tmp_path).rglob("*.npz"))
