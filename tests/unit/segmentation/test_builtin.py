"""The built-in segmenter on a phantom of three shells, its atlas a little off."""

from __future__ import annotations

import tempfile

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from clinica_gado.evaluation.overlap import dice
from clinica_gado.segmentation.builtin import BuiltinSegmenter, Parameters
from clinica_gado.segmentation.deformed_atlas import Atlas, HeadParameters
from clinica_gado.segmentation.segmenter import TISSUES, TissueMaps
from clinica_gado.segmentation.unified import UnifiedParameters

AFFINE = np.diag([5.0, 5.0, 5.0, 1.0])
LEVELS = {"graymatter": 70.0, "whitematter": 100.0, "csf": 30.0}
SCALP = 120.0


def shells(scale=1.0):
    """Return white matter in grey matter in CSF, and the radius in mm, (32, 32, 32)."""
    radius = np.sqrt(((np.mgrid[:32, :32, :32] - 15.5) ** 2).sum(axis=0)) * 5.0 / scale
    white, grey, csf = radius < 38, (radius >= 38) & (radius < 52), (radius >= 52) & (radius < 64)
    return {"graymatter": grey, "whitematter": white, "csf": csf}, radius


def paint(tissues, noise=0.0):
    image = sum(LEVELS[tissue] * mask for tissue, mask in tissues.items())
    noisy = image + noise * np.random.default_rng(0).standard_normal(image.shape)
    return np.where(image > 0, np.maximum(noisy, 1.0), 0.0).astype(np.float32)


@pytest.fixture(scope="module")
def segmenter():
    tissues, radius = shells(1.05)
    priors = TissueMaps(*(0.9 * tissues[tissue].astype(np.float32) for tissue in TISSUES))
    brain = paint(tissues)
    head = np.where((radius > 68) & (radius < 75), np.float32(SCALP), brain)
    parameters = Parameters(
        HeadParameters(deformation_mm=5.0, deformation_iterations=(5, 5, 2)),
        UnifiedParameters(step=1, prior_sigma_mm=0.5, deformation_rounds=2),
    )
    return BuiltinSegmenter(parameters, Atlas(priors, head, AFFINE, {"tissue_priors": "0"}))


@pytest.fixture
def brain(tmp_path):
    tissues, _ = shells()
    path = tmp_path / "brain.nii.gz"
    nib.save(nib.Nifti1Image(paint(tissues, noise=3.0), AFFINE), path)
    return path


@pytest.fixture
def head(tmp_path):
    tissues, radius = shells()
    image = paint(tissues, noise=3.0)
    image[(radius > 68) & (radius < 75)] = SCALP
    image[radius >= 75] = 0.5 + np.random.default_rng(1).random((radius >= 75).sum())
    path = tmp_path / "head.nii.gz"
    nib.save(nib.Nifti1Image(image, AFFINE), path)
    return path


def segment(segmenter, *images):
    found = {}
    failures = segmenter.segment(images, found.__setitem__)
    return found, failures


@pytest.mark.parametrize("name", ["brain", "head"])
def test_the_tissues_of_a_phantom_are_found(segmenter, name, request):
    image = request.getfixturevalue(name)
    found, failures = segment(segmenter, image)
    assert not failures
    for tissue, mask in shells()[0].items():
        assert dice(getattr(found[image], tissue) > 0.5, mask) > 0.9


@pytest.mark.parametrize("name", ["brain", "head"])
def test_probabilities_are_in_range_and_only_in_the_brain(segmenter, name, request):
    image = request.getfixturevalue(name)
    maps = segment(segmenter, image)[0][image]
    total = sum(getattr(maps, tissue) for tissue in TISSUES)
    grey, white, csf = (shells()[0][tissue] for tissue in TISSUES)
    assert all(getattr(maps, tissue).dtype == np.float32 for tissue in TISSUES)
    assert total.max() <= 1.001
    assert min(getattr(maps, tissue).min() for tissue in TISSUES) >= 0
    assert (total[grey | white] > 0.5).mean() > 0.98
    if name == "head":  # a brain's priors have a class beside the tissues, a head's brain has not
        np.testing.assert_allclose(total[grey | white], 1.0, atol=1e-3)
    far = ~ndimage.binary_dilation(grey | white | csf, iterations=2)
    assert not total[far].any()


def test_the_same_image_gives_the_same_bytes_and_leaves_no_file(segmenter, brain, tmp_path):
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path)
    try:
        first, second = (segment(segmenter, brain)[0][brain] for _ in range(2))
    finally:
        tempfile.tempdir = before
    for tissue in TISSUES:
        np.testing.assert_array_equal(getattr(first, tissue), getattr(second, tissue))
    assert list(tmp_path.iterdir()) == [brain]


def test_an_image_that_fails_stops_no_other(segmenter, brain, tmp_path):
    elsewhere, absent = tmp_path / "elsewhere.nii.gz", tmp_path / "absent.nii.gz"
    nib.save(nib.Nifti1Image(np.eye(16)[..., None].repeat(16, 2).astype("f4"), AFFINE), elsewhere)
    found, failures = segment(segmenter, absent, elsewhere, brain)
    assert list(found) == [brain]
    assert set(failures) == {absent, elsewhere}
    assert "not on the atlas's grid" in failures[elsewhere]


def test_an_image_without_a_brain_is_refused(segmenter, tmp_path):
    path = tmp_path / "dot.nii.gz"
    image = np.zeros((32, 32, 32), dtype=np.float32)
    image[12:20, 12:20, 12:20] = np.random.default_rng(0).random((8, 8, 8)) + 1
    nib.save(nib.Nifti1Image(image, AFFINE), path)
    found, failures = segment(segmenter, path)
    assert not found
    assert "brain" in failures[path]


def test_what_decides_the_maps_is_described(segmenter):
    description = segmenter.describe()
    assert description["engine"] == segmenter.name == "builtin"
    assert description["parameters"]["head"]["deformation_iterations"] == [5, 5, 2]
    assert description["parameters"]["brain"]["gaussians"] == [2, 2, 2, 4]
    assert description["atlas_sha256"] == {"tissue_priors": "0"}
    assert description["antspyx_version"]
