"""What fails in the validation of a visit costs nothing else."""

from __future__ import annotations

import os

import pytest

from clinica_gado.caps import reference_paths, removal_paths
from clinica_gado.errors import RegistrationError
from clinica_gado.files import write_json
from clinica_gado.outcomes import DONE, FAILED
from clinica_gado.validation import settings as settings_module
from clinica_gado.validation import visits as visits_module
from clinica_gado.validation.measures import image_paths
from clinica_gado.validation.settings import ValidationSettings
from clinica_gado.validation.visits import is_validated, known_flags, validate_visits


@pytest.fixture
def settings(caps, segmenter, monkeypatch):
    monkeypatch.setattr(settings_module, "_find_segmenter", lambda wanted, tpm: segmenter)
    return ValidationSettings(caps)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    """Keep registration and figures out: images of some voxels have neither."""
    measured = set()
    monkeypatch.setattr(visits_module, "align_reference", lambda job, caps, options: None)
    monkeypatch.setattr(visits_module, "is_aligned", has_aligned_reference)
    monkeypatch.setattr(visits_module, "is_measured", lambda job, caps: job.visit in measured)
    monkeypatch.setattr(visits_module, "measure_visit", lambda job, caps: measured.add(job.visit))


def has_aligned_reference(job, caps):
    return job.reference is None or reference_paths(caps, job).image.is_file()


def test_every_image_of_every_visit_is_segmented_in_one_call(make_visit, settings, segmenter):
    jobs = [make_visit("sub-01"), make_visit("sub-02", with_reference=False)]
    outcomes = list(validate_visits(jobs, settings))
    assert [outcome.status for outcome in outcomes] == [DONE, DONE]
    assert len(segmenter.seen) == 5
    assert all(is_validated(job, settings) for job in jobs)


def test_the_measures_of_what_is_asked_for_again_are_the_latest(make_visit, settings):
    job = make_visit()
    list(validate_visits([job], settings))
    ours = removal_paths(settings.caps, job.source, job.visit).measures
    other = ours.with_name("sub-01_ses-M000_run-2_measures.json")
    for path, date in ((ours, 100), (other, 200)):
        path.touch()
        os.utime(path, (date, date))
    assert known_flags(job, settings) is not None
    assert ours.stat().st_mtime > other.stat().st_mtime


def test_a_reference_that_cannot_be_aligned_leaves_the_rest(
    make_visit, settings, segmenter, monkeypatch
):
    def refuse(job, caps, options):
        reference_paths(caps, job).image.unlink()
        raise RegistrationError("the head is not in the image.")

    monkeypatch.setattr(visits_module, "align_reference", refuse)
    job = make_visit()
    (outcome,) = validate_visits([job], settings)
    assert (outcome.status, outcome.reason) == (FAILED, "the head is not in the image.")
    assert len(segmenter.seen) == 2
    assert not is_validated(job, settings)


def test_an_image_that_cannot_be_segmented_fails_its_own_visit(make_visit, settings, segmenter):
    jobs = [make_visit("sub-01"), make_visit("sub-02")]
    broken = image_paths(jobs[0], settings.caps)["ce"]
    segmenter.failing = [broken]
    outcomes = list(validate_visits(jobs, settings))
    assert [outcome.status for outcome in outcomes] == [FAILED, DONE]
    assert outcomes[0].reason == f"{broken.name} broke."


def test_without_an_engine_the_rest_is_measured(make_visit, settings, monkeypatch):
    monkeypatch.setattr(settings_module, "_find_segmenter", lambda wanted, tpm: None)
    job = make_visit()
    (outcome,) = validate_visits([job], settings)
    assert outcome.status == DONE
    assert is_validated(job, settings)


def test_doubts_about_the_reference_are_told(make_visit, settings):
    job = make_visit()
    flags = {"Registration": {"flags": ["the affine mirrors the head"]}}
    write_json(reference_paths(settings.caps, job).sidecar, flags)
    (outcome,) = validate_visits([job], settings)
    assert "nce: the affine mirrors the head" in outcome.flags
