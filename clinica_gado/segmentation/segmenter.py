"""What any tissue segmenter does: probability maps of grey matter, white matter and CSF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TISSUES = ("graymatter", "whitematter", "csf")
"""Labels of the maps, as Clinica names them (`segm-graymatter`…), in SPM's order."""


@dataclass(frozen=True)
class TissueMaps:
    """Probabilities in [0, 1] on the grid of the segmented image, (X, Y, Z) each."""

    graymatter: NDArray[np.float32]
    whitematter: NDArray[np.float32]
    csf: NDArray[np.float32]


Save = Callable[[Path, TissueMaps], None]
"""Takes the maps of an image as soon as they are there, so that a later crash loses nothing."""


class Segmenter(Protocol):
    """One way to segment tissue; `SpmSegmenter` and `BuiltinSegmenter` are the two there are."""

    @property
    def name(self) -> str:
        """How tables and figures name it: `spm` or `builtin`."""

    def describe(self) -> Mapping[str, Any]:
        """Return what decides the maps beside the image: versions, parameters, checksums."""

    def segment(self, images: Sequence[Path], save: Save) -> Mapping[Path, str]:
        """Segment images on the template grid (NIfTI, 1 mm); one failure stops no other.

        Returns
        -------
        For each image that failed, the reason in one line.
        """
