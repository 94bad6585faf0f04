"""The lesions of a visit: contrast, likeness, what is known of them, and healthy brain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clinica_gado.caps import (
    read_sidecar,
)
from clinica_gado.evaluation import lesion_contrast as lesion_contrast_module
from clinica_gado.evaluation.lesion_contrast import healthy_white_matter, lesion_contrast
from clinica_gado.evaluation.lesions import Lesions
from clinica_gado.evaluation.tumour import tumour_metrics
from clinica_gado.preprocessing.images import read_volume
from clinica_gado.roles import CE, LOW_DOSE, SYNTHETIC, T1W
from clinica_gado.segmentation.segmenter import TissueMaps
from clinica_gado.validation import enhanced_lesions, enhancement
from clinica_gado.validation.enhanced_lesions import lesions_key, measure_lesions, read_lesions
from clinica_gado.validation.enhancement import (
    is_validated,
    validate_visit,
)
from clinica_gado.virtual_enhancement import paths_of, read_brain

SHAPE = (20, 20, 20)
BRAIN = np.sqrt(((np.indices(SHAPE) - 9.5) ** 2).sum(axis=0)) < 8


def test_lesions_are_measured_in_every_image(monkeypatch, make_images):
    given, labels = make_images(gain=3.0), np.zeros(SHAPE, np.int16)
    labels[8:12, 8:12, 8:12], labels[3:5, 9, 9] = 4, 2
    white = np.zeros(SHAPE, np.float32)
    white[BRAIN & (np.indices(SHAPE).max(axis=0) < 7)] = 1
    priors = TissueMaps(white, white, white)
    monkeypatch.setattr(enhanced_lesions, "load_tissue_priors", lambda: priors)
    monkeypatch.setattr(lesion_contrast_module, "HEALTHY_DISTANCE_MM", 2.0)
    lesions = Lesions(labels > 0, labels == 4)
    found = measure_lesions(given, lesions, BRAIN)
    assert found["enhancing_lesion_cm3"] == pytest.approx(0.064)
    healthy = healthy_white_matter(white > 0, labels > 0, (1, 1, 1))
    for role in (SYNTHETIC, CE):
        expected = lesion_contrast(given[role], labels == 4, healthy, given[T1W])
        assert found[f"cnr_{role}"] == expected["cnr"]
        assert found[f"cep_percent_{role}"] == expected["cep_percent"]
    assert found["cep_percent_ce"] == pytest.approx(100, rel=1e-3)
    assert np.isnan(found["cep_percent_t1w"])
    seen = BRAIN & (given[T1W] > 0)
    expected = tumour_metrics(given[SYNTHETIC], given[CE], seen, seen & (labels > 0), labels == 4)
    assert {name: found[f"{name}_synthetic"] for name in expected} == expected
    assert found["p3_tumour_psnr_db_synthetic"] > found["p3_tumour_psnr_db_t1w"]
    assert "p3_tumour_psnr_db_ce" not in found
    none = np.zeros(SHAPE, dtype=bool)
    alone = measure_lesions(given, Lesions(labels > 0, none), BRAIN)
    assert alone == {"enhancing_lesion_cm3": 0}


def test_what_the_model_left_empty_counts(monkeypatch, make_images):
    """A synthetic lesion of which 95 % is missing must not look the better for it."""
    given, labels = make_images(), np.zeros(SHAPE, bool)
    labels[8:12, 8:12, 8:12] = True
    white = np.zeros(SHAPE, np.float32)
    monkeypatch.setattr(
        enhanced_lesions, "load_tissue_priors", lambda: TissueMaps(white, white, white)
    )
    erased = given[SYNTHETIC].copy()
    erased[labels & (np.indices(SHAPE)[2] > 8)] = 0
    whole, hollow = (
        measure_lesions({**given, SYNTHETIC: image}, Lesions(labels, labels), BRAIN)
        for image in (given[SYNTHETIC], erased)
    )
    assert hollow["enhancing_lesion_cm3"] == whole["enhancing_lesion_cm3"] == 0.064
    assert hollow["p2_tumour_l2_e4_synthetic"] > 10 * whole["p2_tumour_l2_e4_synthetic"]


def test_enhancement_is_that_over_the_t1w_without_contrast_alone(monkeypatch, make_images):
    given, inside = make_images(), np.zeros(SHAPE, bool)
    inside[8:12, 8:12, 8:12] = True
    white = (BRAIN & (np.indices(SHAPE).max(axis=0) < 7)).astype(np.float32)
    priors = TissueMaps(white, white, white)
    monkeypatch.setattr(enhanced_lesions, "load_tissue_priors", lambda: priors)
    monkeypatch.setattr(lesion_contrast_module, "HEALTHY_DISTANCE_MM", 2.0)
    lesions = Lesions(inside, inside)
    low = np.where(inside, 1.3 * given[T1W], given[T1W])
    found = measure_lesions({**given, LOW_DOSE: 5 * low}, lesions, BRAIN)
    assert found["cep_percent_lowdose"] == pytest.approx(30, rel=1e-3)
    assert found["lbr_t1w"] < found["lbr_lowdose"] < found["lbr_ce"]
    alone = measure_lesions({LOW_DOSE: low, SYNTHETIC: given[SYNTHETIC]}, lesions, BRAIN)
    assert alone["cnr_synthetic"] == found["cnr_synthetic"]
    assert np.isnan(alone["cep_percent_synthetic"])
    assert np.isnan(alone["cep_percent_lowdose"])


def test_lesions_without_healthy_white_matter_are_compared_with_the_real_image(
    monkeypatch, make_images
):
    given, inside = make_images(), np.zeros(SHAPE, bool)
    inside[8:12, 8:12, 8:12] = True
    none = np.zeros(SHAPE, np.float32)
    monkeypatch.setattr(
        enhanced_lesions, "load_tissue_priors", lambda: TissueMaps(none, none, none)
    )
    found = measure_lesions(given, Lesions(inside, inside), BRAIN)
    assert "cnr_synthetic" not in found
    assert found["p2_tumour_l2_e4_synthetic"] < found["p2_tumour_l2_e4_t1w"]
    del given[CE]
    found = measure_lesions(given, Lesions(inside, inside), BRAIN)
    assert found == {"enhancing_lesion_cm3": 0.064}


def test_axes_in_a_table_are_measured_once_per_change(visit, settings, monkeypatch, tmp_path):
    job, _ = visit
    grid = replace(enhanced_lesions.CROP_GRID, shape=(16, 16, 16), origin=(0, 0, 0))
    monkeypatch.setattr(enhanced_lesions, "CROP_GRID", grid)
    to_native = np.eye(4)
    to_native[0, 3] = 3  # the table is in the world of the T1w
    monkeypatch.setattr(enhanced_lesions, "read_itk_affine", lambda path: to_native)
    table = tmp_path / "axes.tsv"
    ends = {"long": ((7, 8, 8), (13, 8, 8)), "short": ((10, 6, 8), (10, 10, 8))}
    cells = {
        f"{axis}_{letter}{end}": point[k]
        for axis, both in ends.items()
        for end, point in enumerate(both, start=1)
        for k, letter in enumerate("xyz")
    }
    rows = pd.DataFrame([{"participant_id": "sub-01", "session_id": "ses-M000", **cells}])
    rows.to_csv(table, sep="\t", index=False)
    wanted = replace(settings, lesions=table)
    lesions = read_lesions(job, wanted)
    assert lesions.enhancing[7, 8, 8]  # the centre, moved by 3 mm
    assert lesions.whole.sum() == pytest.approx(6 * 4 / 2, abs=5)
    assert set(np.argwhere(lesions.whole)[:, 2]) == {8}
    key = lesions_key(job, wanted)
    pd.concat([rows, rows.assign(participant_id="sub-02")]).to_csv(table, sep="\t", index=False)
    assert lesions_key(job, wanted) == key
    rows.assign(long_x1=6).to_csv(table, sep="\t", index=False)
    assert lesions_key(job, wanted) != key
    rows.assign(participant_id="sub-02").to_csv(table, sep="\t", index=False)
    assert lesions_key(job, wanted) is None
    assert read_lesions(job, wanted) is None


def test_labels_drawn_later_are_measured_later(visit, settings, monkeypatch):
    job, _ = visit
    validate_visit(job, settings)
    moved = np.zeros((16, 16, 16), np.int16)
    moved[7:9, 7:9, 7:9] = 3
    monkeypatch.setattr(enhanced_lesions, "read_itk_affine", lambda path: np.eye(4))
    monkeypatch.setattr(enhanced_lesions, "move_labels", lambda path, matrix: moved)
    white = np.ones(moved.shape, np.float32)
    monkeypatch.setattr(
        enhanced_lesions, "load_tissue_priors", lambda: TissueMaps(white, white, white)
    )
    labels = settings.bids / "derivatives/lesions/sub-01/ses-M000/anat/sub-01_dseg.nii.gz"
    labels.parent.mkdir(parents=True)
    labels.write_bytes(b"labels")
    assert not is_validated(job, settings)
    validate_visit(job, settings)
    measured = read_sidecar(paths_of(job, settings).measures)["Contrast"]
    assert measured["enhancing_lesion_cm3"] == 0.008
    assert is_validated(job, settings)
    assert not is_validated(job, replace(settings, enhancing_labels=(1,)))


def test_a_mask_of_healthy_brain_takes_the_place_of_white_matter(visit, settings, monkeypatch):
    job, _ = visit
    grid = replace(enhanced_lesions.CROP_GRID, shape=(16, 16, 16), origin=(0, 0, 0))
    monkeypatch.setattr(enhanced_lesions, "CROP_GRID", grid)
    moved = {"dseg": np.zeros(grid.shape, np.int16), "mask": np.zeros(grid.shape, np.int16)}
    moved["dseg"][7:9, 7:9, 7:9] = 3
    moved["mask"][6:12, 4:7, 4:8] = 1
    monkeypatch.setattr(enhanced_lesions, "read_itk_affine", lambda path: np.eye(4))
    monkeypatch.setattr(
        enhanced_lesions,
        "move_labels",
        lambda path, matrix: moved["mask" if "_mask" in path.name else "dseg"],
    )
    white = np.ones(grid.shape, np.float32)
    monkeypatch.setattr(
        enhanced_lesions, "load_tissue_priors", lambda: TissueMaps(white, white, white)
    )
    monkeypatch.setattr(lesion_contrast_module, "HEALTHY_DISTANCE_MM", 2.0)
    healthy = settings.bids.parent / "healthy"
    for folder, suffix in ((settings.bids / "derivatives/lesions", "dseg"), (healthy, "mask")):
        anat = folder / "sub-01/ses-M000/anat"
        anat.mkdir(parents=True)
        (anat / f"sub-01_{suffix}.nii.gz").write_bytes(suffix.encode())
    wanted = replace(settings, healthy=healthy)
    validate_visit(job, settings)
    by_rule = read_sidecar(paths_of(job, settings).measures)["Contrast"]
    assert not is_validated(job, wanted)
    validate_visit(job, wanted)
    by_mask = read_sidecar(paths_of(job, settings).measures)["Contrast"]
    assert (by_rule["healthy_brain"], by_mask["healthy_brain"]) == ("white matter", "mask")
    t1w = read_volume(paths_of(job, settings).linear).data
    inside = (moved["mask"] > 0) & read_brain(paths_of(job, settings))
    lesion = t1w[7:9, 7:9, 7:9].mean(dtype=float)
    assert by_mask["lbr_t1w"] == pytest.approx(lesion / t1w[inside].mean(dtype=float), abs=1e-5)
    assert by_mask["lbr_t1w"] != by_rule["lbr_t1w"]
    assert is_validated(job, wanted)
    assert not is_validated(job, settings)
    next(healthy.rglob("*_mask.nii.gz")).write_bytes(b"drawn anew")
    assert not is_validated(job, wanted)


def test_where_masks_are_asked_for_a_visit_without_one_has_no_contrast(
    visit, settings, monkeypatch, caplog, tmp_path
):
    job, _ = visit
    grid = replace(enhanced_lesions.CROP_GRID, shape=(16, 16, 16))
    monkeypatch.setattr(enhanced_lesions, "CROP_GRID", grid)
    lesion = np.zeros(grid.shape, bool)
    lesion[7:9, 7:9, 7:9] = True
    monkeypatch.setattr(enhancement, "lesions_key", lambda job, settings: "known")
    monkeypatch.setattr(enhancement, "read_lesions", lambda job, settings: Lesions(lesion, lesion))
    wanted = replace(settings, healthy=tmp_path)
    validate_visit(job, wanted)
    measured = read_sidecar(paths_of(job, wanted).measures)["Contrast"]
    assert "p3_tumour_psnr_db_synthetic" in measured
    assert "cnr_synthetic" not in measured
    assert "healthy_brain" not in measured
    assert "no mask" in caplog.text
    assert is_validated(job, wanted)
