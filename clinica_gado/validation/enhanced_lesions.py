"""The lesions of a visit in the T1w, the synthetic and the real image: contrast and likeness."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.evaluation.contrast_index import WHITE_PRIOR
from clinica_gado.evaluation.lesion_axes import read_marks, roi_of
from clinica_gado.evaluation.lesion_contrast import DEFINITIONS as OF_CONTRAST
from clinica_gado.evaluation.lesion_contrast import (
    HEALTHY_DISTANCE_MM,
    healthy_white_matter,
    lesion_contrast,
)
from clinica_gado.evaluation.lesions import Lesions, labels_of, move_labels
from clinica_gado.evaluation.tumour import DEFINITIONS as OF_TUMOUR
from clinica_gado.evaluation.tumour import tumour_metrics
from clinica_gado.files import sha256_of
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.linear import read_itk_affine
from clinica_gado.roles import CE, SYNTHETIC, T1W
from clinica_gado.segmentation.atlas import load_tissue_priors
from clinica_gado.virtual_enhancement import paths_of
from clinica_gado.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.bids import InputJob, Visit
    from clinica_gado.evaluation.lesion_axes import Lesion
    from clinica_gado.virtual_enhancement import EnhancementSettings

logger = logging.getLogger(__name__)

SPACING_MM = (1.0, 1.0, 1.0)
NO_MASK = "none"
HEALTHY = "healthy_brain"
"""Column that says which healthy brain the lesions of a visit were compared with."""
WHITE_MATTER, MASK = "white matter", "mask"
HEALTHY_DEFINITIONS = {
    WHITE_MATTER: f"white matter by its prior (over {WHITE_PRIOR}), more than "
    f"{HEALTHY_DISTANCE_MM:g} mm from any lesion",
    MASK: "the visit's mask in the folder that --healthy names, without lesions",
}
_AGAINST_HEALTHY = ("cnr", "lbr", "pre_contrast_factor")
DEFINITIONS = {
    "enhancing_lesion_cm3": "volume of the lesions that enhance, in the brain, in cm³ of the "
    "template's grid, where heads have the size of the template; by axes one voxel thick",
    **OF_CONTRAST,
    **OF_TUMOUR,
}
"""A column ends in the image that it is of, such as `cnr_synthetic`. `definitions_for` says which
healthy brain it was."""


def definitions_for(sources: Iterable[object]) -> dict[str, str]:
    """Return `DEFINITIONS`, and in those of contrast which healthy brain it was.

    Parameters
    ----------
    sources : `HEALTHY` of each row of contrast.tsv; what is none of `HEALTHY_DEFINITIONS` does not
        count. Where nothing is known, both are named.
    """
    given = list(sources)
    counts = {source: given.count(source) for source in HEALTHY_DEFINITIONS if source in given}
    known = [
        f"{HEALTHY_DEFINITIONS[source]} ({counted(n, 'row')} of contrast.tsv)"
        for source, n in counts.items()
    ]
    brain = "; ".join(known) or ", or ".join(HEALTHY_DEFINITIONS.values())
    against = {name: f"{DEFINITIONS[name]}; healthy brain: {brain}" for name in _AGAINST_HEALTHY}
    return {**DEFINITIONS, **against}


def healthy_source(settings: EnhancementSettings) -> str:
    """Return which healthy brain a run asks for: of `HEALTHY_DEFINITIONS`."""
    return WHITE_MATTER if settings.healthy is None else MASK


def lesions_key(job: InputJob, settings: EnhancementSettings) -> str | None:
    """Return a checksum of what is known of the lesions of a visit; None when nothing is.

    Raises
    ------
    SelectionError
        A table of lesions cannot be used.
    """
    source = settings.lesion_source
    if not source.is_file():
        labels = labels_of(job.visit, source)
        return None if labels is None else sha256_of(labels)
    lesions = _axes_of(job.visit, source)
    if lesions is None:
        return None
    ends = [np.concatenate((lesion.long, lesion.short)).tobytes() for lesion in lesions]
    return hashlib.sha256(b"".join(ends)).hexdigest()


def read_lesions(job: InputJob, settings: EnhancementSettings) -> Lesions | None:
    """Return the lesions of a visit on the template's grid, or None when nothing is known of them.

    A lesion given by its axes is the parallelogram on them, one voxel thick, and enhances.

    Raises
    ------
    InputImageError, SelectionError
        The label map or the table cannot be read.
    """
    source, affine = settings.lesion_source, paths_of(job, settings).affine
    if source.is_file():
        lesions = _axes_of(job.visit, source)
        if lesions is None:
            return None
        to_template = np.linalg.inv(read_itk_affine(affine))
        moved = [lesion.moved(to_template) for lesion in lesions]
        roi = roi_of(moved, CROP_GRID.shape, CROP_GRID.affine)
        return Lesions(roi, roi)
    path = labels_of(job.visit, source)
    if path is None:
        return None
    labels = move_labels(path, read_itk_affine(affine))
    return Lesions(labels > 0, np.isin(labels, settings.enhancing_labels))


def healthy_key(job: InputJob, settings: EnhancementSettings) -> str | None:
    """Return a checksum of the mask of healthy brain of a visit; None where none is asked for.

    A visit without one, where they are asked for, has a key of its own.
    """
    if settings.healthy is None:
        return None
    mask = labels_of(job.visit, settings.healthy, "mask")
    return NO_MASK if mask is None else sha256_of(mask)


def read_healthy(job: InputJob, settings: EnhancementSettings) -> NDArray[np.bool_] | None:
    """Return the healthy brain that the user gave, on the template's grid; None for the rule.

    Where masks are asked for and a visit has none, nothing is healthy: contrast by another rule
    would stand in the same column.

    Raises
    ------
    InputImageError
        The mask cannot be read.
    """
    if settings.healthy is None:
        return None
    mask = labels_of(job.visit, settings.healthy, "mask")
    if mask is None:
        logger.warning(
            "%s has no mask in %s, so the contrast of its lesions is not measured; give one, or "
            "leave --healthy out.",
            *(job.visit, settings.healthy),
        )
        return np.zeros(CROP_GRID.shape, dtype=bool)
    return move_labels(mask, read_itk_affine(paths_of(job, settings).affine)) > 0


def _axes_of(visit: Visit, table: Path) -> list[Lesion] | None:
    """Return the lesions that a table has of a visit, whoever marked them on whatever image."""
    return _axes_by_visit(table, table.stat().st_mtime_ns).get(visit)


@lru_cache(maxsize=1)
def _axes_by_visit(table: Path, changed_ns: int) -> dict[Visit, list[Lesion]]:
    found: dict[Visit, list[Lesion]] = {}
    for marks in read_marks(table):
        found.setdefault(marks.visit, []).extend(marks.lesions)
    return found


def seen_in(
    images: Mapping[str, NDArray[np.float32]], brain: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the voxels of the brain that every acquired image shows, (X, Y, Z).

    The synthetic image is judged in them and has no say: what it lacks would not count.
    """
    acquired = [image > 0 for role, image in images.items() if role != SYNTHETIC]
    return np.logical_and.reduce([brain, *acquired])


def measure_lesions(
    images: Mapping[str, NDArray[np.float32]],
    lesions: Lesions,
    brain: NDArray[np.bool_],
    healthy: NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Return the contrast of the enhancing lesions in every image, and their likeness to the real
    one; nothing where there are none.

    Enhancement is measured against the T1w without contrast: where there is none, or only one with
    a low dose, it is NaN.

    Parameters
    ----------
    images : by role, on one grid, (X, Y, Z).
    healthy : what lesions are compared with; by default white matter far from any, see
        `healthy_white_matter`.
    """
    seen = seen_in(images, brain)
    enhancing = seen & lesions.enhancing
    if healthy is None:
        white = seen & (load_tissue_priors().whitematter > WHITE_PRIOR)
        healthy = healthy_white_matter(white, lesions.whole, SPACING_MM)
    healthy = healthy & seen & ~lesions.whole
    numbers = {"enhancing_lesion_cm3": float(enhancing.sum()) / 1000}
    if not enhancing.any():
        return numbers
    for role, image in images.items():
        found: dict[str, float] = {}
        if healthy.any():
            found |= lesion_contrast(
                image, enhancing, healthy, None if role == T1W else images.get(T1W)
            )
        if CE in images and role != CE:
            whole = seen & lesions.whole
            found |= tumour_metrics(image, images[CE], seen, whole, enhancing)
        numbers |= {f"{name}_{role}": value for name, value in found.items()}
    return numbers
