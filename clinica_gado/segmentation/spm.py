"""SPM's unified segmentation of a batch of images, in as few SPM processes as it can."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from clinica_gado.errors import GadoError
from clinica_gado.preprocessing.images import read_volume, save_volume
from clinica_gado.segmentation.segmenter import Save
from clinica_gado.segmentation.spm_grid import PADDING_RULE, pad
from clinica_gado.segmentation.spm_process import SpmProcess
from clinica_gado.segmentation.spm_results import read_maps, remove_results
from clinica_gado.segmentation.spm_search import SpmInstallation, working_folder
from clinica_gado.segmentation.tpm import tpm_sha256, unzip_tpm

logger = logging.getLogger(__name__)

MAX_IMAGES_PER_PROCESS = 20
"""Bounds the temporary folder (about 50 MB an image). A killed process costs only the image it was
at: maps are saved as soon as they are there."""
IMAGE_TIMEOUT_S = 3600.0
"""SPM takes some minutes an image; an hour means that it hangs or swaps."""
RETRY_SAMPLING_MM = 4.0
"""For an image whose estimation degenerates: another sampling gives SPM's solver another grid."""


@dataclass(frozen=True)
class Parameters:
    """Those of Clinica's t1-volume-tissue-segmentation, which are SPM's defaults.

    Attributes
    ----------
    gaussians : number for grey matter, white matter, CSF, bone, soft tissue, air.
    cleanup : 0 none, 1 light, 2 thorough.
    """

    gaussians: tuple[int, ...] = (2, 2, 2, 3, 4, 2)
    bias_regularisation: float = 0.001
    bias_fwhm_mm: float = 60.0
    mrf: float = 1.0
    cleanup: int = 1
    warping_regularisation: tuple[float, ...] = (0.0, 0.001, 0.5, 0.05, 0.2)
    affine_regularisation: str = "mni"
    sampling_mm: float = 3.0


@dataclass
class SpmSegmenter:
    """Segments with an SPM that was found.

    Attributes
    ----------
    tpm : tissue probability map, .nii or .nii.gz, as `locate_tpm` gives it.
    image_timeout_s : an image that takes longer is given up.
    retried : images whose estimation degenerated and was made again with `RETRY_SAMPLING_MM`.
    """

    installation: SpmInstallation
    tpm: Path
    image_timeout_s: float = IMAGE_TIMEOUT_S
    parameters: Parameters = field(default_factory=Parameters)
    retried: set[Path] = field(default_factory=set)
    name: str = "spm"

    def describe(self) -> Mapping[str, Any]:
        """Return what decides the maps beside the image: versions, parameters, checksums."""
        return {
            "engine": self.name,
            "spm_version": self.installation.version,
            "host": self.installation.host,
            "parameters": json.loads(json.dumps(asdict(self.parameters))),
            "retry_sampling_mm": RETRY_SAMPLING_MM,
            "padding": PADDING_RULE,
            "tpm_sha256": self._tpm_sha256,
        }

    @cached_property
    def _tpm_sha256(self) -> str:
        return tpm_sha256(self.tpm)

    def segment(self, images: Sequence[Path], save: Save) -> Mapping[Path, str]:
        """Segment images; an image that breaks SPM costs one more start of SPM, and no other image.

        Returns
        -------
        For each image that failed, the reason in one line.
        """
        failures: dict[Path, str] = {}
        remaining = list(dict.fromkeys(images))
        for start in range(0, len(remaining), MAX_IMAGES_PER_PROCESS):
            batch = remaining[start : start + MAX_IMAGES_PER_PROCESS]
            degenerate = self._segment_batch(batch, save, self.parameters, failures)
            self._try_again(degenerate, save, failures)
        return failures

    def _try_again(self, images: list[Path], save: Save, failures: dict[Path, str]) -> None:
        if not images:
            return
        for image in images:
            logger.warning(
                "SPM's estimation degenerated for %s; made again with a sampling of %g mm.",
                image.name,
                RETRY_SAMPLING_MM,
            )
        self.retried.update(images)
        parameters = replace(self.parameters, sampling_mm=RETRY_SAMPLING_MM)
        for image in self._segment_batch(images, save, parameters, failures):
            failures[image] = (
                "SPM's estimation degenerated (no likelihood, or an empty tissue map) with both "
                f"samplings, {self.parameters.sampling_mm:g} and {RETRY_SAMPLING_MM:g} mm; "
                "look at the image."
            )

    def _segment_batch(
        self, images: list[Path], save: Save, parameters: Parameters, failures: dict[Path, str]
    ) -> list[Path]:
        """Segment images, starting SPM again after each that ends it; return the degenerate."""
        degenerate: list[Path] = []
        with working_folder() as name:
            folder = Path(name)
            copies = _copy_images(images, folder, parameters.sampling_mm, failures)
            tpm = unzip_tpm(self.tpm, folder)
            while copies:
                command = self._write_job(folder, list(copies), tpm, parameters)
                with SpmProcess(command, folder, list(copies), self.image_timeout_s) as process:
                    for result in process.results():
                        image, shape = copies.pop(result.name)
                        if result.reason:
                            failures[image] = result.reason
                        elif (maps := read_maps(folder / result.name, shape)) is None:
                            degenerate.append(image)
                        else:
                            save(image, maps)
                        remove_results(folder / result.name)
        return degenerate

    def _write_job(
        self, folder: Path, names: list[str], tpm: Path, parameters: Parameters
    ) -> list[str]:
        job = folder / "job.json"
        content = {
            "command": self.installation.command,
            "tpm": str(tpm),
            "images": [str(folder / name) for name in names],
            "parameters": asdict(parameters),
        }
        job.write_text(json.dumps(content), encoding="utf-8")
        return [sys.executable, "-m", "clinica_gado.segmentation.spm_job", str(job)]


def _copy_images(
    images: list[Path], folder: Path, sampling_mm: float, failures: dict[Path, str]
) -> dict[str, tuple[Path, tuple[int, ...]]]:
    """Copy images under plain names, padded for SPM; one that cannot be read fails here.

    Returns
    -------
    The image and its shape before padding, by the name of the copy.
    """
    copies: dict[str, tuple[Path, tuple[int, ...]]] = {}
    for number, image in enumerate(images):
        try:
            volume = read_volume(image)
        except GadoError as error:
            failures[image] = str(error)
            continue
        name = f"image{number:03d}.nii"
        save_volume(pad(volume, sampling_mm), folder / name)
        copies[name] = (image, volume.data.shape)
    return copies
