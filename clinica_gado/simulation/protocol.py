"""A whole simulated dataset: which heads, how often, which images; and its top-level files."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from clinica_gado import __version__
from clinica_gado.caps import read_sidecar
from clinica_gado.errors import InputImageError, OutputError
from clinica_gado.files import atomic_path, write_json, write_tsv
from clinica_gado.simulation.agent import CLINICAL_DOSE_MMOL_PER_KG
from clinica_gado.simulation.dataset import TRUTH, TRUTH_LABELS, simulate_subject, write_images
from clinica_gado.simulation.parameters import LESION_KINDS, Geometry, LesionKind
from clinica_gado.simulation.planning import (
    ImageSpec,
    PlannedSubject,
    Realism,
    SessionSpec,
    SubjectSpec,
    plan_subject,
)
from clinica_gado.simulation.sampling import T1_SEQUENCES, sample_sequence
from clinica_gado.simulation.signal import Sequence
from clinica_gado.simulation.tissue import FIELD_STRENGTHS_T
from clinica_gado.words import first_few

logger = logging.getLogger(__name__)

HELD_OUT_HEADS = frozenset(range(15, 21))
"""Anatomies kept for validation and test; simulated only when they are named."""
SESSION = "ses-M000"
DATASET_NAME = "Simulated MRI with and without gadolinium"
_HEAD_FILE = re.compile(r"head_(\d+)_dseg\.nii(\.gz)?")


@dataclass(frozen=True)
class SimulationRequest:
    """What to simulate.

    Attributes
    ----------
    heads : numbers of label maps; all but `HELD_OUT_HEADS` when empty.
    draws : persons on each label map: other tissue, vessels, lesions, sequences.
    doses_mmol_per_kg : one T1w image each; other sequences are without agent.
    field_strength_t : drawn when None.
    lesions : kinds of lesions each person has; up to two of any kind when None.
    style_change : the T1w images of a person come from different sequences.
    """

    label_maps: Path
    output: Path
    heads: tuple[int, ...] = ()
    draws: int = 1
    seed: int = 0
    doses_mmol_per_kg: tuple[float, ...] = (0.0, CLINICAL_DOSE_MMOL_PER_KG)
    sequences: tuple[str, ...] = ("mprage",)
    geometry: Geometry = field(default_factory=lambda: Geometry((1.0, 1.0, 1.0)))
    field_strength_t: float | None = None
    lesions: tuple[LesionKind, ...] | None = None
    realism: Realism = field(default_factory=Realism)
    style_change: bool = False


def write_dataset(request: SimulationRequest, device: str = "cpu") -> None:
    """Simulate a dataset: images, sidecars, true labels and top-level files.

    Raises
    ------
    InputImageError, OutputError
        There is no such label map, or the folder holds what was not simulated here.
    """
    planned = [plan_subject(spec) for spec in subjects(request)]
    _check_output(request.output)
    _write_top_level(request.output, planned)
    for number, subject in enumerate(planned, start=1):
        logger.info("%d of %d: %s", number, len(planned), subject.spec.participant_id)
        images = simulate_subject(subject, with_truth=True, device=device)
        write_images(request.output, images)


def subjects(request: SimulationRequest) -> Iterator[SubjectSpec]:
    """Yield each person to simulate; one is a function of seed, head and draw alone."""
    maps = find_label_maps(request.label_maps)
    for head in _choose_heads(request, maps):
        for draw in range(1, request.draws + 1):
            yield _subject(request, maps[head], head, draw)


def _choose_heads(request: SimulationRequest, maps: Mapping[int, Path]) -> tuple[int, ...]:
    folder = request.label_maps
    if not maps:
        raise InputImageError(
            f"{folder} has no label map; it needs files named head_01_dseg.nii.gz and so on."
        )
    chosen = request.heads or tuple(sorted(set(maps) - HELD_OUT_HEADS))
    if not chosen:
        raise InputImageError(
            f"{folder} has only heads kept for validation and test; name them with --head."
        )
    if missing := [f"head {number}" for number in chosen if number not in maps]:
        present = first_few(f"head {number}" for number in sorted(maps))
        raise InputImageError(
            f"{folder} has no label map of {', '.join(missing)}; it has {present}."
        )
    return chosen


def find_label_maps(folder: Path) -> dict[int, Path]:
    """Return the label maps of a folder by the number of their head."""
    matches = ((_HEAD_FILE.fullmatch(path.name), path) for path in sorted(folder.iterdir()))
    return {int(match[1]): path for match, path in matches if match}


def _subject(request: SimulationRequest, label_map: Path, head: int, draw: int) -> SubjectSpec:
    entropy = np.random.SeedSequence([request.seed, head, draw])
    seed = int(entropy.generate_state(1)[0])
    rng = np.random.default_rng(entropy.spawn(1)[0])
    field_strength_t = request.field_strength_t or float(rng.choice(FIELD_STRENGTHS_T))
    lesions = request.lesions
    if lesions is None:
        picks = rng.integers(len(LESION_KINDS), size=int(rng.integers(3)))
        lesions = tuple(LESION_KINDS[int(pick)] for pick in picks)
    images = tuple(_images(request, rng, field_strength_t))
    session = SessionSpec(SESSION, request.geometry, images, realism=request.realism)
    name = f"sub-head{head:02d}draw{draw:02d}"
    return SubjectSpec(name, label_map, seed, field_strength_t, lesions, (session,))


def _images(
    request: SimulationRequest, rng: np.random.Generator, field_strength_t: float
) -> Iterator[ImageSpec]:
    several = sum(name in T1_SEQUENCES for name in request.sequences) > 1
    for name in request.sequences:
        sequence = sample_sequence(rng, name, field_strength_t)
        if name not in T1_SEQUENCES:
            yield ImageSpec(0.0, sequence=sequence)
            continue
        acquisition = name.replace("-", "") if several else ""
        for dose in request.doses_mmol_per_kg:
            style = _other_style(request, rng, name, field_strength_t) or sequence
            entities = _entities(acquisition, dose, request.doses_mmol_per_kg)
            agent = "GADOLINIUM" if dose else "NONE"
            stated = (("ContrastBolusIngredient", agent),)
            yield ImageSpec(dose, entities, stated, style)


def _other_style(
    request: SimulationRequest, rng: np.random.Generator, name: str, field_strength_t: float
) -> Sequence | None:
    """Draw another T1w sequence where the images of a person are to differ in style."""
    if not request.style_change:
        return None
    others = [other for other in T1_SEQUENCES if other != name]
    return sample_sequence(rng, str(rng.choice([name, *others])), field_strength_t)


def _entities(acquisition: str, dose: float, doses: tuple[float, ...]) -> str:
    """Return the entities that tell the images of a session apart, e.g. `ce-gadolinium`."""
    is_reduced = 0 < dose < max(doses)
    reduced = [other for other in doses if 0 < other < max(doses)]
    if is_reduced:
        label = "lowdose" if len(reduced) == 1 else f"dose{round(1000 * dose)}umol"
        acquisition += label.capitalize() if acquisition else label
    parts = [f"acq-{acquisition}"] if acquisition else []
    return "_".join([*parts, *(["ce-gadolinium"] if dose else [])])


def _check_output(root: Path) -> None:
    """Refuse a folder that holds anything but a dataset of simulated images."""
    made_here = (read_sidecar(root / "dataset_description.json") or {}).get("Name") == DATASET_NAME
    if root.is_dir() and any(root.iterdir()) and not made_here:
        raise OutputError(f"{root} holds something else; give an empty or a new folder.")


def _write_top_level(root: Path, planned: list[PlannedSubject]) -> None:
    """Write descriptions, the table of participants and a README."""
    description = {
        "Name": DATASET_NAME,
        "BIDSVersion": "1.9.0",
        "GeneratedBy": [{"Name": "clinica_gado.simulation", "Version": __version__}],
    }
    write_json(root / "dataset_description.json", {**description, "DatasetType": "raw"})
    truth = {**description, "Name": "True labels", "DatasetType": "derivative"}
    write_json(root / TRUTH / "dataset_description.json", truth)
    labels = pd.DataFrame({"index": list(TRUTH_LABELS.values()), "name": list(TRUTH_LABELS)})
    write_tsv(root / TRUTH / "dseg.tsv", labels)
    write_tsv(
        root / "participants.tsv",
        pd.DataFrame(
            {
                "participant_id": [subject.spec.participant_id for subject in planned],
                "label_map": [subject.spec.label_map.name for subject in planned],
                "field_strength_t": [subject.spec.field_strength_t for subject in planned],
                "lesions": [",".join(s.spec.lesions) or "none" for s in planned],
            }
        ),
    )
    with atomic_path(root / "README") as partial:
        partial.write_text(_README, encoding="utf-8")


_README = """Simulated MRI: no person was scanned.

Computed by `clinica-gado simulate` from label maps; every parameter is in the sidecar of its image.
True labels are in derivatives/truth.
"""
