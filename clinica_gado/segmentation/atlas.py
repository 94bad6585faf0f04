"""The tissue atlas shipped here: where grey matter, white matter and CSF are, and what enhances."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.errors import ResourceError
from clinica_gado.files import sha256_of
from clinica_gado.preprocessing.images import load_image
from clinica_gado.segmentation.segmenter import TISSUES, TissueMaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHA256 = {
    "tissue_priors.nii.gz": "f570ea0dd44f0f0d2332ae893c7a2b17d5a12f2d1644ec313ba908f6b8960b2e",
    "enhancing_regions.nii.gz": "40201a826a47bc6533e3d734fae3488eef78b5366b0ba9d861785d4f43ca367f",
}
"""Built by `clinica_gado/resources/build_tissue_atlas.py`."""

LABELS_OF_TISSUE = {
    "graymatter": (
        *(3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 13, 52),
        *(17, 53, 18, 54, 26, 58, 28, 60, 136, 137, 163, 164),
    ),
    "whitematter": (2, 41, 7, 46, 16, 85, 25, 57),
    "csf": (4, 43, 5, 44, 14, 15, 24, 72),
}
"""Labels of the whole-head label maps that make each tissue; vessels belong to none."""

ENHANCING_REGIONS = {"sinuses": 1, "choroid": 2, "vessels": 3}
"""Dural sinuses; choroid plexus of the atria; internal carotid, vertebral, basal arteries."""


@lru_cache(maxsize=1)
def load_tissue_priors() -> TissueMaps:
    """Return how often each tissue is at a voxel of `CROP_GRID`, (169, 208, 179) each.

    The rest to one is what is no brain.

    Raises
    ------
    ResourceError
        The file is missing or is not the one shipped.
    """
    stored = np.asarray(load_image(_checked("tissue_priors.nii.gz")).dataobj, dtype=np.float32)
    maps = {tissue: np.ascontiguousarray(stored[..., n]) for n, tissue in enumerate(TISSUES)}
    for probabilities in maps.values():
        probabilities.setflags(write=False)
    return TissueMaps(**maps)


@lru_cache(maxsize=1)
def load_enhancing_regions() -> NDArray[np.uint8]:
    """Return the labels of `ENHANCING_REGIONS` on `CROP_GRID`, (169, 208, 179); elsewhere 0.

    Raises
    ------
    ResourceError
        The file is missing or is not the one shipped.
    """
    regions = np.asarray(load_image(_checked("enhancing_regions.nii.gz")).dataobj).astype(np.uint8)
    regions.setflags(write=False)
    return regions


def _checked(filename: str) -> Path:
    path = Path(str(files("clinica_gado.resources") / filename))
    if not path.is_file() or sha256_of(path) != SHA256[filename]:
        raise ResourceError(f"{path} is missing or altered; reinstall clinica-gado.")
    return path
