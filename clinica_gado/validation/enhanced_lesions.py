"""How conspicuous the lesions of a visit are before, in the synthetic image and in the real one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.evaluation.contrast_index import WHITE_PRIOR
from clinica_gado.evaluation.lesion_contrast import DEFINITIONS as OF_CONTRAST
from clinica_gado.evaluation.lesion_contrast import healthy_white_matter, lesion_contrast
from clinica_gado.evaluation.lesions import FOLDER, labels_of, move_labels
from clinica_gado.preprocessing.linear import read_itk_affine
from clinica_gado.segmentation.atlas import load_tissue_priors
from clinica_gado.virtual_enhancement import paths_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.bids import InputJob
    from clinica_gado.virtual_enhancement import EnhancementSettings

SPACING_MM = (1.0, 1.0, 1.0)
DEFINITIONS = {
    "enhancing_lesion_cm3": "volume of the labels that enhance, in the brain, in cm³",
    **OF_CONTRAST,
    "healthy brain": f"white matter by its prior (over {WHITE_PRIOR}), 10 mm and more from a label",
}
"""A column ends in the image that it is of, such as `cnr_synthetic`."""


def labels_path(job: InputJob, settings: EnhancementSettings) -> Path | None:
    """Return the label map of the lesions of a visit, or None when it has none."""
    return labels_of(job.visit, settings.lesions or settings.bids / FOLDER)


def read_labels(job: InputJob, settings: EnhancementSettings) -> NDArray[np.int16] | None:
    """Return the labels of a visit on the template's grid, (X, Y, Z), or None.

    Raises
    ------
    InputImageError
        The file cannot be read.
    """
    path = labels_path(job, settings)
    if path is None:
        return None
    return move_labels(path, read_itk_affine(paths_of(job, settings).affine))


def measure_lesions(
    images: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.int16],
    enhancing: Collection[int],
    brain: NDArray[np.bool_],
    before: str,
) -> dict[str, float]:
    """Return the contrast of the enhancing lesions in every image; nothing where there are none.

    Parameters
    ----------
    images : by role, on one grid, (X, Y, Z).
    enhancing : labels of what enhances.
    before : role of the image without contrast, by which enhancement is measured in the others.
    """
    seen = brain & np.logical_and.reduce([image > 0 for image in images.values()])
    lesion = seen & np.isin(labels, list(enhancing))
    white = seen & (load_tissue_priors().whitematter > WHITE_PRIOR)
    healthy = healthy_white_matter(white, labels > 0, SPACING_MM)
    numbers = {"enhancing_lesion_cm3": float(lesion.sum()) / 1000}
    if not lesion.any() or not healthy.any():
        return numbers
    for role, image in images.items():
        earlier = None if role == before else images[before]
        found = lesion_contrast(image, lesion, healthy, earlier)
        numbers |= {f"{name}_{role}": value for name, value in found.items()}
    return numbers
