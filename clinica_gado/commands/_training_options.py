"""Options of every command that trains networks, and the configuration that they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from clinica_gado.training.config import (
    Setting,
    TrainingConfig,
    settings,
    with_changes,
)
from clinica_gado.training.config_file import read_config
from clinica_gado.training.presets import PRESETS

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

Decorator = Callable[[Any], Any]

_DATA: tuple[Decorator, ...] = (
    click.argument("bids", type=click.Path(exists=True, file_okay=False, path_type=Path)),
    click.argument("output", type=FOLDER),
    click.option(
        "-tsv", "--subjects_sessions_tsv", "visits_tsv", type=FILE, help="Visits to take."
    ),
    click.option(
        "--validation-tsv",
        type=FILE,
        help="Visits whose subjects judge, never taught; without --folds.",
    ),
    click.option("--contrast-tsv", type=FILE, help="What is known of the contrast of T1w images."),
    click.option(
        "--input-filter",
        multiple=True,
        metavar="INPUT:ENTITY=LABEL",
        help="Where contrast is added: take only images with this entity, as t1-virtual-enhance "
        "does; repeatable.",
    ),
    click.option(
        "--assume-plain",
        is_flag=True,
        help="Where contrast is added: take a T1w of unknown contrast for one without.",
    ),
    click.option("--caps", type=FOLDER, help="Takes images that the pipelines prepared from here."),
    click.option(
        "--preprocessing",
        type=click.Choice(["fast", "standard", "clinica"]),
        default="standard",
        help="Where contrast is added: route of images that are not in --caps.",
    ),
    click.option(
        "--label-map", "label_maps", type=FILE, multiple=True, help="Head to simulate on, of 1 mm."
    ),
    click.option("--cache", type=FOLDER, default=Path("pairs"), help="Keeps preprocessed pairs."),
    click.option(
        "--folds",
        type=click.IntRange(min=1),
        default=1,
        help="Number of networks to cross-validate by subject, or without visits by label map.",
    ),
)
_MACHINE: tuple[Decorator, ...] = (
    click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="Where to train."),
    click.option(
        "--devices",
        type=click.IntRange(min=1),
        default=1,
        help="How many of these devices, on each machine.",
    ),
    click.option("--nodes", type=click.IntRange(min=1), default=1, help="How many machines."),
    click.option(
        "--workers",
        type=click.IntRange(min=0),
        default=1,
        help="Processes that draw patches ahead.",
    ),
    click.option("--overwrite", is_flag=True, help="Begin anew, whatever OUTPUT holds."),
)


def data_options(command: Any) -> Any:
    """Add what to learn from, and where the result goes."""
    return add_options(_DATA, command)


def machine_options(command: Any) -> Any:
    """Add where and how to compute; `take_devices` reads them."""
    return add_options(_MACHINE, command)


def configuration_options(preset: str) -> Decorator:
    """Return what adds the choice of a configuration, by default a preset, and every setting."""
    source = (
        click.option(
            "--preset", type=click.Choice(list(PRESETS)), default=preset, help="Settings."
        ),
        click.option(
            "--config", "file", type=FILE, help="Settings from a JSON file, not a preset."
        ),
    )
    of_preset = (_option_of(setting, PRESETS[preset]) for setting in settings())
    return lambda command: add_options((*source, *of_preset), command)


def add_options(options: tuple[Decorator, ...], command: Any) -> Any:
    """Add options to a command, listed in its help as they stand."""
    for option in reversed(options):
        command = option(command)
    return command


def _option_of(setting: Setting, shown: TrainingConfig) -> Decorator:
    """Return the option of a setting; not given, it is left to the preset or file."""
    return click.option(
        f"--{setting.name.replace('_', '-')}",
        setting.name,
        type=click.Choice(setting.choices) if setting.choices else setting.kind,
        default=None,
        show_default=str(setting.value_in(shown)),
        help=setting.help,
    )


class Configuration(NamedTuple):
    """What the options say: the preset or file, what it holds, and what was made of it."""

    name: str
    base: TrainingConfig
    config: TrainingConfig


def take_configuration(
    options: dict[str, Any], scale: Mapping[str, Any] | None = None
) -> Configuration:
    """Take preset, file and settings out of the options; those given are laid over the rest.

    Parameters
    ----------
    scale : settings that go over the preset or file, and under those given.

    Raises
    ------
    click.UsageError
        The settings do not go together, or the file holds something else.
    """
    preset, file = options.pop("preset"), options.pop("file")
    found = {setting.name: options.pop(setting.name) for setting in settings()}
    given = {name: value for name, value in found.items() if value is not None}
    try:
        base = PRESETS[preset] if file is None else read_config(file)
        config = with_changes(base, {**(scale or {}), **given})
    except ValueError as error:
        raise click.UsageError(f"The configuration cannot be used: {error}.") from error
    return Configuration(preset if file is None else file.name, base, config)


def take_devices(options: dict[str, Any]) -> Any:
    """Take the devices out of the options."""
    from clinica_gado.training.devices import Devices

    return Devices(*(options.pop(name) for name in ("device", "devices", "nodes")))
