"""Command line of t1-virtual-enhance: declares options and delegates. Every `clinica` loads it."""

from __future__ import annotations

import sys
from typing import Any

import click
from clinica.pipelines import cli_param
from clinica.pipelines.engine import clinica_pipeline

from clinica_gado.commands._lesion_options import enhancing_label_option
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
    name="t1-virtual-enhance", context_settings={"show_default": True, "max_content_width": 100}
)
@cli_param.argument.bids_directory
@cli_param.argument.caps_directory
@cli_param.option_group.custom_pipeline_options("Which images")
@declare(
    "--input-filter",
    multiple=True,
    metavar="INPUT:ENTITY=LABEL",
    help="Take only images with this entity for an input, e.g. FLAIR:acq=3d; "
    "T1w-lowdose:acq=quarter says what a low dose is, ADC:acq=adcmap what a map; repeatable.",
)
@declare("--contrast-tsv", type=FILE, help="What is known of the contrast of T1w images.")
@declare(
    "--assume-plain", is_flag=True, help="Take a T1w of unknown contrast for one without contrast."
)
@network_options(
    "all",
    "Bundle to apply; its card says which images it takes. The one shipped takes a T1w without "
    "contrast and one with a low dose.",
    "Mirrored copies to average; their spread is the uncertainty map.",
)
@declare(
    "--amplify",
    is_flag=True,
    help="Give the routine contrast-enhanced T1w the place of the low dose.",
)
@declare(
    "--repeat",
    type=click.IntRange(min=1),
    default=1,
    help="With --amplify: amplify so many times, each time what the last one made.",
)
@preprocessing_options
@native_space_option
@cli_param.option.overwrite_outputs
@validation_options
@declare(
    "--lesions",
    type=click.Path(exists=True, resolve_path=True),
    show_default="BIDS/derivatives/lesions",
    help="Lesions on the T1w: labels sub-X/ses-Y/anat/*_dseg.nii.gz in a folder, or a TSV of axes.",
)
@enhancing_label_option(declare)
@declare(
    "--healthy",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    show_default="white matter",
    help="Healthy brain on the T1w that lesions are compared with: sub-X/ses-Y/anat/*_mask.nii.gz.",
)
@clinica_options
def cli(**options: Any) -> None:
    """T1w, with other sequences or a low dose, to contrast-enhanced T1w. Not for diagnosis.

    What a lesion would take up, no image without contrast agent can show for certain: see the
    limits that the model's card states. For research only.

    Exit code 0: all done; 1: some visits failed, see gado_qc/t1-virtual-enhance/failures.tsv in
    the CAPS; 2: nothing could start.
    """
    from clinica_gado.pipelines.t1_virtual_enhance.run import run_from_options

    sys.exit(run_from_options(**options))
