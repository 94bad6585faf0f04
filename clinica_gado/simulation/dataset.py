"""A simulated BIDS dataset: which images of whom, and their files and sidecars."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from clinica_gado.files import atomic_path, write_json
from clinica_gado.simulation.acquisition import acquire
from clinica_gado.simulation.anatomy import Head, build_head
from clinica_gado.simulation.labels import Tissue, load_label_map
from clinica_gado.simulation.parameters import (
    AcquisitionParameters,
    Geometry,
    HeadParameters,
    sample_acquisition,
    sample_head,
    sample_lesion,
)
from clinica_gado.simulation.rendering import render_signal, tissue_signal
from clinica_gado.simulation.signal import SpoiledGradientEcho

CLINICAL_DOSE_MMOL_PER_KG = 0.1
VOLUME_SPGR = SpoiledGradientEcho(repetition_time_ms=25.0, echo_time_ms=4.6, flip_angle_deg=30.0)


@dataclass(frozen=True)
class ImageSpec:
    """One image of a session: dose, entities between session and suffix, extra sidecar fields."""

    dose_mmol_per_kg: float
    entities: str = ""
    sidecar: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SessionSpec:
    """One scan session; `session_id` is None where the subject has no session folder."""

    session_id: str | None
    geometry: Geometry
    images: tuple[ImageSpec, ...]
    sequence: SpoiledGradientEcho = VOLUME_SPGR


@dataclass(frozen=True)
class SubjectSpec:
    """One person: label map, seed, field strength, whether there is a lesion, and sessions."""

    participant_id: str
    label_map: Path
    seed: int
    field_strength_t: float
    ring_lesion: bool
    sessions: tuple[SessionSpec, ...]


@dataclass(frozen=True)
class SimulatedImage:
    """An image with its path below the dataset and its sidecar."""

    path: Path
    image: nib.Nifti1Image
    sidecar: dict[str, object]


@dataclass(frozen=True)
class _Scan:
    """A session of a person with every parameter drawn."""

    subject: SubjectSpec
    session: SessionSpec
    head: Head
    parameters: HeadParameters
    acquisition: AcquisitionParameters


def simulate_subject(subject: SubjectSpec) -> Iterator[SimulatedImage]:
    """Yield every image of a person; head, lesion and uptake are the same in all sessions."""
    rng = np.random.default_rng(subject.seed)
    lesion = sample_lesion(rng) if subject.ring_lesion else None
    parameters = sample_head(rng, subject.field_strength_t, lesion)
    head = build_head(load_label_map(subject.label_map), parameters)
    for number, session in enumerate(subject.sessions):
        session_rng = np.random.default_rng([subject.seed, number])
        acquisition = sample_acquisition(session_rng, session.geometry)
        scan = _Scan(subject, session, head, parameters, acquisition)
        for order, spec in enumerate(session.images):
            yield _simulate_image(scan, spec, noise_seed=[subject.seed, number, order])


def _simulate_image(scan: _Scan, spec: ImageSpec, *, noise_seed: list[int]) -> SimulatedImage:
    sequence = scan.session.sequence
    plain = tissue_signal(scan.parameters, sequence, dose_mmol_per_kg=0.0)
    image = acquire(
        render_signal(scan.head, scan.parameters, sequence, spec.dose_mmol_per_kg),
        scan.head.affine,
        scan.acquisition,
        float(plain[Tissue.WHITE]) / scan.acquisition.signal_to_noise,
        np.random.default_rng(noise_seed),
    )
    path = bids_path(scan.subject.participant_id, scan.session.session_id, spec.entities)
    return SimulatedImage(path, image, _sidecar(scan, spec, noise_seed))


def bids_path(participant_id: str, session_id: str | None, entities: str) -> Path:
    """Return the path of a T1w below the dataset, e.g. for entities `ce-gadolinium_run-01`."""
    parts = [part for part in (participant_id, session_id) if part]
    name = "_".join([*parts, *([entities] if entities else []), "T1w.nii.gz"])
    return Path(*parts, "anat", name)


def _sidecar(scan: _Scan, spec: ImageSpec, noise_seed: list[int]) -> dict[str, object]:
    """Return the BIDS fields, and every parameter of the simulation."""
    return {
        "Modality": "MR",
        "Manufacturer": "none (simulated)",
        "MagneticFieldStrength": scan.subject.field_strength_t,
        **scan.session.sequence.sidecar(),
        **dict(spec.sidecar),
        "Simulated": True,
        "Simulation": {
            "LabelMap": scan.subject.label_map.name,
            "Seed": scan.subject.seed,
            "NoiseSeed": noise_seed,
            "DoseMmolPerKg": spec.dose_mmol_per_kg,
            "Head": asdict(scan.parameters),
            "Acquisition": asdict(scan.acquisition),
        },
    }


def write_images(root: Path, images: Iterable[SimulatedImage]) -> None:
    """Write images and sidecars below the root of a dataset."""
    for item in images:
        target = root / item.path
        with atomic_path(target) as partial:
            partial.write_bytes(compressed_bytes(item.image))
        write_json(target.with_name(target.name.replace(".nii.gz", ".json")), item.sidecar)


def compressed_bytes(image: nib.Nifti1Image) -> bytes:
    """Return an image as .nii.gz bytes that depend on nothing but the image."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as stream:
        stream.write(image.to_bytes())
    return buffer.getvalue()
