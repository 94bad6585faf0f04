"""Choose who segments: SPM where it runs, else the built-in segmenter, or nobody."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from clinica_gado.errors import SegmentationError

if TYPE_CHECKING:
    from pathlib import Path

    from clinica_gado.segmentation.segmenter import Segmenter
    from clinica_gado.segmentation.spm_search import SpmInstallation

logger = logging.getLogger(__name__)

CHOICES = ("auto", "spm", "builtin", "none")


def choose_segmenter(wanted: str, tpm: Path | None = None) -> Segmenter | None:
    """Return the segmenter asked for; `auto` takes SPM where it runs, else the built-in one.

    Parameters
    ----------
    wanted : one of `CHOICES`; `none` returns None.
    tpm : tissue probability map for SPM instead of its own.

    Raises
    ------
    SegmentationError
        SPM was asked for and does not run, or the map given is no such map.
    """
    if wanted not in CHOICES:
        raise SegmentationError(
            f"Unknown segmentation {wanted!r}; choose one of {', '.join(CHOICES)}."
        )
    if wanted == "none":
        return None
    if wanted == "builtin":
        return _builtin()
    return _spm(tpm) if wanted == "spm" else _spm_or_builtin(tpm)


def _spm(tpm: Path | None) -> Segmenter:
    from clinica_gado.segmentation.spm_search import search

    reasons = []
    for attempt in search():
        if attempt.found is not None:
            return _with(attempt.found, tpm)
        reasons.append(f"{attempt.host}: {attempt.reason}")
    raise SegmentationError(
        f"SPM was asked for but does not run ({'; '.join(reasons)}). Set SPMSTANDALONE_HOME and "
        "MCR_HOME, or SPM_HOME for MATLAB or Octave, or choose --segmentation builtin."
    )


def _spm_or_builtin(tpm: Path | None) -> Segmenter:
    from clinica_gado.segmentation.spm_search import find_spm

    found = find_spm()
    if found is None:
        logger.info(
            "SPM was not found: the built-in segmenter is used. `clinica-gado doctor` says where "
            "SPM was looked for."
        )
        return _builtin()
    try:
        return _with(found, tpm)
    except SegmentationError as error:
        if tpm is not None:
            raise
        logger.warning("%s The built-in segmenter is used.", error)
        return _builtin()


def _with(installation: SpmInstallation, tpm: Path | None) -> Segmenter:
    from clinica_gado.segmentation.spm import SpmSegmenter
    from clinica_gado.segmentation.tpm import locate_tpm

    segmenter = SpmSegmenter(installation, locate_tpm(installation.folder, tpm))
    logger.info(
        "Tissue is segmented by %s (release %s, %s).",
        installation.name,
        installation.release,
        installation.host,
    )
    return segmenter


def _builtin() -> Segmenter:
    from clinica_gado.segmentation.builtin import BuiltinSegmenter

    return BuiltinSegmenter()
