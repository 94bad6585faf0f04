"""Command line of t1-virtual-enhance: declares options and delegates. Every `clinica` loads it."""

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
    name="t1-virtual-enhance", context_settings={"show_default": True, "max_content_width": 100}
)
@cli_param.argument.bids_directory
@cli_param.argument.caps_directory
@cli_param.option_group.custom_pipeline_options("Which images")
@_option(
    "--input-filter",
    multiple=True,
    metavar="INPUT:ENTITY=LABEL",
    help="Take only images with this entity for an input, e.g. FLAIR:acq=3d; "
    "T1w-lowdose:acq=quarter says what a low dose is; repeatable.",
)
@_option("--contrast-tsv", type=_FILE, help="What is known of the contrast of T1w images.")
@_option(
    "--assume-plain", is_flag=True, help="Take a T1w of unknown contrast for one without contrast."
)
@cli_param.option_group.custom_pipeline_options("Which model, and how it runs")
@_option(
    "--model",
    metavar="ID|FOLDER",
    default=None,
    show_default="the one shipped",
    help="Bundle to apply; its card says which images it takes.",
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
    default="all",
    type=click.Choice(["none", "lr", "all"]),
    help="Mirrored copies to average; their spread is the uncertainty map.",
)
@_option(
    "--amplify",
    is_flag=True,
    help="Give the routine contrast-enhanced T1w the place of the low dose.",
)
@_option(
    "--repeat",
    type=click.IntRange(min=1),
    default=1,
    help="With --amplify: amplify so many times, each time what the last one made.",
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
@_option(
    "--lesions",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    show_default="BIDS/derivatives/lesions",
    help="Lesion labels sub-X/ses-Y/anat/*_dseg.nii.gz, drawn on the T1w.",
)
@_option(
    "--enhancing-label",
    "enhancing_labels",
    type=int,
    multiple=True,
    default=(3, 4),
    help="Label of enhancing lesion; repeatable.",
)
@cli_param.option_group.common_pipelines_options
@cli_param.option.subjects_sessions_tsv
@cli_param.option.working_directory
@option.global_option_group
@option.n_procs
@cli_param.option.caps_name
def cli(**options: Any) -> None:
    """T1w, with other sequences or a low dose, to contrast-enhanced T1w. Not for diagnosis.

    What a lesion would take up, no image without contrast agent can show for certain: see the
    limits that the model's card states. For research only.

    Exit code 0: all done; 1: some visits failed, see gado_qc/t1-virtual-enhance/failures.tsv in
    the CAPS; 2: nothing could start.
    """
    from clinica_gado.pipelines.t1_virtual_enhance.run import run_from_options

    sys.exit(run_from_options(**options))
