"""Reading images: what is refused, in which words, and that no orientation is lost."""

from __future__ import annotations

import gzip
import itertools

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from clinica_gado.errors import InputImageError
from clinica_gado.preprocessing.images import Volume, from_ants, read_volume, save_volume, to_ants

SHAPE = (10, 12, 14)
RGB = [("R", "u1"), ("G", "u1"), ("B", "u1")]
AXIS_CODES = [
    "".join(signs[axis] for axis in order)
    for order in itertools.permutations(range(3))
    for signs in itertools.product("RL", "AP", "SI")
]


def random_data(shape=SHAPE):
    return np.random.default_rng(0).uniform(1, 100, shape).astype(np.float32)


def write(path, data, affine=None, code=1):
    image = nib.Nifti1Image(data, np.eye(4) if affine is None else affine)
    image.set_sform(image.affine, code=code)
    image.set_qform(image.affine, code=code)
    nib.save(image, path)
    return path


def oblique_affine():
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", (9, -14, 21), degrees=True).as_matrix()
    affine[:3, :3] *= (0.9, 1.1, 5.5)
    affine[:3, 3] = (-80, -110, -70)
    return affine


@pytest.mark.parametrize("codes", AXIS_CODES)
def test_the_way_to_ants_and_back_keeps_every_orientation(codes):
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    oblique = nib.Nifti1Image(random_data(), oblique_affine()).as_reoriented(turn)
    volume = Volume(np.asarray(oblique.dataobj), oblique.affine)
    back = from_ants(to_ants(volume))
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_scaled_integers_and_floats_read_alike(tmp_path, dtype):
    data = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 120 + 1
    image = nib.Nifti1Image(data.astype(dtype), np.eye(4))
    if np.issubdtype(dtype, np.integer):
        image.header.set_slope_inter(0.5, 3.0)
        expected = data * 0.5 + 3.0
    else:
        expected = data
    nib.save(image, tmp_path / "a.nii.gz")
    stored = nib.load(tmp_path / "a.nii.gz").get_fdata()
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii.gz").data, stored)
    assert stored.max() == pytest.approx(expected.max(), rel=0.01)


def test_a_saved_volume_is_float32_with_both_codes_and_the_same_affine(tmp_path):
    volume = Volume(random_data(), oblique_affine())
    save_volume(volume, tmp_path / "folder" / "a.nii.gz")
    image = nib.load(tmp_path / "folder" / "a.nii.gz")
    assert image.get_data_dtype() == np.float32
    assert image.header["sform_code"] == image.header["qform_code"] == 2
    np.testing.assert_allclose(image.get_sform(), volume.affine, atol=1e-5)
    np.testing.assert_allclose(image.get_qform(), volume.affine, atol=1e-4)
    np.testing.assert_array_equal(read_volume(tmp_path / "folder" / "a.nii.gz").data, volume.data)


def test_a_fourth_dimension_of_one_is_dropped(tmp_path):
    path = write(tmp_path / "a.nii.gz", random_data((*SHAPE, 1)))
    assert read_volume(path).data.shape == SHAPE


def sheared():
    affine = oblique_affine()
    affine[0, 1] += 0.4
    return affine


BAD_IMAGES = {
    "4D": (lambda path: write(path, random_data((*SHAPE, 3))), "is 4D .* a 3D image is needed"),
    "NaN": (lambda path: write(path, np.where(random_data() > 99, np.nan, 1.0)), "NaN"),
    "all zeros": (lambda path: write(path, np.zeros(SHAPE)), "one value"),
    "no orientation": (lambda path: write(path, random_data(), code=0), "no orientation"),
    "colour": (lambda path: write(path, np.zeros(SHAPE, dtype=RGB)), "cannot be read"),
    "complex": (lambda path: write(path, random_data().astype(np.complex64)), "magnitude"),
    "too large": (lambda path: write(path, random_data().astype(np.float64) * 1e38), "infinite"),
    "few slices": (lambda path: write(path, random_data((40, 40, 3))), "localiser"),
    "shear": (
        lambda path: nib.save(nib.Nifti1Image(random_data(), sheared()), path),
        "right angles",
    ),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_an_unusable_image_is_refused_in_one_line_that_names_it(tmp_path, kind):
    make, words = BAD_IMAGES[kind]
    path = tmp_path / "sub-01_T1w.nii.gz"
    make(path)
    with pytest.raises(InputImageError, match=words) as raised:
        read_volume(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_no_gzip_is_refused_and_named_once(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"no image" * 99)
    with pytest.raises(InputImageError, match="not a gzip file") as refused:
        read_volume(path)
    assert str(refused.value).count(str(path)) == 1


def test_a_truncated_gzip_is_refused(tmp_path):
    path = write(tmp_path / "a.nii.gz", random_data((40, 40, 40)))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputImageError, match="cannot be read"):
        read_volume(path)


def test_a_file_that_is_no_image_is_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(b"no image"))
    with pytest.raises(InputImageError, match="cannot be read"):
        read_volume(path)


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(InputImageError, match="cannot be read"):
        read_volume(tmp_path / "absent.nii.gz")
