"""The steps of a visit in their order, each only where it is wanted and needed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from clinica_gado.caps import removal_paths
from clinica_gado.errors import InputImageError
from clinica_gado.files import write_json
from clinica_gado.outcomes import ALREADY_DONE, DONE, FAILED, Outcome
from clinica_gado.validation import visits as validation_module
from clinica_gado.validation.settings import ValidationSettings
from clinica_gado.warehouse import visit as visit_module
from clinica_gado.warehouse.visit import PREPROCESS, STEPS, SYNTHESISE, VALIDATE, treat


@pytest.fixture
def job(make_job):
    return make_job()


@pytest.fixture
def steps(monkeypatch, job):
    """Stand in for the work; tell what was done, and let it be changed."""
    done = SimpleNamespace(names=[], known=None, validated=Outcome(job.visit, "", DONE))

    def step(name, flags=()):
        def run(job, settings):
            done.names.append(name)
            return flags

        return run

    monkeypatch.setattr(visit_module, "known_outcome", lambda *arguments: done.known)
    monkeypatch.setattr(visit_module, "preprocess", step(PREPROCESS))
    monkeypatch.setattr(visit_module, "synthesise", step(SYNTHESISE, ("low overlap",)))
    monkeypatch.setattr(validation_module, "is_validated", lambda *arguments: False)
    monkeypatch.setattr(
        validation_module,
        "validate_visits",
        lambda jobs, settings: (done.names.append(VALIDATE), iter([done.validated]))[1],
    )
    return done


def test_a_new_visit_goes_through_all_steps(job, settings, steps):
    outcome = treat(job, settings, STEPS)
    assert steps.names == list(STEPS)
    assert (outcome.status, outcome.flags) == (DONE, ("low overlap",))


def test_one_that_is_done_is_validated_alone(job, settings, steps):
    steps.known = Outcome(job.visit, "a", ALREADY_DONE, flags=("x",))
    steps.validated = Outcome(job.visit, "a", DONE, flags=("y",))
    assert treat(job, settings, STEPS).flags == ("x", "y")
    assert steps.names == [VALIDATE]


def test_one_in_conflict_is_left_alone(job, settings, steps):
    steps.known = Outcome(job.visit, "a", FAILED, "made with other settings")
    assert treat(job, settings, STEPS) == steps.known
    assert steps.names == []


def test_after_a_failure_no_step_follows(job, settings, steps, monkeypatch):
    def fail(job, settings):
        raise InputImageError("no image")

    monkeypatch.setattr(visit_module, "preprocess", fail)
    outcome = treat(job, settings, STEPS)
    assert (outcome.status, outcome.reason, steps.names) == (FAILED, "no image", [])


def test_a_failed_validation_is_a_doubt(job, settings, steps):
    steps.validated = Outcome(job.visit, "a", FAILED, "SPM broke")
    outcome = treat(job, settings, STEPS)
    assert outcome.status == DONE
    assert outcome.flags == ("low overlap", "not validated: SPM broke")


def test_steps_apart_are_done_apart(job, settings, steps):
    for step in STEPS:
        treat(job, settings, (step,))
    assert steps.names == list(STEPS)


def test_validated_apart_a_visit_keeps_the_doubts_of_its_registration(job, settings, steps):
    sidecar = removal_paths(settings.removal.caps, job.source, job.visit).sidecar
    write_json(sidecar, {"Registration": {"flags": ["low overlap"]}})
    assert treat(job, settings, (VALIDATE,)).flags == ("low overlap",)


def test_what_is_asked_for_decides_the_checksum(settings):
    changes = [
        {"model_sha256": "b" * 64},
        {"removal": replace(settings.removal, flips="lr")},
        {"removal": replace(settings.removal, native_space=True)},
        {"validation": ValidationSettings(settings.removal.caps, "builtin")},
    ]
    others = {replace(settings, **change).with_request().request for change in changes}
    assert len(others | {settings.request}) == len(changes) + 1
    assert replace(settings).with_request() == settings
