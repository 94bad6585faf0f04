"""What is measured on a visit of t1-virtual-enhance: likeness to the real image, lesions, change.

A synthetic image is worth its while only if it is nearer to the real contrast-enhanced one than
the T1w without contrast is, and shows lesions better than the dose that was given.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinica_gado.bids import InputFile
from clinica_gado.caps import (
    ENHANCEMENT,
    input_paths,
    prepared_paths,
    read_sidecar,
    real_enhanced_paths,
    segmentation_paths,
)
from clinica_gado.errors import GadoError
from clinica_gado.evaluation.similarity import similarity_row
from clinica_gado.files import sha256_of, write_json
from clinica_gado.outcomes import FAILED
from clinica_gado.preprocessing.images import read_volume
from clinica_gado.preprocessing.multimodal import is_prepared, prepare_sequence
from clinica_gado.roles import CE, LOW_DOSE, ROUTINE, SYNTHETIC, T1W, Roles
from clinica_gado.sequences import T1W as T1W_INPUT
from clinica_gado.sequences import T1W_CE, T1W_KINDS, T1W_LOW_DOSE
from clinica_gado.validation.enhanced_lesions import (
    HEALTHY,
    healthy_key,
    healthy_source,
    lesions_key,
    measure_lesions,
    read_healthy,
    read_lesions,
    seen_in,
)
from clinica_gado.validation.measures import DIGITS, PLANES, is_exactly, make_latest
from clinica_gado.validation.settings import ValidationSettings
from clinica_gado.validation.tissue import (
    describe_engine,
    is_segmented,
    read_maps,
    segment_images,
)
from clinica_gado.virtual_enhancement import (
    EnhancementSettings,
    known_outcome,
    paths_of,
    read_brain,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.bids import InputJob
    from clinica_gado.outcomes import Outcome

    Images = dict[str, NDArray[np.float32]]

VERSION = 4
"""Raised with every change of the numbers or of the picture; see `measures.VERSION`."""
IN_CONTRAST = ("p2_tumour_l2_e4", "p2_tumour_l2_e4_matched")
"""Columns of `similarity_row` that are of lesions: `measure_lesions` measures those."""
BRIGHTENED = 0.2
"""A voxel was brightened when it gained more than this share of the brain's median before."""
DEFINITIONS = {
    "brightened_percent": "share of the brain brightened by more than 20 % of its median before: "
    "in the image that leads, the T1w or the dose that a model takes first",
    "darkened_percent": "share of the brain darkened by more than 20 % of its median before",
    "mean_change_percent": "mean change in the brain, in % of its median before",
    "median_uncertainty_percent": "median in the brain of the standard deviation over the averaged "
    "runs, in % of the brain's median before",
}


def validation_of(settings: EnhancementSettings) -> ValidationSettings:
    """Return the settings of the segmentation."""
    return ValidationSettings(settings.caps, settings.segmentation, settings.tpm, settings.linear)


def visit_roles(job: InputJob, settings: EnhancementSettings) -> Roles:
    """Return the names of the images of a visit; the first T1w that the model takes leads."""
    names = {T1W_INPUT: T1W, T1W_CE: ROUTINE}
    names[T1W_LOW_DOSE] = ROUTINE if settings.amplify else LOW_DOSE
    before, *given = [names[name] for name in job.files if name in T1W_KINDS]
    return Roles(before, CE, tuple(given))


def image_paths(job: InputJob, settings: EnhancementSettings) -> dict[str, Path]:
    """Return the images of a visit on the template grid, by role; a missing one is left out."""
    roles = visit_roles(job, settings)
    inputs = [
        input_paths(settings.caps, job, name).image for name in job.files if name in T1W_KINDS
    ]
    found = dict(zip((roles.before, *roles.given), inputs, strict=True))
    found[SYNTHETIC] = paths_of(job, settings).image
    if job.reference is not None:
        found[CE] = real_enhanced_paths(settings.caps, job).image
    return {role: path for role, path in found.items() if path.is_file()}


def validate_visit(job: InputJob, settings: EnhancementSettings) -> tuple[str, ...]:
    """Align the real image, segment and measure, unless that was done; return the doubts.

    Raises
    ------
    GadoError
        The real image could not be aligned, or one not be segmented; all else was measured.
    """
    problems = []
    try:
        align_real(job, settings)
    except GadoError as error:
        problems.append(str(error))
    files = image_paths(job, settings)
    segmenter = validation_of(settings).segmenter()
    if segmenter is not None:
        problems += segment_images(list(files.values()), segmenter).values()
    if not _is_measured(job, settings):
        _measure(job, settings)
    if problems:
        raise GadoError(" ".join(problems))
    return flags_of_visit(job, settings)


def align_real(job: InputJob, settings: EnhancementSettings) -> None:
    """Bring the real contrast-enhanced T1w to the template as the inputs were, after the T1w."""
    if job.reference is not None:
        prepared = prepared_paths(settings.caps, job.source, job.visit, ENHANCEMENT)
        destination = real_enhanced_paths(settings.caps, job)
        real = InputFile(job.reference)
        prepare_sequence(T1W_CE, real, job.source, prepared, destination, settings.linear)


def is_validated(job: InputJob, settings: EnhancementSettings) -> bool:
    """Tell whether CAPS holds all that `validate_visit` makes, of the present images."""
    files = image_paths(job, settings)
    segmenter = validation_of(settings).segmenter()
    if segmenter is not None:
        request = describe_engine(segmenter)
        if not all(is_segmented(path, request) for path in files.values()):
            return False
    return _is_aligned(job, settings) and _is_measured(job, settings)


def _is_aligned(job: InputJob, settings: EnhancementSettings) -> bool:
    """Tell whether the real image, if there is one, is there on the template's grid."""
    if job.reference is None:
        return True
    prepared = prepared_paths(settings.caps, job.source, job.visit, ENHANCEMENT)
    destination = real_enhanced_paths(settings.caps, job)
    return is_prepared(InputFile(job.reference), prepared, destination)


def known_end(job: InputJob, settings: EnhancementSettings, model_sha256: str) -> Outcome | None:
    """Return the end of a visit that needs no work, done and measured or in conflict; else None."""
    outcome = known_outcome(job, settings, model_sha256)
    if outcome is None or outcome.status == FAILED:
        return outcome
    try:
        if not is_validated(job, settings):
            return None
    except OSError:
        return None  # a real image that cannot be read: aligning it says so in words
    make_latest(paths_of(job, settings).measures)
    return outcome._replace(flags=(*outcome.flags, *flags_of_visit(job, settings)))


def flags_of_visit(job: InputJob, settings: EnhancementSettings) -> tuple[str, ...]:
    """Return the doubts that the segmentation of a visit has raised, from its sidecars."""
    flags = []
    for role, path in image_paths(job, settings).items():
        sidecar = read_sidecar(segmentation_paths(path).sidecar) or {}
        flags += [f"{role}: {flag}" for flag in sidecar.get("Flags", [])]
    return tuple(flags)


def _is_measured(job: InputJob, settings: EnhancementSettings) -> bool:
    paths = paths_of(job, settings)
    sidecar = read_sidecar(paths.measures)
    if sidecar is None or not paths.planes.is_file():
        return False
    # What was amplified and what was synthesised share the picture.
    if sidecar.get(PLANES) != sha256_of(paths.planes):
        return False
    return is_exactly(sidecar, _request(job, settings))


def _request(job: InputJob, settings: EnhancementSettings) -> dict[str, Any]:
    """Return what the measures and the picture are made of: definitions, and files by checksum."""
    files = image_paths(job, settings)
    lesions, healthy = lesions_key(job, settings), healthy_key(job, settings)
    segmented = {role: segmentation_paths(path).sidecar for role, path in files.items()}
    maps = {f"{role}MapsSha256": sha256_of(p) for role, p in segmented.items() if p.is_file()}
    images = {f"{role}Sha256": sha256_of(path) for role, path in files.items()}
    # A mask of healthy brain counts where there are lesions.
    known = {} if lesions is None else {"LesionsSha256": lesions, "HealthySha256": healthy}
    definition = {"Version": VERSION, "EnhancingLabels": list(settings.enhancing_labels)}
    return {"Definition": definition, **images, **maps, **known}


def _measure(job: InputJob, settings: EnhancementSettings) -> None:
    """Write the measures and the picture of a visit."""
    from clinica_gado.report.planes import save_planes

    paths, files = paths_of(job, settings), image_paths(job, settings)
    roles = visit_roles(job, settings)
    images = {role: read_volume(path).data for role, path in files.items()}
    brain = read_brain(paths)
    spread = read_volume(paths.uncertainty).data if paths.uncertainty.is_file() else None
    content = {
        "Description": "Measures on the images of a visit, on the template grid",
        "Images": {
            role: path.relative_to(paths.image.parent).as_posix() for role, path in files.items()
        },
        **_request(job, settings),
        "Similarity": measure_similarity(images, brain),
        "Contrast": {
            **measure_change(images[roles.before], images[SYNTHETIC], brain, spread),
            **_measure_lesions(job, settings, images, brain),
        },
        "Flags": [],
    }
    found = {role: read_maps(path) for role, path in files.items()}
    contours = {role: maps for role, maps in found.items() if maps is not None}
    save_planes(
        *(images, contours, paths.planes),
        roles=roles,
        uncertainty=spread,
        made=images[SYNTHETIC] != 0,  # a network that knows the brain alone leaves zeros around
    )
    write_json(paths.measures, {**content, PLANES: sha256_of(paths.planes)})


def _measure_lesions(
    job: InputJob, settings: EnhancementSettings, images: Images, brain: NDArray[np.bool_]
) -> dict[str, float | str | None]:
    """Return the columns of the lesions of a visit, and what they were compared with."""
    lesions = read_lesions(job, settings)
    if lesions is None:
        return {}
    found = measure_lesions(images, lesions, brain, read_healthy(job, settings))
    numbers = {name: _number(value) for name, value in found.items()}
    is_compared = any(name.startswith("cnr_") for name in found)
    return {**numbers, **({HEALTHY: healthy_source(settings)} if is_compared else {})}


def measure_similarity(
    images: Images, brain: NDArray[np.bool_]
) -> dict[str, dict[str, float | None]]:
    """Return the likeness of every other image to the real one, in the brain.

    Only voxels that all acquired images show count, so that the numbers are of the same voxels;
    what the model set to zero counts as error. Those of lesions (`IN_CONTRAST`) are left out.
    """
    if CE not in images:
        return {}
    mask = seen_in(images, brain)
    others = [role for role in images if role != CE]
    rows = {role: similarity_row(images[role], images[CE], mask) for role in others}
    return {
        role: {name: _number(value) for name, value in row.items() if name not in IN_CONTRAST}
        for role, row in rows.items()
    }


def measure_change(
    leading: NDArray[np.float32],
    synthetic: NDArray[np.float32],
    brain: NDArray[np.bool_],
    spread: NDArray[np.float32] | None,
) -> dict[str, float | None]:
    """Return the columns of `DEFINITIONS`; the last one only where there is a spread.

    Parameters
    ----------
    leading, synthetic : the first image that the model takes, whose scale the synthetic one has.
    spread : standard deviation of the synthetic image; all arrays (X, Y, Z).
    """
    before = leading[brain]
    median = float(np.median(before)) if before.size else math.nan
    change = (synthetic[brain] - before) / median
    numbers = {
        "brightened_percent": 100 * float((change > BRIGHTENED).mean()),
        "darkened_percent": 100 * float((change < -BRIGHTENED).mean()),
        "mean_change_percent": 100 * float(change.mean()),
    }
    if spread is not None:
        numbers["median_uncertainty_percent"] = 100 * float(np.median(spread[brain])) / median
    return {name: _number(value) for name, value in numbers.items()}


def _number(value: float) -> float | None:
    """Return what JSON can hold: it has no NaN and no infinity."""
    return round(float(value), DIGITS) if math.isfinite(value) else None
