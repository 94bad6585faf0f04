"""The built-in segmenter: our own atlas, on whole heads and on skull-stripped brains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from clinica_gado.errors import GadoError, SegmentationError
from clinica_gado.preprocessing.images import Volume, read_volume
from clinica_gado.preprocessing.linear import RANDOM_SEED
from clinica_gado.preprocessing.templates import is_brain_only
from clinica_gado.segmentation.deformed_atlas import (
    Atlas,
    HeadParameters,
    check_brain,
    load_atlas,
    segment_head,
)
from clinica_gado.segmentation.segmenter import Save, TissueMaps
from clinica_gado.segmentation.unified import UnifiedParameters, segment_unified


@dataclass(frozen=True)
class Parameters:
    """What decides the maps beside the image and the atlas: of whole heads, of brains alone."""

    head: HeadParameters = field(default_factory=HeadParameters)
    brain: UnifiedParameters = field(default_factory=UnifiedParameters)


@dataclass
class BuiltinSegmenter:
    """Segments without SPM, whole heads and skull-stripped brains.

    A head by `segment_head`, a brain by `segment_unified`: the one finds cortex better where the
    skull guides the deformation, the other volumes nearer SPM's where there is none.
    """

    parameters: Parameters = field(default_factory=Parameters)
    atlas: Atlas = field(default_factory=load_atlas)
    name: str = "builtin"

    def describe(self) -> Mapping[str, Any]:
        """Return what decides the maps beside the image: versions, parameters, checksums."""
        return {
            "engine": self.name,
            "method": {
                "head": "antspyx: SyN of the atlas to the image, Atropos with its priors",
                "brain": "unified segmentation: Gaussians, bias field and atlas fitted together",
            },
            "antspyx_version": version("antspyx"),
            "torch_version": version("torch"),
            "parameters": {
                kind: {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
                for kind, settings in asdict(self.parameters).items()
            },
            "random_seed": RANDOM_SEED,
            "atlas_sha256": dict(self.atlas.sha256),
        }

    def segment(self, images: Sequence[Path], save: Save) -> Mapping[Path, str]:
        """Segment images on the template grid (NIfTI, 1 mm); one failure stops no other.

        Returns
        -------
        For each image that failed, the reason in one line.
        """
        failures: dict[Path, str] = {}
        for image in images:
            try:
                maps = segment_volume(read_volume(image), self.atlas, self.parameters)
            except (GadoError, RuntimeError) as error:
                failures[image] = (str(error).splitlines() or [type(error).__name__])[0]
                continue
            save(image, maps)
        return failures


def segment_volume(volume: Volume, atlas: Atlas, parameters: Parameters) -> TissueMaps:
    """Return the tissue maps of a bias-corrected T1w image on the atlas's grid.

    Raises
    ------
    SegmentationError
        The image is on another grid, or shows too little of a brain.
    """
    if volume.data.shape != atlas.head.shape or not np.allclose(
        volume.affine, atlas.affine, atol=1e-3
    ):
        raise SegmentationError(
            f"An image of {volume.data.shape} voxels is not on the atlas's grid "
            f"{atlas.head.shape}; bring it there by t1-linear."
        )
    if not is_brain_only(volume):
        return segment_head(volume, atlas, parameters.head)
    check_brain(volume.data > 0, volume)
    return segment_unified(volume.data, atlas.priors, parameters.brain)
