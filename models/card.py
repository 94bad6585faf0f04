"""What a model says of itself: `card.json`, read, checked and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import Any, get_args

from clinica_gado.errors import BundleError
from clinica_gado.models.blocks import OutputMode
from clinica_gado.words import counted

GRIDS: dict[str, tuple[int, int, int]] = {
    "mni-1mm": (169, 208, 179),
    "mni-128": (128, 128, 128),
    "mni-160x192x160": (160, 192, 160),
    "mni-192x256x192": (192, 256, 192),
    "mni-2mm": (85, 104, 90),
}
"""Grids a network can work on. The first has the voxels of Clinica's cropped t1-linear, the second
its field of view; the third (Bône 2021, 2022) is a part of it and the fourth (Chen 2022) holds it,
both with its 1 mm voxels; the last has the field of view of the first in voxels of
2 mm, for trials without a GPU. `clinica_gado.inference.grid` brings images there."""
CHANGE_RULES: dict[str, dict[str, type]] = {
    "darkening_gate": {"threshold": float, "width": float, "smoothing_voxels": float},
    "brain_reach": {"voxels": float, "fade_voxels": float},
    "outlines": {"threshold": float, "reach_voxels": int},
}
"""What a card may ask to be made of a network's change, in the order in which it is done, and the
numbers of each; `clinica_gado.inference.change` says what they mean."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FILE_NAME = re.compile(r"(model|fold-\d{1,2})\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_METRIC_KEYS = ("name", "value", "definition", "data")


def synthesis_of(name: str) -> str:
    """Return the task of a model that makes an input of others, where a visit lacks it."""
    return f"synthesise-{name}"


@dataclass(frozen=True)
class CardInput:
    """One input image.

    Attributes
    ----------
    name : see `clinica_gado.sequences`.
    may_be_missing : whether zeros may stand in for it when it is missing, as in training.
    synthesised_by : id of the bundle that makes it of the other inputs when it is missing.
    normalisation : rule and numbers of its own; those of the card when None.
    """

    name: str
    may_be_missing: bool = False
    normalisation: Mapping[str, Any] | None = None
    synthesised_by: str | None = None

    @property
    def required(self) -> bool:
        """Whether nothing can take its place."""
        return not self.may_be_missing and self.synthesised_by is None


@dataclass(frozen=True)
class Grid:
    """The grid a network works on; see `GRIDS`."""

    name: str
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Card:
    """Everything needed to use a model rightly, and to judge whether to use it at all.

    Attributes
    ----------
    id : names the model for good; other weights get another id.
    task : the pipeline it serves, e.g. `t1-gado-removal`, or the image that it makes for networks
        of one (see `synthesis_of`).
    architecture : name and numbers, see `clinica_gado.models.registry`.
    inputs : the images in the order of the network's channels.
    grid : see `GRIDS`.
    normalisation : rule and numbers, see `clinica_gado.inference.normalisation`; of the image that
        is made, and of the inputs that have none of their own.
    training_data : what it learned from, in words or as a mapping.
    metrics : each a mapping with `name`, `value`, `definition` and `data`.
    intended_use, limits, licence : in words; the licence is that of the weights.
    files : sha256 of each weight file.
    change_rules : what is made of a network's change, by the names of `CHANGE_RULES`, see
        `clinica_gado.inference.change`; it is added as it is when empty.
    extra : what else the file says; kept as it is.
    """

    id: str
    task: str
    architecture: Mapping[str, Any]
    inputs: tuple[CardInput, ...]
    grid: Grid
    normalisation: Mapping[str, Any]
    training_data: Any
    metrics: tuple[Mapping[str, Any], ...]
    intended_use: str
    limits: tuple[str, ...]
    licence: str
    files: Mapping[str, str] = field(default_factory=dict)
    change_rules: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> OutputMode:
        """How the network answers: `image`, or `change` to be added to the first input."""
        mode: OutputMode = self.architecture.get("output", "image")
        return mode

    def with_files(self, files: Mapping[str, str]) -> Card:
        """Return the card with the checksums of its weight files."""
        return replace(self, files=dict(files))


def card_from(content: object) -> Card:
    """Check what a card file says and return it.

    Raises
    ------
    BundleError
        Something is missing or is not what it must be; the message says what.
    """
    if not isinstance(content, Mapping):
        raise BundleError("the card must be a JSON object.")
    known = [item.name for item in fields(Card) if item.name != "extra"]
    optional = ("files", "change_rules")
    missing = [name for name in known if name not in content and name not in optional]
    if missing:
        raise BundleError(f"the card lacks {', '.join(missing)}.")
    _check_texts(content)
    _check_mappings(content)
    inputs = tuple(_input_from(item) for item in _list_of(content, "inputs"))
    _check_channels(content["architecture"], inputs)
    return Card(
        **{name: content[name] for name in ("id", "task", "architecture", "normalisation")},
        inputs=inputs,
        grid=_grid_from(content["grid"]),
        training_data=content["training_data"],
        metrics=tuple(_check_metric(item) for item in _list_of(content, "metrics")),
        intended_use=content["intended_use"],
        limits=tuple(str(item) for item in _list_of(content, "limits")),
        licence=content["licence"],
        files=_check_files(content.get("files", {})),
        change_rules=_change_rules_from(content),
        extra={key: value for key, value in content.items() if key not in known},
    )


def card_to_json(card: Card) -> dict[str, Any]:
    """Return what `card.json` holds; the inverse of `card_from`."""
    content = {item.name: getattr(card, item.name) for item in fields(card)}
    extra = content.pop("extra")
    content["inputs"] = [
        {key: value for key, value in vars(item).items() if value is not None}
        for item in card.inputs
    ]
    content["grid"] = {"name": card.grid.name, "shape": list(card.grid.shape)}
    content["metrics"] = [dict(metric) for metric in card.metrics]
    content["limits"] = list(card.limits)
    if not card.change_rules:
        del content["change_rules"]
    return {**content, **extra}


def check_id(text: object) -> None:
    """Refuse what cannot be the id of a model, with a BundleError."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise BundleError(
            f"the card's id {text!r} must be 1 to 100 letters, digits, '.', '_' and '-', the first "
            "a letter or a digit."
        )


def check_licence(text: object) -> None:
    """Refuse a licence of no words, with a BundleError."""
    _check_text("licence", text)


def _check_texts(content: Mapping[str, Any]) -> None:
    check_id(content["id"])
    check_licence(content["licence"])
    for key in ("task", "intended_use"):
        _check_text(key, content[key])


def _check_text(key: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise BundleError(f"the card's {key} must be a text that is not empty.")


def _check_mappings(content: Mapping[str, Any]) -> None:
    for key, needed in (("architecture", "name"), ("normalisation", "rule")):
        if not _has_text(content[key], needed):
            raise BundleError(f"the card's {key} must be an object with a text {needed!r}.")
    output = content["architecture"].get("output", "image")
    if output not in get_args(OutputMode):
        known = " or ".join(get_args(OutputMode))
        raise BundleError(f"the card's architecture has the output {output!r}; give {known}.")


def _has_text(item: object, key: str) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get(key), str)


def _list_of(content: Mapping[str, Any], key: str) -> list[Any]:
    value = content[key]
    if not isinstance(value, list):
        raise BundleError(f"the card's {key} must be a list.")
    return value


def _input_from(item: object) -> CardInput:
    if isinstance(item, str):
        return CardInput(item)
    if not isinstance(item, Mapping) or not _has_text(item, "name"):
        raise BundleError("each of the card's inputs must be a name, or an object with a 'name'.")
    name = item["name"]
    foreign = sorted(set(item) - {part.name for part in fields(CardInput)})
    if foreign:
        said = ", ".join(map(repr, foreign))
        raise BundleError(f"the card's input {name!r} says {said}: not known.")
    rule = item.get("normalisation")
    if rule is not None and not _has_text(rule, "rule"):
        raise BundleError(f"the card's normalisation of {name!r} must have a 'rule'.")
    maker = item.get("synthesised_by")
    if maker is not None and not (isinstance(maker, str) and _ID.fullmatch(maker)):
        raise BundleError(f"the card's input {name!r} must name a model as synthesised_by.")
    return CardInput(name, bool(item.get("may_be_missing", False)), rule, maker)


def _check_channels(architecture: Mapping[str, Any], inputs: tuple[CardInput, ...]) -> None:
    n_channels = architecture.get("in_channels", 1)
    if len(inputs) != n_channels:
        raise BundleError(
            f"the card lists {counted(len(inputs), 'input')} for a network whose in_channels is "
            f"{n_channels!r}; they must be as many."
        )
    if len({item.name for item in inputs}) < len(inputs):
        raise BundleError("the card lists an input twice; each has a channel of its own.")
    if not inputs or not inputs[0].required:
        raise BundleError("the card's first input gives the output its scale: it must be there.")


def _grid_from(item: object) -> Grid:
    given = item if isinstance(item, Mapping) else {"name": item}
    name = given.get("name")
    if not isinstance(name, str) or name not in GRIDS:
        raise BundleError(f"the card's grid is {name!r}; known grids: {', '.join(GRIDS)}.")
    shape = list(GRIDS[name])
    if given.get("shape", shape) != shape:
        raise BundleError(f"the card's grid {name} has the shape {shape}, not {given['shape']}.")
    return Grid(name, GRIDS[name])


def _change_rules_from(content: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
    rules = content.get("change_rules", {})
    if not isinstance(rules, Mapping) or not set(rules) <= set(CHANGE_RULES):
        raise BundleError(
            f"the card's change_rules must be an object of {', '.join(CHANGE_RULES)}."
        )
    if rules and content["architecture"].get("output") != "change":
        raise BundleError("the card's change_rules are for a network that answers with a change.")
    for name, numbers in rules.items():
        _check_change_rule(name, numbers)
    return rules


def _check_change_rule(name: str, numbers: object) -> None:
    kinds = CHANGE_RULES[name]
    given = numbers if isinstance(numbers, Mapping) else {}
    if set(given) != set(kinds) or not all(_is_positive(given[key], kinds[key]) for key in kinds):
        raise BundleError(
            f"the card's {name} must be {', '.join(kinds)}, numbers above 0"
            f"{''.join(f', {key} a whole one' for key in kinds if kinds[key] is int)}."
        )


def _is_positive(number: object, kind: type) -> bool:
    if isinstance(number, bool) or not isinstance(number, int | float):
        return False
    return 0 < number < inf and (kind is float or isinstance(number, int))


def _check_metric(item: object) -> Mapping[str, Any]:
    if not isinstance(item, Mapping) or any(key not in item for key in _METRIC_KEYS):
        raise BundleError(f"each of the card's metrics must have {', '.join(_METRIC_KEYS)}.")
    return item


def _check_files(files: object) -> Mapping[str, str]:
    if not isinstance(files, Mapping):
        raise BundleError("the card's files must be an object from names to sha256.")
    for name, digest in files.items():
        if not _FILE_NAME.fullmatch(name):
            raise BundleError(
                f"the card lists the file {name!r}; weight files are called "
                "model.safetensors, or fold-0.safetensors and so on."
            )
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise BundleError(f"the card's sha256 of {name} is not 64 hexadecimal digits.")
    return files
