"""`clinica-gado train`: a model from real pairs and simulated heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True})
@click.argument("bids", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("output", type=_FOLDER)
@click.option("--id", "model_id", required=True, help="Name of the model, for good.")
@click.option("--licence", required=True, help="Of the weights: it follows their training data.")
@click.option("-tsv", "--subjects_sessions_tsv", "visits_tsv", type=_FILE, help="Visits to take.")
@click.option("--label-map", "label_maps", type=_FILE, multiple=True, help="Head to simulate too.")
@click.option("--cache", type=_FOLDER, default=Path("pairs"), help="Keeps preprocessed pairs.")
@click.option("--width", default=16, help="Maps of the Att-U-Net at full resolution.")
@click.option("--start-from", type=_FOLDER, help="Bundle whose weights to begin with.")
@click.option("--steps", default=3000, help="Optimiser steps.")
@click.option("--batch-size", default=2, help="Patches in a step.")
@click.option("--patch-size", default=96, help="Voxels a side, a multiple of 16.")
@click.option("--seed", default=0, help="Of the weights and of every draw.")
def cli(**options: Any) -> None:
    """Train an Att-U-Net in change mode on the pairs of BIDS and write the bundle OUTPUT."""
    from clinica_gado.training.loop import TrainingConfig
    from clinica_gado.training.run import TrainingRequest, train_bundle

    names = ("steps", "batch_size", "patch_size", "seed")
    config = TrainingConfig(**{name: options.pop(name) for name in names})
    train_bundle(TrainingRequest(config=config, **options))
