"""The options of the command line as what the library takes."""

from __future__ import annotations

from typing import Any

from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.pipelines.shared_options import (
    read_path,
    read_run_options,
    read_settings_options,
)
from clinica_gado.runs.options import RemovalRunOptions


def read_options(options: dict[str, Any]) -> tuple[RemovalSettings, RemovalRunOptions]:
    """Turn the command line's options into settings of the visits and of the run."""
    settings = RemovalSettings(
        **read_settings_options(options), native_space=options["native_space"]
    )
    run_options = RemovalRunOptions(
        **read_run_options(options),
        pairs_tsv=read_path(options["pairs_tsv"]),
        quality_tsv=read_path(options["quality_tsv"]),
    )
    return settings, run_options
