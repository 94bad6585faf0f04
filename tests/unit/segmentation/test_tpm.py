"""SPM's tissue probability map: found in order, checked, unzipped."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.errors import SegmentationError
from clinica_gado.segmentation.tpm import VARIABLE, locate_tpm, tpm_sha256, unzip_tpm


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def save_map(path, volumes=6):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, volumes), np.float32), np.eye(4)), path)
    return path


def test_the_option_comes_before_the_variable_before_spm_s_own(tmp_path, monkeypatch):
    own = save_map(tmp_path / "spm" / "tpm" / "TPM.nii")
    assert locate_tpm(tmp_path / "spm") == own
    by_variable = save_map(tmp_path / "variable.nii")
    monkeypatch.setenv(VARIABLE, str(by_variable))
    assert locate_tpm(tmp_path / "spm") == by_variable
    by_option = save_map(tmp_path / "option.nii.gz")
    assert locate_tpm(tmp_path / "spm", by_option) == by_option


def test_a_missing_map_is_one_line_that_says_what_to_do(tmp_path):
    with pytest.raises(SegmentationError, match=VARIABLE) as raised:
        locate_tpm(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_map_that_was_asked_for_is_never_replaced_by_another(tmp_path):
    save_map(tmp_path / "tpm" / "TPM.nii")
    with pytest.raises(SegmentationError, match="does not exist"):
        locate_tpm(tmp_path, tmp_path / "absent.nii")


def test_another_image_is_refused(tmp_path):
    with pytest.raises(SegmentationError, match="6 volumes are expected"):
        locate_tpm(tmp_path, save_map(tmp_path / "T1w.nii", volumes=1))


def test_a_file_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "TPM.nii").write_text("no image")
    with pytest.raises(SegmentationError, match="cannot be read"):
        locate_tpm(tmp_path, tmp_path / "TPM.nii")


def test_zipped_and_unzipped_are_one_map(tmp_path):
    plain = save_map(tmp_path / "TPM.nii")
    zipped = tmp_path / "zipped.nii.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert tpm_sha256(plain) == tpm_sha256(zipped)
    (tmp_path / "work").mkdir()
    assert unzip_tpm(zipped, tmp_path / "work").read_bytes() == plain.read_bytes()
