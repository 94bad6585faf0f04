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


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@data_options
@click.option("--id", "model_id", required=True, help="Name of the model, for good.")
@click.option("--licence", required=True, help="Of the weights: it follows their training data.")
@click.option("--pairs-tsv", type=FILE, help="Real non-enhanced T1w found in other sessions.")
@click.option(
    "--start-from", metavar="ID|FOLDER", help="Bundle whose network and weights to begin with."
)
@click.option("--fold", type=int, default=None, help="The one fold to do now, from 0.")
@machine_options
@configuration_options("change-1mm")
def cli(**options: Any) -> None:
    """Train a network on the pairs of BIDS and write the bundle OUTPUT.

    With `--target enhanced --inputs T1w,T2w,FLAIR` it learns to add contrast, from the visits that
    have these images and a contrast-enhanced T1w, and from simulated heads (`--label-map`);
    with `--simulated-share 1` from the latter alone. The networks of all folds make one bundle.

    A run that was interrupted goes on when the same command is given again. Options from --seed on
    change single settings of the preset or file; the defaults shown are those of change-1mm.
    """
    config = take_configuration(options).config
    from clinica_gado.training.run import TrainingRequest, train_bundle

    train_bundle(TrainingRequest(config=config, devices=take_devices(options), **options))
