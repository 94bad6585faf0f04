"""Lesion labels are found, moved with their image, and kept."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.bids import NO_EVIDENCE, Job, Visit
from clinica_gado.caps import removal_paths
from clinica_gado.errors import InputImageError, RegistrationError
from clinica_gado.evaluation import lesions
from clinica_gado.evaluation.lesions import LesionSource, find_lesions, move_labels, read_label_map
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.t1_linear import save_affine

CENTRE = CROP_GRID.affine @ [80, 100, 90, 1]


@pytest.fixture
def labels(tmp_path):
    """A cube of necrosis with one of enhancement in it, 2 mm voxels, moved by 10 mm along x."""
    data = np.zeros((20, 20, 20), np.uint8)
    data[5:15, 5:15, 5:15] = 1
    data[8:12, 8:12, 8:12] = 4
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = CENTRE[:3] - 20 + [10, 0, 0]
    path = tmp_path / "lesions/sub-01/ses-M000/anat/sub-01_ses-M000_desc-lesion_dseg.nii.gz"
    path.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


@pytest.fixture
def job(tmp_path):
    source = tmp_path / "sub-01_ses-M000_ce-gadolinium_T1w.nii.gz"
    return Job(Visit("sub-01", "ses-M000"), source, NO_EVIDENCE, reference=source)


@pytest.fixture
def pair(tmp_path):
    path = tmp_path / "pairs" / "sub-01_ses-M000.npz"
    path.parent.mkdir()
    np.savez_compressed(path, source=np.ones((4, 4, 4), np.float32))
    return path


def shift(x_mm):
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    return matrix


def test_labels_move_with_their_image(labels):
    moved = move_labels(labels, shift(10.0))
    assert moved.shape == CROP_GRID.shape
    assert moved[80, 100, 90] == 4
    assert (moved > 0).sum() == pytest.approx(20**3, rel=0.01)
    assert (moved == 4).sum() == pytest.approx(8**3, rel=0.01)
    middle = [float(np.mean(axis)) for axis in np.nonzero(moved == 4)]
    assert middle == pytest.approx([79, 99, 89], abs=0.51)


def test_labels_stored_with_a_slope_are_themselves(tmp_path):
    values = np.tile(np.arange(5.0), (6, 6, 2))
    for kind in (np.uint8, np.int16):
        image = nib.Nifti1Image(values, np.eye(4))
        image.set_data_dtype(kind)
        nib.save(image, tmp_path / "labels.nii.gz")
        assert (np.asarray(nib.load(tmp_path / "labels.nii.gz").dataobj) != values).any()
        np.testing.assert_array_equal(read_label_map(tmp_path / "labels.nii.gz")[0], values)


def test_what_is_no_label_map_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.full((4, 4, 4), 1.5), np.eye(4)), tmp_path / "t1w.nii.gz")
    with pytest.raises(InputImageError, match="not whole"):
        read_label_map(tmp_path / "t1w.nii.gz")


def test_the_affine_of_the_pipeline_is_taken_and_the_result_kept(
    labels, job, pair, tmp_path, monkeypatch
):
    monkeypatch.setattr(lesions, "read_volume", lambda path: None)
    monkeypatch.setattr(lesions, "is_affine_of", lambda prepared, native, matrix: True)
    caps = tmp_path / "caps"
    affine = removal_paths(caps, job.source, job.visit).affine
    affine.parent.mkdir(parents=True)
    save_affine(shift(10.0), affine)
    source = LesionSource(tmp_path / "lesions", caps)
    found = find_lesions([job], [pair], source)[job.visit]
    assert found.whole[80, 100, 90]
    assert found.enhancing.sum() == pytest.approx(8**3, rel=0.01)
    affine.unlink()  # not needed a second time
    again = find_lesions([job], [pair], source)[job.visit]
    np.testing.assert_array_equal(again.whole, found.whole)


def test_which_labels_enhance_can_be_said(labels, job, pair, tmp_path, monkeypatch):
    monkeypatch.setattr(lesions, "_affine", lambda *_: shift(10.0))
    source = LesionSource(tmp_path / "lesions", enhancing=(1,))
    found = find_lesions([job], [pair], source)[job.visit]
    assert found.enhancing.sum() == pytest.approx(20**3 - 8**3, rel=0.01)


def test_labels_that_cannot_be_moved_are_left_out(labels, job, pair, tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise RegistrationError("it went astray.")

    monkeypatch.setattr(lesions, "_affine", fail)
    assert find_lesions([job], [pair], LesionSource(tmp_path / "lesions")) == {}
    assert "lesions are left out: it went astray." in caplog.text


def test_a_dataset_without_labels_has_no_lesions(job, pair, tmp_path):
    assert find_lesions([job], [pair], LesionSource(tmp_path / "lesions")) == {}
