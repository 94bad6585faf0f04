"""The options of the command line as what the library takes."""

from __future__ import annotations

from typing import Any

from clinica_gado.errors import SelectionError
from clinica_gado.pipelines.shared_options import (
    read_path,
    read_run_options,
    read_settings_options,
)
from clinica_gado.runs.options import EnhancementRunOptions
from clinica_gado.virtual_enhancement import EnhancementSettings


def read_options(options: dict[str, Any]) -> tuple[EnhancementSettings, EnhancementRunOptions]:
    """Turn the command line's options into settings of the visits and of the run.

    Raises
    ------
    SelectionError
        They contradict each other, or the table of lesions cannot be used.
    """
    if options["repeat"] > 1 and not options["amplify"]:
        raise SelectionError("--repeat needs --amplify: it says how many times to amplify.")
    lesions = read_path(options["lesions"])
    if lesions is not None and lesions.is_file():
        from clinica_gado.evaluation.lesion_axes import read_marks

        read_marks(lesions)  # a fault ends the run before any work
    settings = EnhancementSettings(
        **read_settings_options(options),
        native_space=options["native_space"],
        amplify=options["amplify"],
        repeat=options["repeat"],
        lesions=lesions,
        healthy=read_path(options["healthy"]),
        enhancing_labels=tuple(options["enhancing_labels"]),
    )
    run_options = EnhancementRunOptions(
        **read_run_options(options), assume_plain=options["assume_plain"]
    )
    return settings, run_options
