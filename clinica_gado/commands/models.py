"""`clinica-gado models`: list, show, verify, import and convert model bundles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from clinica_gado.models.bundle import Bundle

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group()
def cli() -> None:
    """List, check and convert model bundles.

    A bundle is a folder with a card.json and weights (safetensors, no pickle). Those shipped with
    this package and those imported are found by their id.
    """


@cli.command("list")
@_AS_JSON
def list_models(as_json: bool) -> None:
    """List the models that are installed."""
    from clinica_gado.commands._model_text import listing, listing_text
    from clinica_gado.models.bundle import user_folder

    rows = listing()
    click.echo(_as_json(rows) if as_json else listing_text(rows, user_folder()))


@cli.command()
@click.argument("model")
@_AS_JSON
def show(model: str, as_json: bool) -> None:
    """Print what a model's card says.

    MODEL is the id of an installed model or the folder of a bundle.
    """
    from clinica_gado.commands._model_text import card_text
    from clinica_gado.models.bundle import find_bundle, load_card
    from clinica_gado.models.card import card_to_json

    card = load_card(find_bundle(model))
    click.echo(_as_json(card_to_json(card)) if as_json else card_text(card))


@cli.command()
@click.argument("models", nargs=-1)
def verify(models: tuple[str, ...]) -> None:
    """Verify models: card, checksums, and that the weights fit the architecture.

    MODELS are ids of installed models or folders of bundles; all installed ones if none is named.
    A model that is wrong is told, and the others are verified all the same.
    """
    from clinica_gado.errors import GadoError
    from clinica_gado.models.bundle import find_bundle, known_bundles

    wrong = []
    for model in models or known_bundles():
        try:
            click.echo(_verified(find_bundle(model)))
        except GadoError as error:
            wrong.append(str(error))
    if wrong:
        raise GadoError("\n".join(wrong))


@cli.command("import")
@click.argument("folder", type=_FOLDER)
def import_model(folder: Path) -> None:
    """Verify the bundle in FOLDER and copy it beside your other models.

    They live in ~/.clinica-gado/models, or where the variable CLINICA_GADO_MODELS says.
    """
    from clinica_gado.models.bundle import import_bundle

    bundle = import_bundle(folder)
    click.echo(f"{bundle.card.id} is installed in {bundle.folder}")


@cli.command()
@click.argument("weights", type=_FILE)
@click.argument("card", type=_FILE)
@click.argument("destination", type=click.Path(path_type=Path, file_okay=False))
def convert(weights: Path, card: Path, destination: Path) -> None:
    """Make a bundle of PyTorch weights.

    WEIGHTS is a .pth or .pt file that holds a state dictionary, CARD the card.json to go with it
    (the checksums are filled in), DESTINATION the folder to write.
    """
    from clinica_gado.models.bundle import convert_weights

    bundle = convert_weights(weights, card, destination)
    click.echo(f"{bundle.card.id} is written to {bundle.folder}")


def _verified(folder: Path) -> str:
    from clinica_gado.inference.inputs import rules_of
    from clinica_gado.models.bundle import load_bundle

    bundle: Bundle = load_bundle(folder)
    rules_of(bundle.card)
    return f"{bundle.card.id}: verified, sha256 {bundle.sha256}"


def _as_json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)
