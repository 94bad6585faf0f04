"""Validation of several visits in one go, so that SPM starts once for all their images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from clinica_gado.bids import Job
from clinica_gado.caps import read_sidecar, reference_paths, removal_paths, segmentation_paths
from clinica_gado.outcomes import FAILED, Outcome, attempt
from clinica_gado.validation.measures import image_paths, is_measured, make_latest, measure_visit
from clinica_gado.validation.reference import align_reference, is_aligned
from clinica_gado.validation.settings import ValidationSettings
from clinica_gado.validation.tissue import describe_engine, is_segmented, segment_images


def known_flags(job: Job, settings: ValidationSettings) -> tuple[str, ...] | None:
    """Return the doubts of a visit that is validated, whose measures then count; else None."""
    if not is_validated(job, settings):
        return None
    make_latest(removal_paths(settings.caps, job.source, job.visit).measures)
    return flags_of(job, settings)


def is_validated(job: Job, settings: ValidationSettings) -> bool:
    """Tell whether CAPS holds all that the validation of a visit makes, of its present images."""
    images = image_paths(job, settings.caps)
    segmenter = settings.segmenter()
    if segmenter is not None:
        request = describe_engine(segmenter)
        if not all(is_segmented(path, request) for path in images.values()):
            return False
    return is_aligned(job, settings.caps) and is_measured(job, settings.caps)


def validate_visits(jobs: Sequence[Job], settings: ValidationSettings) -> Iterator[Outcome]:
    """Align the references, segment every image, measure; yield what became of each visit.

    What fails is told and costs nothing else: the other steps and visits go on.
    """
    aligned = {job.visit: attempt(job, partial(_align, job, settings)) for job in jobs}
    problems = _segment([path for job in jobs for path in _images(job, settings)], settings)
    for job in jobs:
        measured = attempt(job, partial(_measure, job, settings))
        reasons = [
            outcome.reason for outcome in (aligned[job.visit], measured) if outcome.status == FAILED
        ]
        reasons += [problems[path] for path in _images(job, settings) if path in problems]
        status = FAILED if reasons else measured.status
        yield Outcome(
            job.visit, job.source.name, status, " ".join(reasons), flags_of(job, settings)
        )


def _align(job: Job, settings: ValidationSettings) -> tuple[str, ...]:
    align_reference(job, settings.caps, settings.linear)
    return ()


def _images(job: Job, settings: ValidationSettings) -> list[Path]:
    return list(image_paths(job, settings.caps).values())


def _segment(images: Sequence[Path], settings: ValidationSettings) -> dict[Path, str]:
    segmenter = settings.segmenter()
    return dict(segment_images(images, segmenter)) if segmenter is not None else {}


def _measure(job: Job, settings: ValidationSettings) -> tuple[str, ...]:
    if not is_measured(job, settings.caps):
        measure_visit(job, settings.caps)
    return ()


def flags_of(job: Job, settings: ValidationSettings) -> tuple[str, ...]:
    """Return every doubt that the validation of a visit has raised, from its sidecars."""
    paths = removal_paths(settings.caps, job.source, job.visit)
    flags = list((read_sidecar(paths.measures) or {}).get("Flags", []))
    for role, image in image_paths(job, settings.caps).items():
        found = (read_sidecar(segmentation_paths(image).sidecar) or {}).get("Flags", [])
        flags += [f"{role}: {flag}" for flag in found]
    if job.reference is not None:
        sidecar = read_sidecar(reference_paths(settings.caps, job).sidecar) or {}
        flags += [f"nce: {flag}" for flag in sidecar.get("Registration", {}).get("flags", [])]
    return tuple(flags)
