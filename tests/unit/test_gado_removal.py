"""What counts as done, on files of a few bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clinica_gado import gado_removal
from clinica_gado.bids import NO_EVIDENCE, Job, Visit
from clinica_gado.caps import removal_paths
from clinica_gado.errors import OutputError
from clinica_gado.files import write_json
from clinica_gado.gado_removal import RemovalSettings, is_done, make_request, preprocess

MODEL, OTHER_MODEL = "a" * 64, "b" * 64


@pytest.fixture
def job(tmp_path):
    source = tmp_path / "bids" / "sub-01_ses-M000_ce-gadolinium_T1w.nii.gz"
    source.parent.mkdir()
    source.write_bytes(b"image")
    return Job(Visit("sub-01", "ses-M000"), source, NO_EVIDENCE)


@pytest.fixture
def settings(tmp_path):
    return RemovalSettings(bids=tmp_path / "bids", caps=tmp_path / "caps")


def leave_result(job, settings, model=MODEL, *, native_model=None):
    paths = removal_paths(settings.caps, job.source, job.visit)
    write_json(paths.sidecar, make_request(job, settings, model))
    paths.image.touch()
    if native_model is not None:
        write_json(paths.native_sidecar, make_request(job, settings, native_model))
        paths.native.touch()
    return paths


def test_done_is_an_image_with_a_sidecar_of_the_same_source_model_and_parameters(job, settings):
    assert not is_done(job, settings, MODEL)
    leave_result(job, settings)
    assert is_done(job, settings, MODEL)
    assert not is_done(job, replace(settings, overwrite=True), MODEL)
    with pytest.raises(OutputError, match="ModelSha256"):
        is_done(job, settings, OTHER_MODEL)
    job.source.write_bytes(b"another image")
    with pytest.raises(OutputError, match="SourceSha256"):
        is_done(job, settings, MODEL)


def test_a_result_of_another_preprocessing_is_not_done_beside_the_new_one(
    job, settings, monkeypatch
):
    leave_result(job, settings)
    monkeypatch.setattr(gado_removal, "prepare_linear", lambda *_: None)
    preprocess(job, replace(settings, overwrite=True))
    assert not is_done(job, settings, MODEL)


def test_a_native_image_counts_when_it_is_there_and_of_the_same_model(job, settings):
    wanted = replace(settings, native_space=True)
    leave_result(job, settings)
    assert not is_done(job, wanted, MODEL)
    paths = leave_result(job, settings, native_model=OTHER_MODEL)
    assert not is_done(job, wanted, MODEL)
    leave_result(job, settings, native_model=MODEL)
    assert is_done(job, wanted, MODEL)
    paths.native.unlink()
    assert not is_done(job, wanted, MODEL)
