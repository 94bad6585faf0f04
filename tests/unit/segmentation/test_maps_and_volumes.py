"""Probability maps as files, and what they say of volumes."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.segmentation.maps import read_probabilities, save_probabilities
from clinica_gado.segmentation.segmenter import TissueMaps
from clinica_gado.segmentation.volumes import measure_volumes

AFFINE = np.diag([2.0, 1.0, 1.5, 1.0])


def test_probabilities_come_back_within_half_a_step(tmp_path):
    wanted = np.random.default_rng(0).random((5, 6, 7), dtype=np.float32)
    save_probabilities(wanted, AFFINE, tmp_path / "map.nii.gz")
    found = read_probabilities(tmp_path / "map.nii.gz")
    np.testing.assert_allclose(found, wanted, atol=0.5 / 255 + 1e-6)
    assert nib.load(tmp_path / "map.nii.gz").get_data_dtype() == np.uint8


def test_a_stored_probability_stays_on_its_side_of_one_half(tmp_path):
    wanted = np.array([0.497, 0.499, 0.501, 0.503], dtype=np.float32).reshape(1, 2, 2)
    save_probabilities(wanted, AFFINE, tmp_path / "map.nii.gz")
    np.testing.assert_array_equal(read_probabilities(tmp_path / "map.nii.gz") > 0.5, wanted > 0.5)


def test_a_map_without_any_tissue_can_be_read(tmp_path):
    save_probabilities(np.zeros((4, 4, 4), dtype=np.float32), AFFINE, tmp_path / "map.nii.gz")
    assert not read_probabilities(tmp_path / "map.nii.gz").any()


def test_a_volume_is_the_voxels_over_one_half_times_their_size():
    maps = [np.zeros((10, 10, 10), dtype=np.float32) for _ in range(3)]
    for tissue, n_voxels in zip(maps, (400, 300, 100), strict=True):
        tissue.flat[:n_voxels] = 0.51
        tissue.flat[n_voxels : n_voxels + 50] = 0.5
    volumes = measure_volumes(TissueMaps(*maps), AFFINE)
    assert volumes == pytest.approx((1.2, 0.9, 0.3))  # voxels of 3 mm³
    assert volumes.tiv_cm3 == pytest.approx(2.4)
