"""The image and its uncertainty, on disk."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.inference import Prediction
from clinica_gado.inference.outputs import save_prediction

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).random((8, 9, 10), dtype=np.float32)


def test_the_uncertainty_map_stands_beside_the_image(tmp_path, array) -> None:
    prediction = Prediction(array, array / 10, "cpu", "fp32", 40, ("a note",))
    files = tmp_path / "image.nii.gz", tmp_path / "uncertainty.nii.gz"
    facts = save_prediction(prediction, AFFINE, *files)
    for path, expected in zip(files, (array, array / 10), strict=True):
        image = nib.load(path)
        np.testing.assert_array_equal(image.get_fdata(dtype=np.float32), expected)
        np.testing.assert_array_equal(image.affine, AFFINE)
        assert image.get_data_dtype() == np.float32
    assert (facts["Runs"], facts["Notes"]) == (40, ["a note"])
    assert facts["UncertaintyMap"]["File"] == "uncertainty.nii.gz"


def test_one_run_has_no_uncertainty_and_leaves_none_of_an_earlier_one(tmp_path, array) -> None:
    uncertainty = tmp_path / "uncertainty.nii.gz"
    uncertainty.touch()
    prediction = Prediction(array, None, "cpu", "fp32", 1)
    facts = save_prediction(prediction, AFFINE, tmp_path / "image.nii.gz", uncertainty)
    assert "UncertaintyMap" not in facts
    assert not uncertainty.exists()
