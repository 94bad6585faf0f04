"""Whom to scan and how: what is asked for, and from it every parameter of a person's images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from clinica_gado.simulation.parameters import (
    AcquisitionParameters,
    Geometry,
    HeadParameters,
    LesionKind,
    Scan,
)
from clinica_gado.simulation.sampling import (
    add_artefacts,
    sample_acquisition,
    sample_brain_mask,
    sample_head,
    sample_lesion,
)
from clinica_gado.simulation.signal import DiffusionMap, Sequence, SpoiledGradientEcho

VOLUME_SPGR = SpoiledGradientEcho(repetition_time_ms=25.0, echo_time_ms=4.6, flip_angle_deg=30.0)
_MICRO = 1000.0
"""An ADC map is in µm²/s (10⁻⁶ mm²/s), with no gain or sensitivity of a coil."""


@dataclass(frozen=True)
class ImageSpec:
    """One image of a session: dose, entities between session and suffix, extra sidecar fields.

    Without a sequence or a geometry of its own, it has those of the session.
    """

    dose_mmol_per_kg: float
    entities: str = ""
    sidecar: tuple[tuple[str, str], ...] = ()
    sequence: Sequence | None = None
    geometry: Geometry | None = None


@dataclass(frozen=True)
class Realism:
    """What is done to the images of a session besides noise and bias field."""

    artefacts: bool = False
    brain_only: bool = False
    defaced: bool = False


@dataclass(frozen=True)
class SessionSpec:
    """One scan session; `session_id` is None where the subject has no session folder."""

    session_id: str | None
    geometry: Geometry
    images: tuple[ImageSpec, ...]
    sequence: Sequence = VOLUME_SPGR
    realism: Realism = field(default_factory=Realism)


@dataclass(frozen=True)
class SubjectSpec:
    """One person: label map, seed, field strength, kinds of lesions, and sessions."""

    participant_id: str
    label_map: Path
    seed: int
    field_strength_t: float
    lesions: tuple[LesionKind, ...]
    sessions: tuple[SessionSpec, ...]


@dataclass(frozen=True)
class PlannedImage:
    """An image with every parameter drawn; `noise_seed` is its own."""

    session_id: str | None
    spec: ImageSpec
    scan: Scan
    noise_seed: tuple[int, ...]


@dataclass(frozen=True)
class PlannedSubject:
    """A person with every parameter drawn."""

    spec: SubjectSpec
    parameters: HeadParameters
    images: tuple[PlannedImage, ...]


def plan_subject(subject: SubjectSpec) -> PlannedSubject:
    """Draw the parameters of a person; head, lesions and uptake are the same in all sessions."""
    rng = np.random.default_rng(subject.seed)
    lesions = tuple(sample_lesion(rng, kind) for kind in subject.lesions)
    parameters = sample_head(rng, subject.field_strength_t, lesions)
    images = (
        image
        for number, session in enumerate(subject.sessions)
        for image in _plan_session(session, (subject.seed, number))
    )
    return PlannedSubject(subject, parameters, tuple(images))


def _plan_session(session: SessionSpec, seed: tuple[int, int]) -> list[PlannedImage]:
    """Draw a session: gain, bias field and skull-strip are shared, artefacts are each image's."""
    rng = np.random.default_rng(seed)
    shared = sample_acquisition(rng, session.geometry)
    realism = session.realism
    mask = sample_brain_mask(rng) if realism.brain_only else None
    shared = replace(shared, brain_mask=mask, defaced=realism.defaced)
    planned = []
    for order, image in enumerate(session.images):
        acquisition = _with_geometry(shared, image.geometry or session.geometry)
        if realism.artefacts:
            acquisition = add_artefacts(rng, acquisition)
        sequence = image.sequence or session.sequence
        if isinstance(sequence, DiffusionMap):
            acquisition = replace(acquisition, gain=_MICRO, bias=(0.0,) * len(acquisition.bias))
        scan = Scan(sequence, image.dose_mmol_per_kg, acquisition)
        planned.append(PlannedImage(session.session_id, image, scan, (*seed, order)))
    return planned


def _with_geometry(acquisition: AcquisitionParameters, geometry: Geometry) -> AcquisitionParameters:
    return replace(
        acquisition,
        voxel_mm=geometry.voxel_mm,
        axis_codes=geometry.axis_codes,
        rotation_deg=geometry.rotation_deg,
        coverage_mm=geometry.coverage_mm,
    )
