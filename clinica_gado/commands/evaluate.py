"""`clinica-gado evaluate`: models side by side on real pairs."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("bids", type=_FOLDER)
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--model", "models", multiple=True, metavar="ID|FOLDER", help="Repeatable.")
@click.option(
    "-tsv",
    "--subjects_sessions_tsv",
    "visits_tsv",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Visits to take; all those with a pair by default.",
)
@click.option(
    "--exclude",
    "reviews",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Leave out the visits rejected in these reviews, a TSV saved from the report.",
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("pairs"),
    show_default=True,
    help="Where preprocessed pairs are kept for the next time.",
)
@click.option(
    "--write-card",
    "data",
    metavar="DATA",
    help="Put the numbers into the card of the one model, measured on DATA (in words).",
)
def cli(
    bids: Path,
    output: Path,
    models: tuple[str, ...],
    visits_tsv: Path | None,
    reviews: Path | None,
    cache: Path,
    data: str | None,
) -> None:
    """Compare models with the contrast-enhanced image as it is, over the real pairs of BIDS.

    Writes OUTPUT, a TSV with one row a case and image; the columns are defined in
    clinica_gado.evaluation.
    """
    if data is not None and len(models) != 1:
        raise click.UsageError("--write-card takes exactly one --model.")
    from clinica_gado.bids import select
    from clinica_gado.evaluation.card import write_metrics
    from clinica_gado.evaluation.paired import evaluate_pairs
    from clinica_gado.files import write_tsv
    from clinica_gado.gado_removal import load_predictor
    from clinica_gado.report.reviews import read_reviews, rejected_visits
    from clinica_gado.training.pairs import prepare_pairs

    excluded = rejected_visits(read_reviews(reviews)) if reviews else set()
    jobs = [job for job in select(bids, visits_tsv=visits_tsv).jobs if job.visit not in excluded]
    files = prepare_pairs(jobs, cache)
    predictors = {name: load_predictor(name, "auto", "auto", "none") for name in models}
    table = evaluate_pairs(files, predictors)
    write_tsv(output, table)
    if data is not None:
        write_metrics(predictors[models[0]].bundle.folder, table, models[0], data)
    click.echo(table.to_string(index=False))
