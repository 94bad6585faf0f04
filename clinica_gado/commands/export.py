"""`clinica-gado export`: T1w without contrast as a CAPS that Clinica and ClinicaDL read."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.argument("caps", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
@click.option("--reviews", type=_FILE, help="Reviews that the report saved: rejected visits go.")
@click.option(
    "--covariates",
    type=_FILE,
    help="Numbers, and a SITE, of each participant_id (and session_id), for neuroHarmonize.",
)
@click.option("--link", is_flag=True, help="Hard links in place of copies, on one file system.")
@click.option("-np", "--n_procs", type=click.IntRange(min=1), default=1, help="Visits at once.")
@click.pass_context
def cli(
    ctx: click.Context,
    caps: Path,
    output: Path,
    reviews: Path | None,
    covariates: Path | None,
    link: bool,
    n_procs: int,
) -> None:
    """Write to OUTPUT, per visit of CAPS, the real T1w without contrast if there is one, else the
    synthetic one, under the names of Clinica's t1-linear.

    manifest.tsv says which is which; left_out.tsv, what is not there and why; covariates.tsv is for
    neuroHarmonize. Exit code 0: all done. 1: some visits failed. 2: nothing could start.
    """
    from clinica_gado.export.harmonised_caps import ExportRequest, export

    request = ExportRequest(caps, output, reviews, covariates, link, n_procs)
    ctx.exit(1 if export(request) else 0)
