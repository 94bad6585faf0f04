"""Command line of t1-gado-removal: declares options and delegates. Every `clinica` loads it."""

from __future__ import annotations

import sys
from typing import Any

import click
from clinica import option
from clinica.pipelines import cli_param
from clinica.pipelines.engine import clinica_pipeline

_FILE = click.Path(exists=True, dir_okay=False, resolve_path=True)
_option = cli_param.option.option


@clinica_pipeline
@click.command(
    name="t1-gado-removal", context_settings={"show_default": True, "max_content_width": 100}
)
@cli_param.argument.bids_directory
@cli_param.argument.caps_directory
@cli_param.option_group.custom_pipeline_options("Which images")
@_option(
    "--input-filter",
    multiple=True,
    metavar="ENTITY=LABEL",
    help="Take only inputs with this entity, e.g. acq=mprage, rec!=norm; repeatable.",
)
@_option("--contrast-tsv", type=_FILE, help="What is known of the contrast of T1w images.")
@_option("--pairs-tsv", type=_FILE, help="Real non-enhanced T1w found in other sessions.")
@cli_param.option_group.custom_pipeline_options("Which model, and how it runs")
@_option(
    "--model",
    metavar="ID|FOLDER",
    default=None,
    show_default="the one shipped",
    help="Bundle to apply.",
)
@_option("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="Where the network runs.")
@_option(
    "--precision",
    default="auto",
    type=click.Choice(["auto", "fp32", "bf16"]),
    help="Of the network's arithmetic.",
)
@_option(
    "--flips",
    default="none",
    type=click.Choice(["none", "lr", "all"]),
    help="Mirrored copies to average.",
)
@cli_param.option_group.custom_pipeline_options("Preprocessing and outputs")
@_option(
    "--preprocessing",
    default="standard",
    type=click.Choice(["fast", "standard", "clinica"]),
    help="Where CAPS has no t1_linear image: embedded steps, the same on coarser images, or the "
    "ANTs programs of Clinica.",
)
@_option(
    "--template",
    type=_FILE,
    show_default="shipped",
    help="MNI152NLin2009cSym T1w to register to.",
)
@_option("--native-space", is_flag=True, help="Also write the result on the grid of the source.")
@cli_param.option.overwrite_outputs
@cli_param.option_group.custom_pipeline_options("Validation")
@_option(
    "--segmentation",
    default="auto",
    type=click.Choice(["auto", "spm", "builtin", "none"]),
    help="Who measures tissue volumes; auto: SPM where it runs, else the built-in one.",
)
@_option(
    "--tpm",
    type=_FILE,
    show_default="SPM's own",
    help="Tissue probability map for SPM.",
)
@_option("--quality-tsv", type=_FILE, help="Test set of each visit, e.g. quality good or low.")
@cli_param.option_group.common_pipelines_options
@cli_param.option.subjects_sessions_tsv
@cli_param.option.working_directory
@option.global_option_group
@option.n_procs
@cli_param.option.caps_name
def cli(**options: Any) -> None:
    """Contrast-enhanced T1w to T1w without contrast. For research, not for diagnosis.

    Exit code 0: all done; 1: some visits failed, see gado_qc/t1-gado-removal/failures.tsv in the
    CAPS; 2: nothing could start.
    """
    from clinica_gado.pipelines.t1_gado_removal.run import run_from_options

    sys.exit(run_from_options(**options))
