"""Tissue maps and volumes of the images of a visit, made once for each image and engine."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.caps import is_of, read_sidecar, segmentation_paths
from clinica_gado.errors import GadoError
from clinica_gado.evaluation.contrast_index import segmentation_plausibility
from clinica_gado.files import sha256_of, write_json
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.segmentation.maps import read_probabilities, save_probabilities
from clinica_gado.segmentation.segmenter import TISSUES, TissueMaps
from clinica_gado.segmentation.volumes import THRESHOLD, measure_volumes

if TYPE_CHECKING:
    from clinica_gado.segmentation.segmenter import Segmenter

logger = logging.getLogger(__name__)


def segment_images(images: Sequence[Path], segmenter: Segmenter) -> Mapping[Path, str]:
    """Segment the images that have no maps yet of these very bytes by this very engine.

    The real images of a visit are so segmented once, however many models are tried on it.

    Returns
    -------
    For each image that failed, the reason in one line.
    """
    request = describe_engine(segmenter)
    waiting = [path for path in images if not is_segmented(path, request)]
    unsaved: dict[Path, str] = {}

    def save(image: Path, maps: TissueMaps) -> None:
        try:
            _save(image, maps, request)
        except (GadoError, OSError) as error:  # of this image: the others are segmented
            unsaved[image] = " ".join(str(error).split())

    return {**segmenter.segment(waiting, save), **unsaved} if waiting else {}


def describe_engine(segmenter: Segmenter) -> dict[str, Any]:
    """Return what decides maps beside the image, in the form in which a sidecar gives it back."""
    settings = json.loads(json.dumps(segmenter.describe()))
    return {"Engine": segmenter.name, "Settings": settings}


def is_segmented(image: Path, request: Mapping[str, Any]) -> bool:
    """Tell whether the maps of an image are there: same bytes, engine and settings."""
    paths = segmentation_paths(image)
    if not paths.sidecar.is_file():
        return False  # without its checksum, which takes longer
    of_image = {**request, "ImageSha256": sha256_of(image)}
    return is_of(of_image, paths.sidecar, *paths.maps.values())


def _save(image: Path, maps: TissueMaps, request: Mapping[str, Any]) -> None:
    paths = segmentation_paths(image)
    paths.sidecar.unlink(missing_ok=True)
    for tissue, path in paths.maps.items():
        save_probabilities(getattr(maps, tissue), CROP_GRID.affine, path)
    volumes = measure_volumes(maps, CROP_GRID.affine)
    write_json(
        paths.sidecar,
        {
            "Description": "Tissue probabilities and volumes",
            **request,
            "ImageSha256": sha256_of(image),
            "Rule": f"a voxel belongs to a tissue when its probability is over {THRESHOLD}",
            "VolumesCm3": {**volumes._asdict(), "tiv_cm3": round(volumes.tiv_cm3, 3)},
            "Flags": list(segmentation_plausibility(volumes)),
        },
    )
    logger.info("%s: tissue volumes measured by %s", image.name, request["Engine"])


def read_maps(image: Path) -> TissueMaps | None:
    """Return the tissue maps of an image, or None when it has none."""
    paths = segmentation_paths(image)
    if read_sidecar(paths.sidecar) is None:
        return None
    return TissueMaps(**{tissue: read_probabilities(paths.maps[tissue]) for tissue in TISSUES})
