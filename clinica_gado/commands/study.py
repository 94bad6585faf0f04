"""`clinica-gado study`: which inputs, how many cases, which local loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clinica_gado.commands._lesion_options import enhancing_label_option
from clinica_gado.commands._training_options import (
    FILE,
    add_options,
    configuration_options,
    data_options,
    machine_options,
    take_configuration,
    take_devices,
)
from clinica_gado.studies.recipe import REDUCED, in_words
from clinica_gado.studies.values import CRITERIA, DELTAS, FRACTIONS, WEIGHTS

if TYPE_CHECKING:
    from clinica_gado.studies.material import StudyRequest

_REDUCED = (
    "Instead of the full recipe, a scale for processors, told in every caption: "
    f"{', '.join(f'{name} {value}' for name, value in REDUCED.items())}. Settings given beside it "
    "go over it."
)
_SETTINGS = {"show_default": True, "max_content_width": 100}


@click.group()
def cli() -> None:
    """Study networks that add contrast: which inputs, how many cases, which local loss.

    Each trains the networks it needs, one after the other, scores them on cases that they have not
    seen, and writes tables in the shape of the papers (TSV, Markdown, LaTeX) and study.json into
    the folder OUTPUT. A study that was interrupted goes on when the same command is given again.

    The full recipes take weeks without a GPU: --reduced is a scale for processors, and every
    caption says which scale was run.

    Cases are scored in one way: visits of --validation-tsv, heads simulated on --test-label-map, or
    each fold of --folds. Without visits in BIDS, or with --simulated-share 1, networks learn from
    --draws cases of each --label-map, simulated once.
    """


def _study(preset: str) -> Any:
    """Return what adds the options that all studies have."""
    options = (
        data_options,
        click.option(
            "--test-label-map",
            "test_label_maps",
            type=FILE,
            multiple=True,
            help="Head to score on.",
        ),
        click.option(
            "--lesions",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Lesion labels of visits, for t-L2 and tumour PSNR.  [default: "
            "BIDS/derivatives/lesions]",
        ),
        enhancing_label_option(),
        click.option("--draws", default=2, help="Simulated cases to learn from, a label map."),
        click.option("--test-draws", default=2, help="Simulated cases to score on, a label map."),
        click.option(
            "--flips",
            type=click.Choice(["none", "lr", "all"]),
            default="none",
            help="Mirrored copies whose predictions are averaged when cases are scored: none, left "
            "and right (2 runs), or all axes (8 runs, as in the papers of Bône).",
        ),
        click.option("--reduced", is_flag=True, help=_REDUCED),
        machine_options,
        configuration_options(preset),
    )

    return lambda command: add_options(options, command)


def _request(options: dict[str, Any]) -> StudyRequest:
    """Take what all studies have out of the options."""
    reduced = options.pop("reduced")
    chosen = take_configuration(options, REDUCED if reduced else {})
    from clinica_gado.studies.material import StudyRequest
    from clinica_gado.training.request import TrainingRequest

    own = {name: options.pop(name) for name in ("draws", "test_draws", "flips", "test_label_maps")}
    devices = take_devices(options)
    training = TrainingRequest(
        **options, model_id="study", licence="none", config=chosen.config, devices=devices
    )
    return StudyRequest(training, in_words(*chosen, reduced=reduced), **own)


def _end(output: Path, name: str) -> None:
    click.echo(f"{output / name}.md, .tsv and .tex; every number in {output / 'study.json'}")


@cli.command(context_settings=_SETTINGS)
@_study("bone-2021")
@click.option(
    "--criterion", type=click.Choice(CRITERIA), default="l2_e5", help="Score that decides."
)
def ablation(criterion: str, **options: Any) -> None:
    """Drop the least useful input again and again (Bône 2021, Table 1)."""
    request = _request(options)
    from clinica_gado.studies.ablation import run_ablation

    run_ablation(request, criterion)
    _end(request.training.output, "ablation")


@cli.command(context_settings=_SETTINGS)
@_study("bone-2021")
@click.option(
    "--fraction",
    "fractions",
    type=float,
    multiple=True,
    default=FRACTIONS,
    help="Share of the subjects that teach; repeatable.",
)
@click.option("--at-width", "widths", type=int, multiple=True, help="Repeatable, for several.")
def fraction(fractions: tuple[float, ...], widths: tuple[int, ...], **options: Any) -> None:
    """Train on growing shares of the cases and extrapolate (Bône 2021, Fig. 4)."""
    request = _request(options)
    from clinica_gado.studies.fraction import run_fraction

    run_fraction(request, fractions, widths)
    _end(request.training.output, "fraction")


@cli.command(context_settings=_SETTINGS)
@_study("chen-2022")
@click.option(
    "--at-delta",
    "deltas",
    type=float,
    multiple=True,
    default=DELTAS,
    help="δ of the local loss; repeatable.",
)
@click.option(
    "--at-lambda",
    "weights",
    type=(float, float),
    multiple=True,
    default=WEIGHTS,
    metavar="λ1 λ3",
    help="Weights of MAE and SSIM, and of the local loss; repeatable.",
)
@click.option(
    "--design",
    type=click.Choice(["grid", "cross"]),
    default="grid",
    help="Each δ with each λ, or one at a time as in the paper.",
)
def sensitivity(
    deltas: tuple[float, ...], weights: tuple[tuple[float, float], ...], design: str, **options: Any
) -> None:
    """Vary δ and λ of the local loss (Chen 2022, Fig. 7 and 9)."""
    request = _request(options)
    from clinica_gado.studies.sensitivity import run_sensitivity

    run_sensitivity(request, deltas, weights, design)
    _end(request.training.output, "sensitivity")
