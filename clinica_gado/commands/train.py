"""`clinica-gado train`: a model from real pairs and simulated heads."""

from __future__ import annotations

from typing import Any

import click

from clinica_gado.commands._training_options import (
    FILE,
    configuration_options,
    data_options,
    machine_options,
    take_configuration,
    take_devices,
)


def _read_makers(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Read `INPUT=ID|FOLDER`."""
    makers = []
    for text in given:
        name, _, bundle = text.partition("=")
        if not name or not bundle:
            raise click.BadParameter(f"{text!r} is not INPUT=ID|FOLDER.", context, option)
        makers.append((name, bundle))
    return tuple(makers)


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@data_options
@click.option("--id", "model_id", required=True, help="Name of the model, for good.")
@click.option("--licence", required=True, help="Of the weights: it follows their training data.")
@click.option("--pairs-tsv", type=FILE, help="Real non-enhanced T1w found in other sessions.")
@click.option(
    "--start-from", metavar="ID|FOLDER", help="Bundle whose network and weights to begin with."
)
@click.option(
    "--synthesise",
    multiple=True,
    metavar="INPUT=ID|FOLDER",
    callback=_read_makers,
    help="Bundle that makes this input where a visit lacks it, of others that the network takes; "
    "the card will name it. Repeatable.",
)
@click.option("--fold", type=int, default=None, help="The one fold to do now, from 0.")
@machine_options
@configuration_options("change-1mm")
def cli(**options: Any) -> None:
    """Train a network on the pairs of BIDS and write the bundle OUTPUT.

    With `--target enhanced --inputs T1w,T2w,FLAIR` it learns to add contrast, from the visits that
    have these images and a contrast-enhanced T1w, and from simulated heads (`--label-map`);
    with `--simulated-share 1` from the latter alone. With `--target ADC --inputs T1w` it learns to
    make that image, for networks that name it by `--synthesise`. The networks of all folds make
    one bundle.

    A run that was interrupted goes on when the same command is given again. Options from --seed on
    change single settings of the preset or file; the defaults shown are those of change-1mm.
    """
    config = take_configuration(options).config
    from clinica_gado.training.request import TrainingRequest
    from clinica_gado.training.run import train_bundle

    train_bundle(TrainingRequest(config=config, devices=take_devices(options), **options))
