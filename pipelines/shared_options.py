"""What both pipelines read alike from the options of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clinica_gado.preprocessing.t1_linear import LinearOptions


def read_settings_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `SynthesisSettings`."""
    return {
        "bids": Path(options["bids_directory"]),
        "caps": Path(options["caps_directory"]),
        "linear": LinearOptions(options["preprocessing"], read_path(options["template"])),
        "overwrite": options["overwrite_outputs"],
        **{name: options[name] for name in ("model", "device", "precision", "flips")},
    }


def read_run_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `RunOptions`."""
    return {
        "visits_tsv": read_path(options["subjects_sessions_tsv"]),
        "input_filter": tuple(options["input_filter"]),
        "contrast_tsv": read_path(options["contrast_tsv"]),
        "tpm": read_path(options["tpm"]),
        "working_directory": read_path(options["working_directory"]),
        **{name: options[name] for name in ("segmentation", "n_procs", "caps_name")},
    }


def read_path(text: str | None) -> Path | None:
    """Return a path; None where none was given."""
    return Path(text) if text else None
