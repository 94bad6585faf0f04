"""Command line of t1-gado-removal: declares options and delegates. Every `clinica` loads it."""

from __future__ import annotations

import sys
from typing import Any

import click
from clinica.pipelines import cli_param
from clinica.pipelines.engine import clinica_pipeline

from clinica_gado.pipelines.shared_cli import (
    FILE,
    clinica_options,
    declare,
    native_space_option,
    network_options,
    preprocessing_options,
    validation_options,
)


@clinica_pipeline
@click.command(
    name="t1-gado-removal", context_settings={"show_default": True, "max_content_width": 100}
)
@cli_param.argument.bids_directory
@cli_param.argument.caps_directory
@cli_param.option_group.custom_pipeline_options("Which images")
@declare(
    "--input-filter",
    multiple=True,
    metavar="ENTITY=LABEL",
    help="Take only inputs with this entity, e.g. acq=mprage, rec!=norm; repeatable.",
)
@declare("--contrast-tsv", type=FILE, help="What is known of the contrast of T1w images.")
@declare("--pairs-tsv", type=FILE, help="Real non-enhanced T1w found in other sessions.")
@network_options("none", "Bundle to apply.", "Mirrored copies to average.")
@preprocessing_options
@native_space_option
@cli_param.option.overwrite_outputs
@validation_options
@declare("--quality-tsv", type=FILE, help="Test set of each visit, e.g. quality good or low.")
@clinica_options
def cli(**options: Any) -> None:
    """Contrast-enhanced T1w to T1w without contrast. For research, not for diagnosis.

    Exit code 0: all done; 1: some visits failed, see gado_qc/t1-gado-removal/failures.tsv in the
    CAPS; 2: nothing could start.
    """
    from clinica_gado.pipelines.t1_gado_removal.run import run_from_options

    sys.exit(run_from_options(**options))
