"""`clinica-gado doctor`: what is installed, whether it works, what to do."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("caps", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option(
    "--tpm",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Tissue probability map for SPM, as for --tpm of the pipeline.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def cli(context: click.Context, caps: Path, tpm: Path | None, as_json: bool) -> None:
    """Look at what t1-gado-removal needs here, and say what to do about what is missing.

    CAPS is the folder where results will go; without it, the current one. SPM is started once to
    see that it runs. Exit code 1 if the pipeline cannot run; SPM may be absent.
    """
    from clinica_gado.doctor import diagnosis

    found = diagnosis.examine(caps, tpm)
    if as_json:
        click.echo(json.dumps(diagnosis.as_json(found), indent=2, ensure_ascii=False))
    else:
        click.echo(diagnosis.as_text(found))
    context.exit(0 if diagnosis.can_run(found) else 1)
