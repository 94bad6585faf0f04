"""`clinica-gado status`: how far a warehouse is."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.argument("caps", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rebuild", is_flag=True, help="Make the ledger anew from what is in CAPS.")
def cli(caps: Path, rebuild: bool) -> None:
    """Show how many visits of CAPS are done, failed (with the reasons, grouped) and waiting."""
    from clinica_gado.warehouse.status import in_words, read_status

    click.echo(in_words(read_status(caps, rebuild=rebuild)))
