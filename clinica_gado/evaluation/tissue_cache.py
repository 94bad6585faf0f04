"""Tissue maps and volumes of images in memory, each segmented once for an engine's settings."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinica_gado.caps import read_sidecar
from clinica_gado.files import write_json
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.segmentation.maps import read_probabilities, save_probabilities
from clinica_gado.segmentation.segmenter import TISSUES, TissueMaps
from clinica_gado.segmentation.volumes import TissueVolumes, measure_volumes
from clinica_gado.validation.tissue import describe_engine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.segmentation.segmenter import Segmenter

BATCH = 8
"""Images that wait in memory before they are segmented: one start of SPM for all of them."""


@dataclass
class TissueCache:
    """Segments images on `CROP_GRID` and keeps the results by the sha256 of their voxels.

    `add` the images, `finish`, then ask for `volumes` and `maps` by what `add` returned.

    Attributes
    ----------
    folder : where results are kept; a folder for each engine with its settings.
    failures : why an image could not be segmented, in one line, by its sha256.
    """

    folder: Path
    segmenter: Segmenter
    failures: dict[str, str] = field(default_factory=dict)
    _waiting: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        """How tables name the engine."""
        return self.segmenter.name

    def add(self, image: NDArray[np.float32]) -> str:
        """Take an image, (X, Y, Z), to be segmented if it never was; return its sha256."""
        digest = hashlib.sha256(image.astype(np.float32).tobytes()).hexdigest()
        if digest not in self.failures and self.volumes(digest) is None:
            self._waiting[digest] = image
        if len(self._waiting) >= BATCH:
            self.finish()
        return digest

    def finish(self) -> None:
        """Segment the images that wait, all in one go."""
        if not self._waiting:
            return
        with tempfile.TemporaryDirectory() as name:
            paths = {digest: Path(name) / f"{digest}.nii.gz" for digest in self._waiting}
            for digest, path in paths.items():
                save_volume(Volume(self._waiting[digest], CROP_GRID.affine), path)
            self._waiting.clear()
            failed = self.segmenter.segment(list(paths.values()), self._save)
        self.failures |= {path.name.partition(".")[0]: reason for path, reason in failed.items()}

    def volumes(self, digest: str) -> TissueVolumes | None:
        """Return the volumes of an image, or None when it was not segmented."""
        sidecar = read_sidecar(self._sidecar(digest))
        if sidecar is None:
            return None
        return TissueVolumes(
            **{name: sidecar["VolumesCm3"][name] for name in TissueVolumes._fields}
        )

    def maps(self, digest: str) -> TissueMaps:
        """Return the maps of an image that was segmented."""
        paths = self._map_paths(digest)
        return TissueMaps(**{tissue: read_probabilities(path) for tissue, path in paths.items()})

    def _save(self, image: Path, maps: TissueMaps) -> None:
        digest = image.name.partition(".")[0]
        for tissue, path in self._map_paths(digest).items():
            save_probabilities(getattr(maps, tissue), CROP_GRID.affine, path)
        volumes = measure_volumes(maps, CROP_GRID.affine)
        content = {**self._request, "ImageSha256": digest, "VolumesCm3": volumes._asdict()}
        write_json(self._sidecar(digest), content)  # last: without it nothing counts

    @cached_property
    def _request(self) -> dict[str, Any]:
        return describe_engine(self.segmenter)

    @cached_property
    def _results(self) -> Path:
        settings = json.dumps(self._request, sort_keys=True).encode()
        return self.folder / f"{self.engine}-{hashlib.sha256(settings).hexdigest()[:12]}"

    def _sidecar(self, digest: str) -> Path:
        return self._results / f"{digest}.json"

    def _map_paths(self, digest: str) -> dict[str, Path]:
        return {tissue: self._results / f"{digest}_{tissue}.nii.gz" for tissue in TISSUES}
