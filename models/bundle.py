"""A trained model on disk: `card.json` beside safetensors files, verified whenever it is opened.

Nothing is executed on reading: no pickle, and a file's header is compared with the architecture
before a tensor is allocated.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clinica_gado.errors import BundleError, OutputError
from clinica_gado.files import sha256_of, write_json
from clinica_gado.models.blocks import SynthesisNetwork
from clinica_gado.models.card import CHANGE_RULES, Card, card_from, card_to_json
from clinica_gado.models.published_names import with_our_names
from clinica_gado.models.registry import build_network
from clinica_gado.models.weights import (
    Weights,
    check_header,
    expected_header,
    header_of,
    read_header,
    read_torch_weights,
    read_weights,
    write_weights,
)
from clinica_gado.words import first_few

CARD_NAME = "card.json"
PRETRAINED = Path(__file__).parent / "pretrained"
USER_FOLDER_VARIABLE = "CLINICA_GADO_MODELS"


@dataclass(frozen=True)
class Bundle:
    """A verified model: what its card says, and where its weights are, one file a fold."""

    card: Card
    folder: Path
    weight_files: tuple[Path, ...]

    @property
    def sha256(self) -> str:
        """One checksum for all weights and the rules on their change.

        That of the file where it is all there is; else the one of the folds' checksums in order,
        and of the rules as the card has them.
        """
        digests = [self.card.files[path.name] for path in self.weight_files]
        rules = self.card.change_rules
        digests += [
            json.dumps(dict(rules[name]), sort_keys=True) for name in CHANGE_RULES if name in rules
        ]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def load_network(self, fold: int = 0) -> SynthesisNetwork:
        """Build the network of a fold with its weights, on the CPU, in evaluation mode."""
        network = build_network(self.card.architecture, device="meta")
        network.load_state_dict(read_weights(self.weight_files[fold]), assign=True)
        return network.eval()


def load_card(path: Path) -> Card:
    """Read a card, given its file or its folder.

    Raises
    ------
    BundleError
        There is none, or it does not say what a card must.
    """
    path = path / CARD_NAME if path.is_dir() else path
    try:
        return card_from(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BundleError(f"There is no model card {path}; give the folder of a bundle.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"Cannot read the model card {path}: {error}") from error
    except BundleError as error:
        raise BundleError(f"In {path}, {error}") from error


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and verify each weight file: checksum, then names, shapes and types.

    Raises
    ------
    BundleError
        A file is missing or altered, or does not fit the architecture that the card names.
    """
    card = load_card(folder)
    names = _weight_names(len(card.files))
    if set(names) != set(card.files):
        listed = ", ".join(card.files) or "no weight file"
        raise BundleError(f"{folder / CARD_NAME} lists {listed}; it must list {', '.join(names)}.")
    expected = expected_header(card.architecture)
    for name in names:
        _verify_checksum(folder / name, card.files[name])
        check_header(read_header(folder / name), expected, str(folder / name))
    return Bundle(card, folder, tuple(folder / name for name in names))


def save_bundle(folder: Path, card: Card, folds: Sequence[Weights]) -> Bundle:
    """Write a model, its checksums filled in, and verify what was written.

    Parameters
    ----------
    folder
        The bundle; one already there is replaced file by file, the card last.
    card
        What to say of the model; its `files` are ignored.
    folds
        One state dictionary a fold.

    Raises
    ------
    BundleError
        The weights do not fit the card's architecture; nothing was written.
    """
    names = _weight_names(len(folds))
    expected = expected_header(card.architecture)
    for name, weights in zip(names, folds, strict=True):
        check_header(header_of(weights), expected, name)
    for name, weights in zip(names, folds, strict=True):
        write_weights(folder / name, weights)
    files = {name: sha256_of(folder / name) for name in names}
    write_json(folder / CARD_NAME, card_to_json(card.with_files(files)))
    return load_bundle(folder)


def convert_weights(weights: Path, card: Path, destination: Path) -> Bundle:
    """Make a bundle of a `.pth` or `.pt` state dictionary and a card without checksums.

    Names of the authors' public code are understood as well as this package's own.

    Raises
    ------
    BundleError
        The weights or the card cannot be used, or do not fit each other.
    OutputError
        The destination holds a model already.
    """
    _refuse_occupied(destination)
    state = with_our_names(read_torch_weights(weights))
    content = load_card(card)
    check_header(header_of(state), expected_header(content.architecture), str(weights))
    return save_bundle(destination, content, [state])


def find_bundle(name: str | Path) -> Path:
    """Return the folder of a bundle, given its folder or its id.

    Raises
    ------
    BundleError
        There is no such bundle.
    """
    if (Path(name) / CARD_NAME).is_file():
        return Path(name)
    known = known_bundles()
    if str(name) not in known:
        raise BundleError(
            f"There is no model {str(name)!r}: it is neither the folder of a bundle nor one of "
            f"{', '.join(known) or 'none installed'}. "
            "Copy one here with: clinica-gado models import FOLDER"
        )
    return known[str(name)]


def default_bundle(task: str) -> Path:
    """Return the folder of the bundle shipped for a task.

    Raises
    ------
    BundleError
        None is shipped for it.
    """
    listed = PRETRAINED / "default.json"
    defaults = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else {}
    if task not in defaults:
        raise BundleError(f"No model is shipped for {task}; name one with --model.")
    return PRETRAINED / defaults[task]


def known_bundles() -> dict[str, Path]:
    """Return the folders of the bundles by id; a shipped one stands before a user's."""
    folders = {**_bundles_in(user_folder()), **_bundles_in(PRETRAINED)}
    return dict(sorted(folders.items()))


def user_folder() -> Path:
    """Return where imported bundles live: `CLINICA_GADO_MODELS`, or a folder in the home."""
    chosen = os.environ.get(USER_FOLDER_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".clinica-gado" / "models"


def import_bundle(source: Path) -> Bundle:
    """Copy a verified bundle to the user's folder, whole or not at all.

    Raises
    ------
    BundleError
        The source does not verify, or another model has its id.
    OutputError
        The user's folder cannot be made or written.
    """
    bundle = load_bundle(source)
    present = known_bundles().get(bundle.card.id)
    if present is not None:
        return _same_or_refuse(bundle, present)
    destination = _make_user_folder() / bundle.card.id
    try:
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=destination.parent) as partial:
            copy = Path(partial) / bundle.card.id
            copy.mkdir()
            for path in (source / CARD_NAME, *bundle.weight_files):
                shutil.copyfile(path, copy / path.name)
            load_bundle(copy)
            copy.replace(destination)
    except OSError as error:
        raise OutputError(
            f"Cannot copy the model to {destination}: {error.strerror or error}. "
            f"Name another folder in the environment variable {USER_FOLDER_VARIABLE}."
        ) from error
    return load_bundle(destination)


def _make_user_folder() -> Path:
    folder = user_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder of your models, {folder}, cannot be made ({error.strerror}); "
            f"name another in the environment variable {USER_FOLDER_VARIABLE}."
        ) from error
    return folder


def _refuse_occupied(folder: Path) -> None:
    held = sorted(p.name for p in (folder / CARD_NAME, *folder.glob("*.safetensors")) if p.exists())
    if held:
        raise OutputError(
            f"{folder} holds a model already ({first_few(held)}); name a folder without one."
        )


def _same_or_refuse(bundle: Bundle, present: Path) -> Bundle:
    installed = load_bundle(present)
    if installed.sha256 != bundle.sha256:
        raise BundleError(
            f"Another model is called {bundle.card.id} ({present}); an id never changes weights: "
            "give the new one its own id in its card."
        )
    return installed


def _bundles_in(folder: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in folder.glob(f"[!.]*/{CARD_NAME}")}


def _weight_names(n_folds: int) -> list[str]:
    if n_folds <= 1:
        return ["model.safetensors"]
    return [f"fold-{index}.safetensors" for index in range(n_folds)]


def _verify_checksum(path: Path, expected: str) -> None:
    if not path.is_file():
        raise BundleError(f"The weights {path} are missing; copy the whole bundle again.")
    found = sha256_of(path)
    if found != expected:
        raise BundleError(
            f"The weights {path} were altered (sha256 {found[:12]}…, the card says "
            f"{expected[:12]}…); copy the bundle again from where it came."
        )
