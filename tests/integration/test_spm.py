"""Real SPM, where one is configured: found, run through nipype, and its maps make sense."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.errors import SegmentationError
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.preprocessing.templates import load_template
from clinica_gado.segmentation.choice import choose_segmenter
from clinica_gado.segmentation.spm_grid import padded_shape
from clinica_gado.segmentation.spm_search import search
from clinica_gado.segmentation.volumes import measure_volumes

pytestmark = [pytest.mark.spm, pytest.mark.slow]

STEP_MM = 6
"""Coarse, to be quick; SPM's solver then meets the same levels as at 1 mm sampled every 3 mm."""


@pytest.fixture(scope="module")
def segmenter():
    try:
        return choose_segmenter("spm")
    except SegmentationError as error:
        pytest.skip(f"{error} SPM_TPM names a TPM.nii other than SPM's own.")


@pytest.fixture
def brain(tmp_path):
    """Return the shipped template's brain on a coarse crop grid, 29 × 35 × 30."""
    crop = load_template("brain").volume.data[12:181, 13:221, 0:179]
    affine = CROP_GRID.affine @ np.diag([STEP_MM] * 3 + [1.0])
    volume = Volume(np.ascontiguousarray(crop[::STEP_MM, ::STEP_MM, ::STEP_MM]), affine)
    path = tmp_path / "the brain's T1w.nii.gz"
    save_volume(volume, path)
    return path, volume


def test_the_version_is_what_spm_says(segmenter):
    found = next(attempt.found for attempt in search() if attempt.found)
    assert found.name in ("SPM12", "SPM25")
    assert segmenter.describe()["spm_version"] == found.version


def test_a_brain_on_the_crop_grid_is_segmented_at_the_first_try(segmenter, brain):
    """Unpadded, SPM's solver ends as NaN on this grid."""
    path, volume = brain
    assert padded_shape(volume, 3.0) != volume.data.shape
    saved = {}
    assert segmenter.segment([path], saved.__setitem__) == {}
    assert path not in segmenter.retried
    volumes = measure_volumes(saved[path], volume.affine)
    assert saved[path].graymatter.shape == volume.data.shape
    assert 900 < volumes.tiv_cm3 < 2200
    assert min(volumes) > 0.1 * volumes.tiv_cm3


def test_an_image_that_spm_cannot_use_stops_no_other(segmenter, brain, tmp_path):
    path, volume = brain
    far = tmp_path / "far.nii"
    affine = volume.affine.copy()
    affine[:3, 3] += 1e5
    nib.save(nib.Nifti1Image(volume.data, affine), far)
    saved = {}
    failures = segmenter.segment([far, path], saved.__setitem__)
    assert list(failures) == [far]
    assert list(saved) == [path]
