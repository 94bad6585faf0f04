"""The options of the command line as what the library takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.runs.options import RemovalRunOptions


def read_options(options: dict[str, Any]) -> tuple[RemovalSettings, RemovalRunOptions]:
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
    run_options = RemovalRunOptions(
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
