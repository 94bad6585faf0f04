"""What is done already and what is left, and whether there is room, on files of a few bytes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest

from clinica_gado.bids import NO_EVIDENCE, Job, Visit
from clinica_gado.caps import read_sidecar, removal_paths
from clinica_gado.errors import OutputError, SegmentationError
from clinica_gado.files import write_json
from clinica_gado.gado_removal import RemovalSettings, known_outcome, make_request
from clinica_gado.outcomes import ALREADY_DONE, FAILED
from clinica_gado.runs import start
from clinica_gado.runs.options import RemovalRunOptions
from clinica_gado.runs.start import check_start, sort_out, warn_of_low_space

MODEL = "a" * 64


@pytest.fixture
def job(tmp_path):
    source = tmp_path / "bids/sub-01/ses-M000/anat/sub-01_ses-M000_ce-gadolinium_T1w.nii.gz"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"image")
    return Job(Visit("sub-01", "ses-M000"), source, NO_EVIDENCE)


@pytest.fixture
def settings(tmp_path):
    return RemovalSettings(bids=tmp_path / "bids", caps=tmp_path / "caps")


def test_a_visit_done_before_keeps_its_doubts(job, settings):
    paths = removal_paths(settings.caps, job.source, job.visit)
    doubt = {"Registration": {"flags": ["the affine mirrors the head"]}}
    write_json(paths.sidecar, {**make_request(job, settings, MODEL), **doubt})
    paths.image.touch()
    decided, waiting = sort_out(
        [job], partial(known_outcome, settings=settings, model_sha256=MODEL)
    )
    assert waiting == []
    assert [outcome.status for outcome in decided] == [ALREADY_DONE]
    assert decided[0].flags == ("the affine mirrors the head",)


def test_a_result_of_other_settings_is_a_failure_that_names_the_remedy(job, settings):
    paths = removal_paths(settings.caps, job.source, job.visit)
    write_json(paths.sidecar, make_request(job, settings, "b" * 64))
    paths.image.touch()
    decided, waiting = sort_out(
        [job], partial(known_outcome, settings=settings, model_sha256=MODEL)
    )
    assert waiting == []
    assert [outcome.status for outcome in decided] == [FAILED]
    assert "--overwrite_outputs" in decided[0].reason


def test_a_source_that_cannot_be_read_any_more_is_left_to_preprocessing(job, settings):
    paths = removal_paths(settings.caps, job.source, job.visit)
    write_json(paths.sidecar, make_request(job, settings, MODEL))
    paths.image.touch()
    job.source.unlink()
    assert sort_out([job], partial(known_outcome, settings=settings, model_sha256=MODEL)) == (
        [],
        [job],
    )


@pytest.mark.parametrize(("megabytes_each", "warned"), [(10, False), (60, True)])
def test_little_room_is_told_before_the_first_visit(
    tmp_path, monkeypatch, caplog, megabytes_each, warned
):
    free = SimpleNamespace(free=100 * 2**20)
    monkeypatch.setattr(start.shutil, "disk_usage", lambda folder: free)
    warn_of_low_space(tmp_path, 2, megabytes_each)
    assert ("120 MB may be needed" in caplog.text) is warned


@pytest.mark.parametrize("kind", ["the input", "another", "by its description"])
def test_a_bids_dataset_is_no_place_for_results_and_stays_as_it_is(kind, job, settings, tmp_path):
    caps = settings.bids if kind == "the input" else tmp_path / "caps"
    if kind == "another":
        (caps / "sub-02").mkdir(parents=True)
    content = {"Name": "x", "DatasetType": "derivative" if kind == "another" else "raw"}
    write_json(caps / "dataset_description.json", content)
    with pytest.raises(OutputError, match="is a BIDS dataset"):
        check_start(replace(settings, caps=caps), RemovalRunOptions())
    assert read_sidecar(caps / "dataset_description.json") == content


def test_a_map_that_nobody_reads_is_refused(settings, tmp_path):
    options = RemovalRunOptions(segmentation="none", tpm=tmp_path / "TPM.nii")
    with pytest.raises(SegmentationError, match="--tpm is a map for SPM"):
        options.validation(settings)
