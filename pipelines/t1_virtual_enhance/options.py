"""The options of the command line as what the library takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clinica_gado.errors import SelectionError
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.runs.options import EnhancementRunOptions
from clinica_gado.virtual_enhancement import EnhancementSettings


def read_options(options: dict[str, Any]) -> tuple[EnhancementSettings, EnhancementRunOptions]:
    """Turn the command line's options into settings of the visits and of the run.

    Raises
    ------
    SelectionError
        They contradict each other.
    """
    if options["repeat"] > 1 and not options["amplify"]:
        raise SelectionError("--repeat needs --amplify: it says how many times to amplify.")
    settings = EnhancementSettings(
        bids=Path(options["bids_directory"]),
        caps=Path(options["caps_directory"]),
        model=options["model"],
        device=options["device"],
        precision=options["precision"],
        flips=options["flips"],
        linear=LinearOptions(options["preprocessing"], _path(options["template"])),
        amplify=options["amplify"],
        repeat=options["repeat"],
        lesions=_path(options["lesions"]),
        enhancing_labels=tuple(options["enhancing_labels"]),
        overwrite=options["overwrite_outputs"],
    )
    run_options = EnhancementRunOptions(
        visits_tsv=_path(options["subjects_sessions_tsv"]),
        input_filter=tuple(options["input_filter"]),
        contrast_tsv=_path(options["contrast_tsv"]),
        segmentation=options["segmentation"],
        tpm=_path(options["tpm"]),
        n_procs=options["n_procs"],
        working_directory=_path(options["working_directory"]),
        caps_name=options["caps_name"],
        assume_plain=options["assume_plain"],
    )
    return settings, run_options


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
