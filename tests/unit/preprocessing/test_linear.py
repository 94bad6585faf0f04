"""Resampling by an affine: against scipy, and there and back."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from clinica_gado.errors import RegistrationError
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES, MNI_GRID
from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.linear import (
    change_in_native_space,
    correct_bias,
    crop,
    read_itk_affine,
    resample,
    synthetic_in_native_space,
)
from clinica_gado.preprocessing.t1_linear import save_affine


def blob(shape=(22, 26, 24), spacing=(2.0, 1.5, 1.8)):
    noise = np.random.default_rng(1).normal(size=shape)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-20, -18, -19)
    return Volume(ndimage.gaussian_filter(noise, 2.5).astype(np.float32), affine)


def affine_matrix():
    matrix = np.eye(4)
    turn = Rotation.from_euler("xyz", (6, -8, 11), degrees=True).as_matrix()
    matrix[:3, :3] = turn @ np.diag([0.95, 1.05, 1.1])
    matrix[:3, 3] = (2.0, -3.0, 1.5)
    return matrix


def by_scipy(volume, shape, affine, matrix):
    to_voxels = np.linalg.inv(volume.affine) @ matrix @ affine
    return ndimage.affine_transform(
        volume.data.astype(np.float64), to_voxels[:3, :3], to_voxels[:3, 3], shape, order=1
    )


def test_resampling_is_the_affine_applied_by_trilinear_interpolation():
    volume, matrix = blob(), affine_matrix()
    target = np.diag([1.2, 1.3, 1.1, 1.0])
    target[:3, 3] = (-15, -16, -14)
    found = resample(volume, (20, 21, 22), target, matrix).data
    expected = by_scipy(volume, (20, 21, 22), target, matrix)
    inside = expected != 0
    assert inside.mean() > 0.5
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-4)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "PSR", "SAL", "IPL"])
def test_the_storage_order_of_an_image_does_not_change_where_it_is(codes):
    volume, matrix = blob(), affine_matrix()
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    stored = nib.Nifti1Image(volume.data, volume.affine).as_reoriented(turn)
    other = Volume(np.asarray(stored.dataobj), stored.affine)
    grid = ((20, 20, 20), np.diag([1.5, 1.5, 1.5, 1.0]))
    np.testing.assert_allclose(
        resample(other, *grid, matrix).data, resample(volume, *grid, matrix).data, atol=1e-5
    )


def test_a_saved_affine_is_read_back(tmp_path):
    matrix = affine_matrix()
    save_affine(matrix, tmp_path / "a_xfm.mat")
    np.testing.assert_allclose(read_itk_affine(tmp_path / "a_xfm.mat"), matrix, atol=1e-6)


def test_a_change_travels_to_native_space_by_the_inverse_affine():
    native, matrix = blob((24, 24, 24), (1.0, 1.0, 1.0)), affine_matrix()
    template_affine = np.diag([1.0, 1.0, 1.0, 1.0])
    template_affine[:3, 3] = (-20, -20, -18)
    there = resample(native, (30, 30, 30), template_affine, matrix)
    back = change_in_native_space(there, matrix, native)
    core = (slice(7, -7),) * 3
    error = np.abs(back.data[core] - native.data[core]).max()
    assert error < 0.1 * np.ptp(native.data)
    assert np.corrcoef(back.data[core].ravel(), native.data[core].ravel())[0, 1] > 0.99


def test_what_was_made_in_the_brain_alone_is_zero_around_it_in_native_space_too():
    axis = np.arange(24, dtype=np.float32)
    native = Volume(np.full((24, 24, 24), 100, np.float32), np.eye(4))
    native.data[0] = 0
    matrix = np.eye(4)
    matrix[0, 3] = 2  # the template's voxel x lies at x + 2 of the native image
    before = Volume(native.data.copy(), np.eye(4))
    made = np.zeros(native.data.shape, dtype=bool)
    made[6:16, 6:16, 6:16] = True
    after = Volume(np.where(made, 150, 0).astype(np.float32), np.eye(4))
    found = synthetic_in_native_space(before, after, matrix, native, made).data
    inside = (axis > 8) & (axis < 17)
    np.testing.assert_allclose(found[inside, 10, 10], 150, rtol=1e-4)
    assert not found[(axis < 8) | (axis > 17), 10, 10].any()
    everywhere = Volume(before.data + 50, np.eye(4))
    whole = synthetic_in_native_space(before, everywhere, matrix, native).data
    assert not whole[0].any()
    assert whole[12, 2, 2] == pytest.approx(150)
    darker = Volume(before.data - 500, np.eye(4))
    assert synthetic_in_native_space(before, darker, matrix, native).data.min() == 0


def test_padding_below_zero_does_not_stop_the_bias_correction():
    axis = np.linspace(-1, 1, 24)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    head = (np.where(radius < 0.6, 100, 60) * np.exp(0.5 * axis)).astype(np.float32)
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    plain = correct_bias(Volume(np.where(radius < 0.9, head, 0), affine)).data
    padded = correct_bias(Volume(np.where(radius < 0.9, head, -200), affine)).data
    np.testing.assert_array_equal(padded, plain)
    core = radius < 0.5
    assert plain[core].std() < 0.8 * head[core].std()


def test_the_crop_is_that_of_clinica():
    full = Volume(np.arange(np.prod(MNI_GRID.shape), dtype=np.float32).reshape(MNI_GRID.shape),
                  MNI_GRID.affine)  # fmt: skip
    cropped = crop(full)
    assert cropped.data.shape == (169, 208, 179)
    np.testing.assert_array_equal(cropped.affine[:3, 3], (-84, -119, -78))
    starts = [part.start for part in CROP_SLICES]
    np.testing.assert_allclose(MNI_GRID.affine @ [*starts, 1], CROP_GRID.affine @ [0, 0, 0, 1])
    np.testing.assert_array_equal(cropped.data, full.data[CROP_SLICES])


def test_an_image_on_another_grid_is_not_cropped():
    with pytest.raises(RegistrationError, match="cannot be cropped"):
        crop(blob())
