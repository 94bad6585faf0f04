"""Options that both pipelines declare alike. Every `clinica` loads this."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import click
from clinica import option
from clinica.pipelines import cli_param

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

FILE = click.Path(exists=True, dir_okay=False, resolve_path=True)
declare = cli_param.option.option


def _in_order(*decorators: Decorator) -> Decorator:
    """Return one decorator for several, listed as they stand in the help."""
    return lambda command: reduce(lambda made, each: each(made), reversed(decorators), command)


def network_options(flips: str, model_help: str, flips_help: str) -> Decorator:
    """Return the group of which model runs, and how; `flips` is its default."""
    return _in_order(
        cli_param.option_group.custom_pipeline_options("Which model, and how it runs"),
        declare(
            "--model",
            metavar="ID|FOLDER",
            default=None,
            show_default="the one shipped",
            help=model_help,
        ),
        declare(
            "--device", default="auto", metavar="auto|cpu|cuda[:N]", help="Where the network runs."
        ),
        declare(
            "--precision",
            default="auto",
            type=click.Choice(["auto", "fp32", "bf16"]),
            help="Numeric precision of the network.",
        ),
        declare(
            "--flips", default=flips, type=click.Choice(["none", "lr", "all"]), help=flips_help
        ),
    )


preprocessing_options = _in_order(
    cli_param.option_group.custom_pipeline_options("Preprocessing and outputs"),
    declare(
        "--preprocessing",
        default="standard",
        type=click.Choice(["fast", "standard", "clinica"]),
        help="Where CAPS has no t1_linear image: embedded steps, the same on coarser images, or "
        "the ANTs programs of Clinica.",
    ),
    declare(
        "--template",
        type=FILE,
        show_default="shipped",
        help="MNI152NLin2009cSym T1w to register to.",
    ),
)

native_space_option = declare(
    "--native-space", is_flag=True, help="Also write the result on the grid of the source."
)

validation_options = _in_order(
    cli_param.option_group.custom_pipeline_options("Validation"),
    declare(
        "--segmentation",
        default="auto",
        type=click.Choice(["auto", "spm", "builtin", "none"]),
        help="Who measures tissue volumes; auto: SPM where it runs, else the built-in one.",
    ),
    declare("--tpm", type=FILE, show_default="SPM's own", help="Tissue probability map for SPM."),
)

clinica_options = _in_order(
    cli_param.option_group.common_pipelines_options,
    cli_param.option.subjects_sessions_tsv,
    cli_param.option.working_directory,
    option.global_option_group,
    option.n_procs,
    cli_param.option.caps_name,
)
