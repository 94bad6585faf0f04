"""Measures of a visit: made once, and again when what they mean has changed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from clinica_gado.caps import read_sidecar, removal_paths
from clinica_gado.evaluation import contrast_index
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.segmentation.segmenter import TissueMaps
from clinica_gado.validation import measures
from clinica_gado.validation.measures import image_paths, is_measured, measure_visit

SHAPE = (32, 32, 32)


@pytest.fixture(autouse=True)
def small_atlas(monkeypatch):
    """Put a ball of white matter with three regions in the place of the template."""
    radius = np.sqrt(((np.mgrid[:32, :32, :32] - 15.5) ** 2).sum(axis=0))
    brain = radius < 15
    regions = np.zeros(SHAPE, np.uint8)
    for label, x in ((1, 8), (2, 15), (3, 22)):
        regions[x : x + 4, 10:20, 10:20] = label
    none = np.zeros(SHAPE, np.float32)
    priors = TissueMaps(none, brain.astype(np.float32), none)
    monkeypatch.setattr(measures, "template_brain", lambda: brain)
    monkeypatch.setattr(contrast_index, "template_brain", lambda: brain)
    monkeypatch.setattr(measures, "load_enhancing_regions", lambda: regions)
    monkeypatch.setattr(measures, "load_tissue_priors", lambda: priors)


@pytest.fixture
def job(make_visit, caps):
    """Return a visit whose images are a gradient, enhanced in a cube that synthesis takes away."""
    job = make_visit()
    plain = 100 + np.add.outer(np.add.outer(np.arange(32), np.arange(32)), np.arange(32))
    for role, path in image_paths(job, caps).items():
        image = plain.astype(np.float32)
        image[12:20, 12:20, 12:20] *= {"ce": 2.0, "synthetic": 1.1, "nce": 1.0}[role]
        save_volume(Volume(image, CROP_GRID.affine), path)
    return job


def measured(job, caps):
    return read_sidecar(removal_paths(caps, job.source, job.visit).measures)


def test_what_is_measured_is_not_measured_again(job, caps):
    assert not is_measured(job, caps)
    measure_visit(job, caps)
    assert is_measured(job, caps)


def test_other_images_are_measured_again(job, caps):
    measure_visit(job, caps)
    image = removal_paths(caps, job.source, job.visit).image
    save_volume(Volume(np.ones(SHAPE, np.float32), CROP_GRID.affine), image)
    assert not is_measured(job, caps)


def test_without_a_reference_that_was_withdrawn_they_are_made_again(job, caps):
    measure_visit(job, caps)
    alone = replace(job, reference=None)
    assert not is_measured(alone, caps)
    measure_visit(alone, caps)
    assert is_measured(alone, caps)
    assert measured(alone, caps)["Similarity"] == {}


def test_other_definitions_are_measured_again(job, caps, monkeypatch):
    measure_visit(job, caps)
    changed = {**measures.SIMILARITY_DEFINITIONS, "psnr_db_as_is": "in other words"}
    monkeypatch.setattr(measures, "SIMILARITY_DEFINITIONS", changed)
    measures.describe_measures.cache_clear()
    assert not is_measured(job, caps)
    monkeypatch.undo()
    measures.describe_measures.cache_clear()
    assert is_measured(job, caps)


def test_measures_without_a_definition_are_of_an_older_version(job, caps):
    measure_visit(job, caps)
    path = removal_paths(caps, job.source, job.visit).measures
    content = json.loads(path.read_text())
    del content["Definition"]
    path.write_text(json.dumps(content))
    assert not is_measured(job, caps)


def test_the_numbers_are_those_of_this_version(job, caps):
    """Raise `VERSION` with these numbers: CAPS holds measures made before."""
    measure_visit(job, caps)
    content = measured(job, caps)
    assert content["Definition"]["Version"] == measures.VERSION == 2
    found = {
        "choroid before": content["Contrast"]["choroid_index_before"],
        "choroid after": content["Contrast"]["choroid_index_after"],
        "darkened": content["Contrast"]["darkened_percent"],
        "psnr": content["Similarity"]["synthetic"]["psnr_db_as_is"],
        "matched": content["Similarity"]["synthetic"]["psnr_db_matched"],
        "ssim": content["Similarity"]["synthetic"]["ssim_as_is"],
        "p1": content["Similarity"]["ce"]["p1_psnr_db"],
    }
    assert found == pytest.approx(NUMBERS, rel=1e-3)


NUMBERS = {
    "choroid before": 2.0544,
    "choroid after": 1.1299,
    "darkened": 3.573,
    "psnr": 36.046403,
    "matched": 36.047112,
    "ssim": 0.945567,
    "p1": 34.49387,
}
