"""The options of the command line as what the library takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.validation.settings import ValidationSettings


@dataclass(frozen=True)
class RunOptions:
    """What decides a run beside the settings of each visit's synthesis.

    Attributes
    ----------
    quality_tsv : test set of each visit.
    segmentation, tpm : see `ValidationSettings`.
    """

    visits_tsv: Path | None = None
    input_filter: tuple[str, ...] = ()
    contrast_tsv: Path | None = None
    pairs_tsv: Path | None = None
    quality_tsv: Path | None = None
    segmentation: str = "auto"
    tpm: Path | None = None
    n_procs: int = 1
    working_directory: Path | None = None
    caps_name: str | None = None

    def validation(self, settings: RemovalSettings) -> ValidationSettings:
        """Return what the validation of the visits is to do, its engine found.

        Raises
        ------
        SegmentationError
            SPM was asked for by name and does not run.
        """
        wanted = ValidationSettings(settings.caps, self.segmentation, self.tpm, settings.linear)
        segmenter = wanted.segmenter()
        # By name: the processes that treat the visits need not look for it again.
        return replace(wanted, segmentation=segmenter.name if segmenter else "none")


def read_options(options: dict[str, Any]) -> tuple[RemovalSettings, RunOptions]:
    """Turn the command line's options into settings of the visits and of the run."""
    settings = RemovalSettings(
        bids=Path(options["bids_directory"]),
        caps=Path(options["caps_directory"]),
        model=options["model"],
        device=options["device"],
        precision=options["precision"],
        flips=options["flips"],
        linear=LinearOptions(options["preprocessing"], _path(options["template"])),
        native_space=options["native_space"],
        overwrite=options["overwrite_outputs"],
    )
    run_options = RunOptions(
        visits_tsv=_path(options["subjects_sessions_tsv"]),
        input_filter=tuple(options["input_filter"]),
        contrast_tsv=_path(options["contrast_tsv"]),
        pairs_tsv=_path(options["pairs_tsv"]),
        quality_tsv=_path(options["quality_tsv"]),
        segmentation=options["segmentation"],
        tpm=_path(options["tpm"]),
        n_procs=options["n_procs"],
        working_directory=_path(options["working_directory"]),
        caps_name=options["caps_name"],
    )
    return settings, run_options


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
