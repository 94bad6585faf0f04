"""t1-linear on whole heads: the image is the affine applied, the affine is right, reuse is safe.

Two registrations in all: an oblique image stored as PSR, and an oblique one of 5 mm slices.
"""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from scipy.io import loadmat

from clinica_gado.bids import Visit
from clinica_gado.caps import RemovalPaths, linear_paths
from clinica_gado.preprocessing import t1_linear
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.preprocessing.linear import LinearResult, change_in_native_space
from clinica_gado.preprocessing.t1_linear import LinearOptions, prepare_linear
from clinica_gado.preprocessing.templates import is_brain_only, load_template

ROOT = Path(__file__).parents[2]
BIDS = ROOT / "data_ci" / "bids"
REAL = ROOT / ".." / "shared" / "real"
SOURCES = {
    "oblique": (Visit("sub-ci02", "ses-M000"), "sub-ci02/anat/sub-ci02_ce-gadolinium_T1w.nii.gz"),
    "thick": (
        Visit("sub-ci03", "ses-M006"),
        "sub-ci03/ses-M006/anat/sub-ci03_ses-M006_ce-gadolinium_T1w.nii.gz",
    ),
}
AFFINE_OF_THE_2MM_IMAGE = np.array(
    [
        [0.8708, 0.0013, -0.0233, 2.5141],
        [0.0372, 0.8946, -0.1492, -5.9769],
        [0.0296, 0.1449, 0.8323, 26.4662],
        [0, 0, 0, 1],
    ]
)
"""Found for run 1 of sub-ci03 ses-M000: the head of the thick slices, in the same coordinates."""

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Prepared:
    """An image brought to the template, and what the registration returned before saving."""

    source: Path
    visit: Visit
    caps: Path
    paths: RemovalPaths
    result: LinearResult


@pytest.fixture(scope="module")
def prepare(tmp_path_factory):
    """Return a function that gives an image prepared; it is registered the first time only."""
    caps, known = tmp_path_factory.mktemp("caps"), {}

    def prepared(name):
        if name not in known:
            visit, relative = SOURCES[name]
            with pytest.MonkeyPatch.context() as patch:
                results = record_results(patch)
                paths = prepare_linear(BIDS / relative, visit, caps, LinearOptions())
            known[name] = Prepared(BIDS / relative, visit, caps, paths, results[0])
        return known[name]

    return prepared


def record_results(patch):
    """Keep what the registrations return."""
    results, run_linear = [], t1_linear.run_linear

    def run_and_keep(*arguments):
        results.append(run_linear(*arguments))
        return results[-1]

    patch.setattr(t1_linear, "run_linear", run_and_keep)
    return results


def forbid_registration(patch):
    def refuse(*arguments):
        raise AssertionError("the image was registered")

    patch.setattr(t1_linear, "run_linear", refuse)


def world_of_brain():
    """Return points of the template's brain in its world, (N, 3)."""
    brain = load_template("brain").volume
    return np.argwhere(brain.data[::8, ::8, ::8] > 0) * 8 + brain.affine[:3, 3]


def moved(points, matrix):
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def affine_of_file(path):
    """Read ITK's file without ITK: a matrix about a centre, between LPS worlds."""
    content = loadmat(path)
    parameters, centre = content["AffineTransform_double_3_3"].ravel(), content["fixed"].ravel()
    lps = np.eye(4)
    lps[:3, :3] = parameters[:9].reshape(3, 3)
    lps[:3, 3] = parameters[9:] + centre - lps[:3, :3] @ centre
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return flip @ lps @ flip


@pytest.mark.parametrize("name", SOURCES)
def test_the_saved_image_is_the_saved_affine_applied_to_the_corrected_image(prepare, name):
    prepared = prepare(name)
    saved = nib.load(prepared.paths.linear)
    assert saved.shape == (169, 208, 179)
    np.testing.assert_array_equal(saved.affine, CROP_GRID.affine)
    corrected = prepared.result.corrected
    matrix = affine_of_file(prepared.paths.affine)
    to_voxels = np.linalg.inv(corrected.affine) @ matrix @ saved.affine
    step, start = to_voxels[:3, :3], to_voxels[:3, 3]
    expected = ndimage.affine_transform(corrected.data, step, start, saved.shape, order=1)
    positions = np.tensordot(step, np.indices(saved.shape), 1) + start[:, None, None, None]
    limits = np.array(corrected.data.shape)[:, None, None, None] - 1
    inside = ((positions >= 0) & (positions <= limits)).all(axis=0)
    assert inside.mean() > 0.5
    difference = np.abs(saved.get_fdata() - expected)[inside]
    assert difference.max() < 1e-3 * corrected.data.max()


@pytest.mark.parametrize("name", SOURCES)
def test_the_registration_is_plausible_and_described(prepare, name):
    sidecar = json.loads(prepare(name).paths.linear_sidecar.read_text())
    assert sidecar["Registration"]["flags"] == []
    assert sidecar["Template"] == "head"
    assert sidecar["TemplateSha256"] == load_template("head").sha256
    assert sidecar["Reused"] is False
    assert sidecar["SkullStripped"] is False


def test_two_acquisitions_of_a_head_are_registered_alike(prepare):
    points = world_of_brain()
    found = moved(points, prepare("thick").result.mni_to_native)
    distances = np.linalg.norm(found - moved(points, AFFINE_OF_THE_2MM_IMAGE), axis=1)
    assert distances.mean() < 3
    assert distances.max() < 6


@pytest.mark.parametrize("name", SOURCES)
def test_an_image_goes_to_the_template_and_back(prepare, name):
    result = prepare(name).result
    brain = load_template("brain").volume.data[CROP_SLICES] > 0
    on_crop = Volume(brain.astype(np.float32), CROP_GRID.affine)
    native, matrix = result.corrected, result.mni_to_native
    inside = change_in_native_space(on_crop, matrix, native).data > 0.9
    back = change_in_native_space(result.cropped, matrix, native).data
    # One voxel off gives .95 and less.
    assert np.corrcoef(back[inside], native.data[inside])[0, 1] > 0.985


def test_what_was_prepared_is_not_prepared_again(prepare, monkeypatch):
    forbid_registration(monkeypatch)
    prepared = prepare("oblique")
    before = prepared.paths.linear.stat().st_mtime_ns
    again = prepare_linear(prepared.source, prepared.visit, prepared.caps, LinearOptions())
    assert again == prepared.paths
    assert again.linear.stat().st_mtime_ns == before


def test_another_template_is_not_mistaken_for_the_one_used_before(prepare, monkeypatch, tmp_path):
    prepared = prepare("oblique")
    shutil.copytree(prepared.caps, tmp_path / "caps")
    options = LinearOptions(template=save_head_template(tmp_path))
    forbid_registration(monkeypatch)
    with pytest.raises(AssertionError, match="was registered"):
        prepare_linear(prepared.source, prepared.visit, tmp_path / "caps", options)


def save_head_template(folder):
    save_volume(load_template("head").volume, folder / "template.nii.gz")
    return folder / "template.nii.gz"


def leave_t1_linear(prepared, caps, data):
    """Write an image and the affine under the names of Clinica's t1-linear."""
    found = linear_paths(caps, prepared.source, prepared.visit)
    save_volume(Volume(data, CROP_GRID.affine), found.cropped)
    shutil.copyfile(prepared.paths.affine, found.affine)
    return found


def warp(data):
    """Move the voxels smoothly by some 2 mm, 7 mm at most, as SyN does."""
    rng = np.random.default_rng(0)
    coarse = [ndimage.gaussian_filter(rng.normal(size=(22, 27, 23)), 2) for _ in range(3)]
    shape = [size / coarse[0].shape[axis] for axis, size in enumerate(data.shape)]
    field = np.stack([ndimage.zoom(axis, shape, order=1) for axis in coarse])
    field *= 2.2 / np.median(np.linalg.norm(field, axis=0))
    return ndimage.map_coordinates(data, np.indices(data.shape) + field, order=1)


@pytest.mark.parametrize("name", SOURCES)
def test_the_image_of_clinica_is_reused(prepare, name, monkeypatch, tmp_path):
    prepared = prepare(name)
    found = leave_t1_linear(prepared, tmp_path, prepared.result.cropped.data)
    forbid_registration(monkeypatch)
    paths = prepare_linear(prepared.source, prepared.visit, tmp_path, LinearOptions())
    sidecar = json.loads(paths.linear_sidecar.read_text())
    assert sidecar["Reused"] is True
    assert "TemplateSha256" not in sidecar
    np.testing.assert_array_equal(
        nib.load(paths.linear).get_fdata(), nib.load(found.cropped).get_fdata()
    )
    np.testing.assert_allclose(
        affine_of_file(paths.affine), prepared.result.mni_to_native, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["warped", "shifted", "unreadable"])
@pytest.mark.parametrize("name", SOURCES)
def test_an_image_that_is_not_its_affine_is_not_reused(
    prepare, name, kind, monkeypatch, caplog, tmp_path
):
    prepared = prepare(name)
    data = prepared.result.cropped.data
    change = {"warped": warp, "shifted": lambda image: np.roll(image, 2, axis=0)}
    found = leave_t1_linear(prepared, tmp_path, change.get(kind, np.copy)(data))
    if kind == "unreadable":
        found.affine.write_bytes(b"no affine")
    monkeypatch.setattr(t1_linear, "run_linear", lambda *arguments: prepared.result)
    with caplog.at_level(logging.WARNING, logger="clinica_gado"):
        paths = prepare_linear(prepared.source, prepared.visit, tmp_path, LinearOptions())
    assert json.loads(paths.linear_sidecar.read_text())["Reused"] is False
    assert "registered again" in caplog.text
    np.testing.assert_array_equal(nib.load(paths.linear).get_fdata(), data)


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/real is not here")
def test_brain_only_images_are_told_from_heads():
    images = sorted(REAL.glob("sub-*/ses-*/anat/*T1w.nii.gz"))
    assert len(images) > 30
    with_skull = ("sub-plain", "sub-val06", "sub-val07")
    wrong = [
        path.name
        for path in images
        if is_brain_only(read_volume(path)) is path.name.startswith(with_skull)
    ]
    assert wrong == []


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/real is not here")
def test_a_brain_only_image_fills_the_brain_of_the_template(tmp_path):
    source = REAL / "sub-val01/ses-M000/anat/sub-val01_ses-M000_ce-gadolinium_T1w.nii.gz"
    paths = prepare_linear(source, Visit("sub-val01", "ses-M000"), tmp_path, LinearOptions())
    sidecar = json.loads(paths.linear_sidecar.read_text())
    assert sidecar["Registration"]["flags"] == []
    assert sidecar["Template"] == "brain"
    assert sidecar["SkullStripped"] is True
    found = read_volume(paths.linear).data > 0
    wanted = load_template("brain").volume.data[CROP_SLICES] > 0
    assert 2 * (found & wanted).sum() / (found.sum() + wanted.sum()) > 0.9
