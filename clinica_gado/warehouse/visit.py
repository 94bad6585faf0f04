"""A visit from its T1w to its validation: the steps of `clinica run`, in one process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from clinica_gado.bids import Job
from clinica_gado.caps import read_sidecar, removal_paths
from clinica_gado.gado_removal import (
    RemovalSettings,
    flags_in,
    known_outcome,
    preprocess,
    synthesise,
)
from clinica_gado.outcomes import DONE, FAILED, Outcome, attempt, failure, with_validation
from clinica_gado.preprocessing.t1_linear import describe_options
from clinica_gado.validation.settings import ValidationSettings

PREPROCESS, SYNTHESISE, VALIDATE = "preprocess", "synthesise", "validate"
STEPS = (PREPROCESS, SYNTHESISE, VALIDATE)


@dataclass(frozen=True)
class VisitSettings:
    """What is asked for every visit.

    Attributes
    ----------
    model_sha256 : of the bundle that `removal` names.
    request : checksum of what `describe` returns; empty before `with_request`.
    """

    removal: RemovalSettings
    validation: ValidationSettings
    model_sha256: str
    request: str = ""

    def with_request(self) -> VisitSettings:
        """Return the same with its checksum: workers need not look for SPM to make it."""
        text = json.dumps(self.describe(), sort_keys=True)
        return replace(self, request=hashlib.sha256(text.encode()).hexdigest())

    def describe(self) -> dict[str, Any]:
        """Return what decides the results of a visit beside its images."""
        from clinica_gado.validation.measures import describe_measures
        from clinica_gado.validation.tissue import describe_engine

        segmenter = self.validation.segmenter()
        return {
            "ModelSha256": self.model_sha256,
            "Precision": self.removal.precision,
            "Flips": self.removal.flips,
            "Preprocessing": describe_options(self.removal.linear),
            "NativeSpace": self.removal.native_space,
            "Segmentation": None if segmenter is None else describe_engine(segmenter),
            "Measures": describe_measures(),
        }


Treat = Callable[[Job, VisitSettings, Sequence[str]], Outcome]
"""Takes a visit through some steps; what goes wrong is in the outcome, not raised."""


def treat(job: Job, settings: VisitSettings, steps: Sequence[str] = STEPS) -> Outcome:
    """Take a visit through steps, of which those that CAPS has the results of cost little.

    Any number of calls, whole or interrupted, come to the same result.
    """
    outcome = known_outcome(job, settings.removal, settings.model_sha256)
    if outcome is None:
        outcome = _make(job, settings.removal, steps)
    if VALIDATE not in steps or outcome.status == FAILED:
        return outcome
    return with_validation(outcome, _validate(job, settings.validation))


def _make(job: Job, settings: RemovalSettings, steps: Sequence[str]) -> Outcome:
    sidecar = read_sidecar(removal_paths(settings.caps, job.source, job.visit).sidecar)
    outcome = Outcome(job.visit, job.source.name, DONE, flags=flags_in(sidecar or {}))
    for name, step in ((PREPROCESS, preprocess), (SYNTHESISE, synthesise)):
        if name in steps and outcome.status != FAILED:
            outcome = attempt(job, partial(step, job, settings))
    return outcome


def _validate(job: Job, settings: ValidationSettings) -> Outcome:
    """Validate one visit: SPM, if it is the engine, starts once for its two or three images."""
    from clinica_gado.validation.visits import known_flags, validate_visits

    try:
        flags = known_flags(job, settings)
        if flags is not None:
            return Outcome(job.visit, job.source.name, DONE, flags=flags)
        return next(iter(validate_visits([job], settings)))
    except Exception as error:  # such as no SPM on this worker: the image is there all the same
        return failure(job, error)
