"""`clinica-gado train`: a model from real pairs and simulated heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from clinica_gado.training.config import Setting, read_config, settings, with_changes
from clinica_gado.training.presets import PRESETS

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _option_of(setting: Setting) -> Callable[[Any], Any]:
    """Return the option of a setting; not given, it is left to the preset or file."""
    return click.option(
        f"--{setting.name.replace('_', '-')}",
        setting.name,
        type=click.Choice(setting.choices) if setting.choices else setting.kind,
        default=None,
        show_default=str(setting.default),
        help=setting.help,
    )


def _settings_options(command: Any) -> Any:
    for setting in reversed(settings()):
        command = _option_of(setting)(command)
    return command


def _configuration(preset: str, file: Path | None, options: dict[str, Any]) -> Any:
    """Take the settings out of the options, and lay those given over the preset or file."""
    given = {setting.name: options.pop(setting.name) for setting in settings()}
    try:
        config = PRESETS[preset] if file is None else read_config(file)
        return with_changes(
            config, {key: value for key, value in given.items() if value is not None}
        )
    except ValueError as error:
        raise click.UsageError(f"The configuration cannot be used: {error}.") from error


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.argument("bids", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("output", type=_FOLDER)
@click.option("--id", "model_id", required=True, help="Name of the model, for good.")
@click.option("--licence", required=True, help="Of the weights: it follows their training data.")
@click.option("-tsv", "--subjects_sessions_tsv", "visits_tsv", type=_FILE, help="Visits to take.")
@click.option("--validation-tsv", type=_FILE, help="Visits whose subjects judge, never taught.")
@click.option("--contrast-tsv", type=_FILE, help="What is known of the contrast of T1w images.")
@click.option("--pairs-tsv", type=_FILE, help="Real non-enhanced T1w found in other sessions.")
@click.option("--caps", type=_FOLDER, help="Takes images that the pipelines prepared from here.")
@click.option(
    "--preprocessing",
    type=click.Choice(["fast", "standard", "clinica"]),
    default="standard",
    help="Of several images of a visit, where they are not in --caps.",
)
@click.option("--label-map", "label_maps", type=_FILE, multiple=True, help="Head to simulate on.")
@click.option("--cache", type=_FOLDER, default=Path("pairs"), help="Keeps preprocessed pairs.")
@click.option(
    "--start-from", metavar="ID|FOLDER", help="Bundle whose network and weights to begin with."
)
@click.option("--folds", default=1, help="Cross-validate by subject; one bundle of all folds.")
@click.option("--fold", type=int, default=None, help="The one fold to do now, from 0.")
@click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="Where to train.")
@click.option("--devices", default=1, help="How many of these devices, on each machine.")
@click.option("--nodes", default=1, help="How many machines.")
@click.option("--workers", default=1, help="Processes that draw patches ahead.")
@click.option("--overwrite", is_flag=True, help="Begin anew, whatever OUTPUT holds.")
@click.option("--preset", type=click.Choice(list(PRESETS)), default="change-1mm", help="Settings.")
@click.option("--config", "file", type=_FILE, help="Settings from a JSON file, not a preset.")
@_settings_options
def cli(preset: str, file: Path | None, **options: Any) -> None:
    """Train a network on the pairs of BIDS and write the bundle OUTPUT.

    With `--target enhanced --inputs T1w,T2w,FLAIR` it learns to add contrast, from the visits that
    have these images and a contrast-enhanced T1w, and from simulated heads (`--label-map`);
    with `--simulated-share 1` from the latter alone.

    A run that was interrupted goes on when the same command is given again. Options from --seed on
    change single settings of the preset or file; the defaults shown are those of change-1mm.
    """
    config = _configuration(preset, file, options)
    from clinica_gado.training.devices import Devices
    from clinica_gado.training.run import TrainingRequest, train_bundle

    devices = Devices(*(options.pop(name) for name in ("device", "devices", "nodes")))
    train_bundle(TrainingRequest(config=config, devices=devices, **options))
