"""`clinica-gado harmonize`: t1-gado-removal over a whole warehouse, here or on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clinica_gado.pipelines.t1_gado_removal.cli import cli as removal

_OWN = ("n_procs", "working_directory")
"""Options of `clinica run` that an engine replaces."""
_FILE = click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)


def _visit_options(command: click.Command) -> click.Command:
    """Add arguments and options of `clinica run t1-gado-removal`, so that they cannot differ."""
    shared = [parameter for parameter in removal.params if parameter.name not in _OWN]
    command.params = [*shared, *command.params]
    return command


@_visit_options
@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.option(
    "--engine",
    "name",
    type=click.Choice(["local", "slurm", "processes"]),
    default="local",
    help="Dask on this machine, Dask in jobs of SLURM, or processes of this command without Dask.",
)
@click.option("--scheduler", "address", metavar="tcp://…", help="A Dask cluster that runs already.")
@click.option("--slurm-options", "slurm", type=_FILE, help="TOML with the jobs of SLURM.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    show_default="as many as processors and memory hold",
    help="Visits at once on this machine.",
)
@click.option(
    "--gpu-workers",
    type=click.IntRange(min=0),
    default=0,
    help="Workers for the network alone, one a GPU; the others do the rest.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    show_default="an equal share",
    help="Threads of each visit.",
)
@click.option(
    "--dashboard", show_default="127.0.0.1:8787", help="Where the dashboard of our Dask listens."
)
@click.option("--shard", metavar="I/N", help="Treat this share of the visits; runs side by side.")
@click.option("--limit", type=click.IntRange(min=1), help="Treat at most so many visits now.")
@click.option("--since", type=click.DateTime(), help="Treat visits whose T1w is not older.")
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Also treat visits that failed before, or whose validation failed.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=180.0, help="Minutes a visit may take."
)
@click.option(
    "--memory-gb",
    type=click.FloatRange(min=0),
    show_default="an equal share; none with --scheduler",
    help="Memory a visit may take; 0 for no limit.",
)
@click.option(
    "--attempts", type=click.IntRange(min=1), default=3, help="Of a visit whose process dies."
)
@click.option(
    "--log-json",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Events as JSON lines, with BIDS ids and without names of files.",
)
@click.pass_context
def cli(context: click.Context, /, **options: Any) -> None:
    """Treat every visit of BIDS that has a contrast-enhanced T1w, in weeks if need be.

    Run it again to go on, with the same command. Ctrl-C once finishes what runs and stops; twice
    stops at once. For research, not for diagnosis.

    Exit code 0: all done; 1: some visits failed or are left; 2: nothing could start.
    """
    from clinica_gado.pipelines.t1_gado_removal.options import read_options
    from clinica_gado.warehouse.harmonize import harmonize
    from clinica_gado.warehouse.options import read_plan

    settings, run_options = read_options({**options, "n_procs": 1, "working_directory": None})
    context.exit(harmonize(settings, run_options, read_plan(options)))
