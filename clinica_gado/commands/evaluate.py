"""`clinica-gado evaluate`: models side by side on real pairs, or on images without contrast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clinica_gado.commands._lesion_options import enhancing_label_option

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_FOUND = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.argument("bids", type=_FOUND)
@click.argument("output", type=_FOLDER)
@click.option("--model", "models", multiple=True, metavar="ID|FOLDER", help="Repeatable.")
@click.option("-tsv", "--subjects_sessions_tsv", "visits_tsv", type=_FILE, help="Visits to take.")
@click.option("--contrast-tsv", type=_FILE, help="What is known of the contrast of T1w images.")
@click.option("--pairs-tsv", type=_FILE, help="Real non-enhanced T1w found in other sessions.")
@click.option(
    "--exclude", "reviews", type=_FILE, help="Reviews whose rejected visits to leave out."
)
@click.option("--caps", type=_FOUND, help="Takes pairs that t1-gado-removal prepared from here.")
@click.option("--cache", type=_FOLDER, default=Path("pairs"), help="Keeps what can be used again.")
@click.option("--lesions", type=_FOUND, help="Lesion labels.  [default: BIDS/derivatives/lesions]")
@enhancing_label_option()
@click.option(
    "--histogram-matching/--no-histogram-matching", default=True, help="Also evaluate it."
)
@click.option(
    "--target",
    is_flag=True,
    help="Also evaluate what a model that keeps its input's style can reach at best.",
)
@click.option("--plain", is_flag=True, help="The visits of -tsv have no contrast: what is changed?")
@click.option(
    "--segmentation",
    type=click.Choice(["auto", "spm", "builtin", "none"]),
    default="none",
    help="Who measures tissue volumes.",
)
@click.option("--tpm", type=_FILE, help="Tissue probability map for SPM instead of its own.")
@click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="Where models run.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    help="Numeric precision of models.",
)
@click.option(
    "--flips",
    type=click.Choice(["none", "lr", "all"]),
    default="none",
    help="Average over mirrored runs: 2 (left-right) or all 8.",
)
@click.option(
    "--write-card",
    "card_data",
    metavar="DATA",
    help="Put the numbers into the card of the one model, measured on DATA (in words).",
)
@click.pass_context
def cli(context: click.Context, /, **options: Any) -> None:
    """Compare models with leaving the image as it is, and with histogram matching, case by case.

    Takes the visits of BIDS that have a T1w with and one without contrast. Writes cases.tsv,
    summary.tsv and evaluation.json, which defines every number, into the folder OUTPUT; with
    --segmentation also volumes.tsv and tests.tsv.

    Exit code 0: all measured; 1: a model failed on some cases; 2: nothing could start.
    """
    if options["card_data"] is not None and (len(options["models"]) != 1 or options["plain"]):
        raise click.UsageError("--write-card takes exactly one --model, and no --plain.")
    from clinica_gado.evaluation.results import in_words
    from clinica_gado.evaluation.run import EvaluationRequest, evaluate

    results = evaluate(EvaluationRequest(**options))
    click.echo(in_words(results))
    context.exit(1 if len(results.failures) else 0)
