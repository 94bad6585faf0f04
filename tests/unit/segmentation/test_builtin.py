"""The built-in segmenter on a phantom of three shells, its atlas a little off."""

from __future__ import annotations

import tempfile

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from clinica_gado.evaluation.overlap import dice
from clinica_gado.preprocessing.images import Volume
from clinica_gado.segmentation.builtin import BuiltinSegmenter, Parameters
from clinica_gado.segmentation.deformed_atlas import (
    Atlas,
    HeadParameters,
    share_with_csf,
    share_with_white,
    sharpen,
)
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


def half_and_half(grey_level, csf_level):
    """Return 400 voxels: grey matter, CSF, a mix of both taken for grey matter, white matter."""
    kinds = np.repeat(np.arange(4), 100).reshape(20, 20, 1)
    image = np.select(
        [kinds == 0, kinds == 1, kinds == 2], [grey_level, csf_level, 0.4 * grey_level], 100.0
    )
    grey = np.select([kinds == 0, kinds == 2], [0.95, 0.8], 0.0)
    csf = np.select([kinds == 1, kinds == 2], [0.95, 0.1], 0.0)
    white = np.where(kinds == 3, 1.0, 0.0)
    maps = TissueMaps(*(map_.astype(np.float32) for map_ in (grey, white, csf)))
    return Volume(image.astype(np.float32), np.eye(4)), maps, kinds


def test_what_is_darker_than_half_way_becomes_csf():
    volume, maps, kinds = half_and_half(grey_level=80.0, csf_level=20.0)
    shared = share_with_csf(volume, maps, sure=0.9)
    mixed = kinds == 2
    np.testing.assert_allclose(shared.graymatter[mixed], 0.9 * (32 - 20) / 60, rtol=1e-5)
    np.testing.assert_allclose(shared.csf[mixed], 0.9 * (80 - 32) / 60, rtol=1e-5)
    np.testing.assert_allclose(
        shared.graymatter + shared.csf, maps.graymatter + maps.csf, rtol=1e-5
    )
    np.testing.assert_array_equal(shared.whitematter, maps.whitematter)


def test_nothing_is_shared_where_csf_is_not_darker():
    volume, maps, _ = half_and_half(grey_level=50.0, csf_level=60.0)
    assert share_with_csf(volume, maps, sure=0.9) is maps
    assert share_with_csf(volume, maps, sure=0.99) is maps


def test_grey_matter_brighter_than_half_way_becomes_white_where_the_atlas_has_white():
    kinds = np.repeat(np.arange(4), 200).reshape(20, 40, 1)
    image = np.array([60.0, 100.0, 92.0, 70.0])[kinds].astype(np.float32)
    grey = np.array([0.95, 0.0, 0.8, 0.8])[kinds].astype(np.float32)
    white = np.array([0.0, 0.95, 0.1, 0.1])[kinds].astype(np.float32)
    maps = TissueMaps(grey, white, np.zeros_like(grey))
    may_be_white = np.broadcast_to(np.arange(40)[None, :, None] < 20, kinds.shape)
    shared = share_with_white(Volume(image, np.eye(4)), maps, may_be_white, sure=0.9)
    changed = (kinds == 2) & may_be_white
    np.testing.assert_allclose(shared.whitematter[changed], 0.9 * 0.8, rtol=1e-5)
    np.testing.assert_allclose(shared.graymatter[changed], 0.9 * 0.2, rtol=1e-5)
    np.testing.assert_array_equal(shared.graymatter[~changed], grey[~changed])
    np.testing.assert_array_equal(shared.whitematter[~changed], white[~changed])


def test_sharpening_undoes_a_part_of_a_blur_and_keeps_what_is_zero_or_even():
    sulcus = np.full((20, 20, 20), 80.0, dtype=np.float32)
    sulcus[10] = 20.0
    blurred = ndimage.gaussian_filter(sulcus, 0.6)
    blurred[:2] = 0.0
    sharp = sharpen(Volume(blurred, np.eye(4)), 1.5, 0.7).data
    assert abs(sharp[10] - 20.0).max() < 0.5 * abs(blurred[10] - 20.0).min()
    assert not sharp[:2].any()
    assert (sharp[2:] > 0).all()
    np.testing.assert_allclose(sharp[16:], 80.0, rtol=1e-3)
