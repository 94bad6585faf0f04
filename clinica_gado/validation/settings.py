"""What the user asked of the validation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from clinica_gado.preprocessing.t1_linear import LinearOptions

if TYPE_CHECKING:
    from clinica_gado.segmentation.segmenter import Segmenter

ENGINES = ("auto", "spm", "builtin", "none")


@dataclass(frozen=True)
class ValidationSettings:
    """How the images of a visit are compared.

    Attributes
    ----------
    caps : where they are.
    segmentation : one of `ENGINES`; `auto` is SPM where it runs, else the built-in one.
    tpm : SPM's tissue probability map, or None for the one of its installation.
    linear : how the contrast-enhanced image was brought to the template.
    """

    caps: Path
    segmentation: str = "auto"
    tpm: Path | None = None
    linear: LinearOptions = field(default_factory=LinearOptions)

    def segmenter(self) -> Segmenter | None:
        """Return the engine, looked for once a process; None when no tissue is to be segmented.

        Raises
        ------
        SegmentationError
            SPM was asked for by name and does not run.
        """
        return _find_segmenter(self.segmentation, self.tpm)


@lru_cache(maxsize=2)
def _find_segmenter(wanted: str, tpm: Path | None) -> Segmenter | None:
    from clinica_gado.segmentation.choice import choose_segmenter

    return choose_segmenter(wanted, tpm)
