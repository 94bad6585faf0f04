"""Which segmenter is taken."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.errors import SegmentationError
from clinica_gado.segmentation import spm_search
from clinica_gado.segmentation.choice import choose_segmenter
from clinica_gado.segmentation.spm_search import Attempt, SpmInstallation


@pytest.fixture(autouse=True)
def _builtin(monkeypatch):
    module = SimpleNamespace(BuiltinSegmenter=lambda: SimpleNamespace(name="builtin"))
    monkeypatch.setitem(sys.modules, "clinica_gado.segmentation.builtin", module)
    monkeypatch.delenv("SPM_TPM", raising=False)


@pytest.fixture
def without_spm(monkeypatch):
    attempts = [Attempt("octave", None, "no octave on PATH")]
    monkeypatch.setattr(spm_search, "search", lambda: iter(attempts))


@pytest.fixture
def with_spm(monkeypatch, tmp_path):
    (tmp_path / "tpm").mkdir()
    tpm = nib.Nifti1Image(np.zeros((4, 4, 4, 6), np.float32), np.eye(4))
    nib.save(tpm, tmp_path / "tpm" / "TPM.nii")
    installation = SpmInstallation("octave", "SPM12", "7771", tmp_path, ("spm",))
    monkeypatch.setattr(spm_search, "search", lambda: iter([Attempt("octave", installation)]))
    return tmp_path


def test_none_is_nobody():
    assert choose_segmenter("none") is None


@pytest.mark.usefixtures("with_spm")
def test_builtin_is_taken_when_asked_for():
    assert choose_segmenter("builtin").name == "builtin"


@pytest.mark.usefixtures("with_spm")
@pytest.mark.parametrize("wanted", ["auto", "spm"])
def test_spm_is_taken_where_it_runs(wanted):
    assert choose_segmenter(wanted).name == "spm"


@pytest.mark.usefixtures("without_spm")
def test_auto_falls_back_and_says_so_once(caplog):
    with caplog.at_level(logging.INFO):
        assert choose_segmenter("auto").name == "builtin"
    assert [record.message.count("built-in") for record in caplog.records] == [1]


@pytest.mark.usefixtures("without_spm")
def test_spm_that_was_asked_for_and_is_absent_is_an_error_with_the_reasons():
    with pytest.raises(SegmentationError, match="no octave on PATH"):
        choose_segmenter("spm")


def test_auto_without_a_tissue_probability_map_falls_back_with_the_reason(with_spm, caplog):
    (with_spm / "tpm" / "TPM.nii").unlink()
    assert choose_segmenter("auto").name == "builtin"
    assert "tissue probability map" in caplog.text
    with pytest.raises(SegmentationError, match="tissue probability map"):
        choose_segmenter("spm")


@pytest.mark.usefixtures("with_spm")
def test_a_map_of_the_user_that_is_wrong_is_an_error_even_with_auto():
    with pytest.raises(SegmentationError, match="does not exist"):
        choose_segmenter("auto", Path("absent.nii"))


def test_another_word_is_refused():
    with pytest.raises(SegmentationError, match="auto, spm, builtin, none"):
        choose_segmenter("fsl")
