"""The shipped templates, and which of them fits an image."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from clinica_gado.errors import ResourceError
from clinica_gado.preprocessing import templates
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES, MNI_GRID
from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.templates import (
    is_brain_only,
    load_template,
    load_user_template,
    template_brain,
)


def ball(radius_mm, background=0.0, noise=0.0):
    axes = np.mgrid[-60:60, -60:60, -60:60] * 2.0
    inside = np.sqrt((axes**2).sum(axis=0)) < radius_mm
    rng = np.random.default_rng(0)
    data = np.where(inside, rng.uniform(50, 100, inside.shape), background)
    data += noise * rng.random(inside.shape)
    return Volume(data.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))


@pytest.mark.parametrize("name", ["head", "brain"])
def test_a_shipped_template_is_on_the_grid_of_clinica_and_symmetric(name):
    template = load_template(name)
    assert template.volume.data.shape == MNI_GRID.shape
    np.testing.assert_array_equal(template.volume.data, template.volume.data[::-1])
    assert template.sha256 == templates.SHA256[f"template_{name}_T1w.nii.gz"]


def test_the_brain_template_is_the_brain_of_the_head_template():
    head, brain = load_template("head").volume.data, load_template("brain").volume.data
    inside = brain > 0
    np.testing.assert_array_equal(brain[inside], head[inside])
    assert 1200 < inside.sum() / 1000 < 2100


def test_an_altered_template_is_refused(monkeypatch):
    monkeypatch.setitem(templates.SHA256, "template_head_T1w.nii.gz", "0" * 64)
    with pytest.raises(ResourceError, match="missing or altered"):
        load_template("head")


def test_a_template_on_another_grid_is_refused(tmp_path):
    path = tmp_path / "t.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((10, 10, 10), np.float32), np.eye(4)), path)
    with pytest.raises(ResourceError, match="not on the 1 mm grid"):
        load_user_template(path)


def test_an_absent_template_is_refused(tmp_path):
    with pytest.raises(ResourceError, match="--template"):
        load_user_template(tmp_path / "absent.nii")


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        (ball(70), True),
        (ball(70, background=-1.0), True),
        (ball(95), False),
        (ball(70, noise=5.0), False),
    ],
    ids=["brain", "other background", "head size", "noise around"],
)
def test_a_brain_alone_is_constant_around_and_small(volume, expected):
    assert is_brain_only(volume) is expected


@pytest.mark.parametrize(
    ("volume_cm3", "expected"), [(1090, True), (1750, True), (2100, True), (2500, False)]
)
def test_as_acquired_the_largest_brain_is_smaller_than_the_smallest_head(volume_cm3, expected):
    radius_mm = (volume_cm3 * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
    assert is_brain_only(ball(radius_mm)) is expected


def test_a_brain_whose_top_is_missing_is_one_all_the_same():
    brain = load_template("brain").volume
    top = int(np.flatnonzero(brain.data.any(axis=(0, 1)))[-1])
    assert is_brain_only(Volume(brain.data[:, :, : top - 25], brain.affine))


def test_a_slab_of_a_head_is_no_brain_however_small():
    head = load_template("head").volume.data
    masked = np.where(head > np.quantile(head, 0.5), head, 0)[:, :, 80:170].copy()
    slab = Volume(masked, MNI_GRID.affine)
    assert (masked > 0).sum() / 1000 < 2300
    assert not is_brain_only(slab)


def test_at_the_templates_size_a_brain_with_a_margin_is_a_brain():
    grown = ndimage.binary_dilation(template_brain(), iterations=2)
    assert 2100 < grown.sum() / 1000 < 2250
    assert is_brain_only(Volume(grown.astype(np.float32), CROP_GRID.affine))


def test_at_the_templates_size_a_head_with_empty_air_is_no_brain():
    head = load_template("head").volume.data
    masked = np.where(head > np.quantile(head, 0.5), head, 0)
    assert not is_brain_only(Volume(masked, MNI_GRID.affine))
    assert not is_brain_only(Volume(masked[CROP_SLICES], CROP_GRID.affine))
