"""`clinica-gado detect`: which T1w hold gadolinium, by their metadata and by what they show."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.argument("bids", type=_FOLDER)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("contrast.tsv"),
    show_default=True,
    help="The table, for --contrast-tsv of `clinica run`; read again to go on where it stopped.",
)
@click.option("--caps", type=_FOLDER, help="Take the t1-linear images that it holds.")
@click.option(
    "-tsv", "--subjects_sessions_tsv", "visits_tsv", type=_FILE, help="Only the visits it lists."
)
@click.option("--contrast-tsv", type=_FILE, help="What is known already, such as a reviewed table.")
@click.option(
    "--only-unknown", is_flag=True, help="Do not look at images whose metadata say something."
)
@click.option(
    "--shard", metavar="I/N", help="Look at this share; each with an --output of its own."
)
@click.option("-np", "--n_procs", type=click.IntRange(min=1), default=1, help="Images at once.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=30.0,
    help="Minutes an image may take, with -np 2 and more.",
)
@click.pass_context
def cli(
    ctx: click.Context,
    bids: Path,
    output: Path,
    caps: Path | None,
    visits_tsv: Path | None,
    contrast_tsv: Path | None,
    only_unknown: bool,
    shard: str | None,
    n_procs: int,
    timeout: float,
) -> None:
    """Tell of every T1w in BIDS whether it holds gadolinium, and which ones to look at.

    Exit code 0: all told. 1: some images could not be judged; their rows say why. 2: nothing could
    start. The table's first rows are those to review: the image leaves it open, or disagrees with
    the metadata, which stand.
    """
    from clinica_gado.detection.run import DetectionRequest, detect
    from clinica_gado.runs.shards import parse_shard

    share = parse_shard(shard) if shard else None
    tables = (visits_tsv, contrast_tsv)
    limits = (n_procs, 60 * timeout)
    request = DetectionRequest(bids, output, caps, *tables, only_unknown, share, *limits)
    ctx.exit(1 if detect(request) else 0)
