"""The brain of a T1w on the template's grid: by HD-BET or SynthStrip if there, or built in."""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from clinica_gado.errors import GadoError, InputImageError
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.preprocessing.templates import is_brain_only

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

BUILT_IN, SKULL_STRIPPED = "builtin", "skull-stripped"
TOOLS: Mapping[str, tuple[str, ...]] = {
    "hd-bet": ("hd-bet", "-i", "{image}", "-o", "{output}", "-device", "cpu"),
    "synthstrip": ("mri_synthstrip", "-i", "{image}", "-o", "{output}"),
}
"""Commands that write the skull-stripped image, alike in all their versions."""
TIMEOUT_S = 1800


@dataclass(frozen=True)
class BrainMask:
    """A brain, (X, Y, Z), and what found it: a name of `TOOLS`, or one of the two above."""

    mask: NDArray[np.bool_]
    method: str


def find_tool() -> str | None:
    """Return the name of the first program of `TOOLS` on the path."""
    return next((name for name, command in TOOLS.items() if shutil.which(command[0])), None)


def find_brain(t1w: Volume) -> BrainMask:
    """Find the brain of a bias-corrected T1w on the template's cropped grid.

    A program that fails is named in the log, and the built-in method takes its place.

    Raises
    ------
    SegmentationError
        The image shows too little of a brain.
    """
    if is_brain_only(t1w):
        return BrainMask(_clean(t1w.data != 0), SKULL_STRIPPED)
    tool = find_tool()
    if tool is not None:
        try:
            return BrainMask(run_tool(tool, t1w), tool)
        except GadoError as error:
            logger.warning("%s The brain is found by the built-in method instead.", error)
    return BrainMask(deform_template_brain(t1w), BUILT_IN)


def run_tool(name: str, t1w: Volume) -> NDArray[np.bool_]:
    """Return the brain that a program of `TOOLS` leaves of an image, (X, Y, Z).

    Raises
    ------
    InputImageError
        The program failed, took too long, or left no brain.
    """
    with tempfile.TemporaryDirectory(prefix="clinica-gado-") as folder:
        image, output = Path(folder) / "t1w.nii.gz", Path(folder) / "brain.nii.gz"
        save_volume(t1w, image)
        command = [part.format(image=image, output=output) for part in TOOLS[name]]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
            stripped = read_volume(output)
        except (OSError, subprocess.SubprocessError, InputImageError) as error:
            reason = _last_line(getattr(error, "stderr", None)) or type(error).__name__
            raise InputImageError(f"{TOOLS[name][0]} failed ({reason}).") from error
    if stripped.data.shape != t1w.data.shape:
        raise InputImageError(f"{TOOLS[name][0]} changed the grid to {stripped.data.shape}.")
    return _clean(stripped.data != 0)


def deform_template_brain(t1w: Volume) -> NDArray[np.bool_]:
    """Return the template's brain deformed to a head, cleaned, (X, Y, Z).

    Raises
    ------
    SegmentationError
        The image shows too little of a brain.
    """
    from clinica_gado.segmentation.deformed_atlas import HeadParameters, load_atlas, locate_brain

    brain, _ = locate_brain(t1w, load_atlas(), HeadParameters())
    return _clean(brain)


def _clean(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest connected part, its holes filled."""
    parts, n_parts = ndimage.label(mask)
    if n_parts == 0:
        return mask
    largest = 1 + int(np.bincount(parts.ravel())[1:].argmax())
    return np.asarray(ndimage.binary_fill_holes(parts == largest))


def _last_line(output: bytes | None) -> str:
    lines = (output or b"").decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
