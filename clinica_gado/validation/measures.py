"""What is measured on the images of a visit beside tissue volumes: likeness, contrast, change."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.caps import (
    read_sidecar,
    reference_paths,
    removal_paths,
    segmentation_paths,
)
from clinica_gado.evaluation.contrast_index import DEFINITIONS as CONTRAST_DEFINITIONS
from clinica_gado.evaluation.contrast_index import LESION_CM3, measure_contrast
from clinica_gado.evaluation.similarity import DEFINITIONS as SIMILARITY_DEFINITIONS
from clinica_gado.evaluation.similarity import similarity_row
from clinica_gado.files import sha256_of, write_json
from clinica_gado.preprocessing.images import read_volume
from clinica_gado.preprocessing.templates import SHA256 as TEMPLATE_SHA256
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.segmentation.atlas import SHA256 as ATLAS_SHA256
from clinica_gado.segmentation.atlas import load_enhancing_regions, load_tissue_priors
from clinica_gado.validation.tissue import read_maps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clinica_gado.bids import Job

CE, SYNTHETIC, NCE = "ce", "synthetic", "nce"
"""The contrast-enhanced T1w, what the model made of it, and the real one without contrast."""
DIGITS = 6
PLANES = "PlanesSha256"
"""Of the picture, which is made and not asked for."""
VERSION = 2
"""Raised with every change of the numbers or of the picture: visits measured before it are measured
again. `tests/unit/validation/test_measures.py` holds numbers of this version.

2: planes through the largest change, on the intensity scale of the brain.
"""


def image_paths(job: Job, caps: Path) -> dict[str, Path]:
    """Return the images of a visit on the template grid, by role; a missing one is left out."""
    paths = removal_paths(caps, job.source, job.visit)
    found = {CE: paths.linear, SYNTHETIC: paths.image}
    if job.reference is not None:
        found[NCE] = reference_paths(caps, job).image
    return {role: path for role, path in found.items() if path.is_file()}


def measure_visit(job: Job, caps: Path) -> tuple[str, ...]:
    """Write the measures and the picture of a visit; return the doubts they raise.

    Likeness is measured in the template's brain, where both images were acquired.
    """
    from clinica_gado.report.planes import save_planes

    paths = removal_paths(caps, job.source, job.visit)
    files = image_paths(job, caps)
    images = {role: read_volume(path).data for role, path in files.items()}
    contrast = measure_contrast(
        images[CE], images[SYNTHETIC], load_enhancing_regions(), load_tissue_priors()
    )
    content = {
        "Description": "Measures on the images of a visit, on the template grid",
        "Images": {
            role: path.relative_to(paths.image.parent).as_posix() for role, path in files.items()
        },
        **_request(files),
        "Similarity": _similarity(images),
        "Contrast": contrast.numbers,
        "Flags": list(contrast.flags),
    }
    found = {role: read_maps(path) for role, path in files.items()}
    contours = {role: maps for role, maps in found.items() if maps is not None}
    save_planes(images, contours, paths.planes)
    write_json(paths.measures, content)
    return contrast.flags


def _similarity(images: dict[str, NDArray[np.float32]]) -> dict[str, dict[str, Any]]:
    if NCE not in images:
        return {}
    mask = template_brain() & (images[CE] > 0) & (images[NCE] > 0)
    rows = {role: similarity_row(images[role], images[NCE], mask) for role in (CE, SYNTHETIC)}
    return {role: {name: _number(row[name]) for name in row} for role, row in rows.items()}


def _number(value: float) -> float | None:
    """Return what JSON can hold: it has no NaN and no infinity."""
    return round(float(value), DIGITS) if math.isfinite(value) else None


def is_measured(job: Job, caps: Path) -> bool:
    """Tell whether the measures of a visit are there, of these very images and tissue maps.

    They are not when they were measured by other definitions.
    """
    paths = removal_paths(caps, job.source, job.visit)
    sidecar = read_sidecar(paths.measures)
    if sidecar is None or not paths.planes.is_file():
        return False
    return is_exactly(sidecar, _request(image_paths(job, caps)))


def make_latest(measures: Path) -> None:
    """Date measures anew where another choice of inputs left some in the visit that are later.

    The tables take the latest of a visit (`clinica_gado.validation.tables`).
    """
    with suppress(OSError):  # not ours to date, or replaced just now
        others = (path.stat().st_mtime_ns for path in measures.parent.glob("*_measures.json"))
        if max(others, default=0) > measures.stat().st_mtime_ns:
            os.utime(measures)


def is_exactly(measures: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Tell whether measures are of a request, and of no other file: one may be withdrawn."""
    files = {name for name in measures if name.endswith("Sha256")} - {PLANES}
    return request.items() <= measures.items() and files <= request.keys()


@lru_cache(maxsize=1)
def describe_measures() -> dict[str, Any]:
    """Return what decides the measures beside the images, as `describe_engine` does for maps.

    The definitions in words are part of it, by checksum, so that a number is never kept under
    words that were not its own.
    """
    words = {**SIMILARITY_DEFINITIONS, **CONTRAST_DEFINITIONS, "lesion": f"> {LESION_CM3} cm³"}
    definitions = json.dumps(words, sort_keys=True).encode()
    return {
        "Version": VERSION,
        "DefinitionsSha256": hashlib.sha256(definitions).hexdigest(),
        "ResourcesSha256": {**TEMPLATE_SHA256, **ATLAS_SHA256},
    }


def _request(files: dict[str, Path]) -> dict[str, Any]:
    """Return what the measures and the picture are made of: definitions, and files by checksum."""
    segmented = {role: segmentation_paths(path).sidecar for role, path in files.items()}
    maps = {f"{role}MapsSha256": sha256_of(p) for role, p in segmented.items() if p.is_file()}
    images = {f"{role}Sha256": sha256_of(path) for role, path in files.items()}
    return {"Definition": describe_measures(), **images, **maps}
