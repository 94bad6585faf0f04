"""What the `models` command prints, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clinica_gado.errors import BundleError
from clinica_gado.models.bundle import default_bundle, known_bundles, load_card
from clinica_gado.models.card import Card, CardInput

_WIDTH = 96
_INDENT = " " * 16
_LISTED_AT_MOST = 4
_ONLY_IN_JSON = ("configuration", "versions", "target")
"""Of what a model was trained on: every setting, and what has a line of its own."""
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\t"), ord("\n")}
_NO_TEXT = dict.fromkeys({*_CONTROLS, *range(0xD800, 0xE000)})
"""Left out of what is printed: a card may come from anybody, and is not to steer a terminal."""
_CHANGE_RULE_TEXTS = {
    "darkening_gate": "of which clear darkening is kept",
    "brain_reach": "fading out away from the brain",
    "outlines": "bright outlines beside it taken away",
}


def listing() -> list[dict[str, Any]]:
    """Return a row for each installed model; one whose card cannot be read says why."""
    return [_row(name, folder) for name, folder in known_bundles().items()]


def listing_text(rows: Sequence[Mapping[str, Any]], user_folder: Path) -> str:
    """Return the listing as a table."""
    if not rows:
        return (
            f"No model is installed (yours would be in {user_folder}). "
            "Copy one with: clinica-gado models import FOLDER"
        )
    width = max(len(row["id"]) for row in rows)
    lines = []
    for row in rows:
        mark = "*" if row["default"] else " "
        about = row.get("error") or f"{row['task']}  {row['architecture']}  {row['grid']}"
        lines.append(f"{mark} {row['id']:{width}}  {about}")
        if row.get("target"):
            lines.append(f"{'':{width + 4}}target: {row['target']}")
    if any(row["default"] for row in rows):
        lines.append("* used when --model names none")
    return "\n".join(lines).translate(_NO_TEXT)


def card_text(card: Card) -> str:
    """Return a card in words, for a person's screen."""
    grid = "×".join(str(side) for side in card.grid.shape)
    entries = {
        "Model": card.id,
        "Task": card.task,
        "Network": f"{_numbers(card.architecture, 'name')}; answers with the {_answer(card)}",
        "Inputs": ", ".join(_input(item) for item in card.inputs),
        "Target": _target(card) or "not said",
        "Intended use": card.intended_use,
        "Limits": "\n".join(card.limits) or "none stated",
        "Grid": f"{card.grid.name} ({grid})",
        "Scale": _numbers(card.normalisation, "rule"),
        "Trained on": _training(card.training_data),
        "Metrics": _metrics(card.metrics),
        "Licence": card.licence,
        "sha256": "\n".join(f"{digest}  {name}" for name, digest in card.files.items()),
    }
    entries |= {key: _in_words(value) for key, value in card.extra.items()}
    return "\n".join(_entry(label, text) for label, text in entries.items())


def _row(name: str, folder: Path) -> dict[str, Any]:
    try:
        card = load_card(folder)
    except BundleError as error:
        return {"id": name, "folder": str(folder), "default": False, "error": str(error)}
    return {
        "id": name,
        "folder": str(folder),
        "default": _is_default(card.task, folder),
        "task": card.task,
        "architecture": _numbers(card.architecture, "name"),
        "grid": card.grid.name,
        "target": _target(card),
        "inputs": [item.name for item in card.inputs],
        "licence": card.licence,
    }


def _is_default(task: str, folder: Path) -> bool:
    try:
        return default_bundle(task) == folder
    except BundleError:
        return False


def _numbers(mapping: Mapping[str, Any], head: str) -> str:
    rest = _listed({key: value for key, value in mapping.items() if key != head})
    return f"{mapping[head]} ({rest})" if rest else str(mapping[head])


def _listed(numbers: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in numbers.items())


def _answer(card: Card) -> str:
    kept = [
        f"{text} ({_listed(card.change_rules[name])})"
        for name, text in _CHANGE_RULE_TEXTS.items()
        if name in card.change_rules
    ]
    return ", ".join([card.output, *kept])


def _target(card: Card) -> str:
    data = card.training_data
    return str(data.get("target", "")) if isinstance(data, Mapping) else ""


def _training(data: Any) -> str:
    if not isinstance(data, Mapping):
        return _in_words(data)
    shown = {key: item for key, item in data.items() if item and key not in _ONLY_IN_JSON}
    lines = [f"{key}: {_shortened(item)}" for key, item in shown.items()]
    if any(key in data for key in _ONLY_IN_JSON):
        lines.append("All settings: clinica-gado models show --json")
    return "\n".join(lines)


def _shortened(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) > _LISTED_AT_MOST:
        return f"{len(value)}, {_in_words(value[0])} … {_in_words(value[-1])}"
    return _in_words(value)


def _input(item: CardInput) -> str:
    if item.synthesised_by is not None:
        return f"{item.name} (if missing, made by {item.synthesised_by})"
    return f"{item.name} (may be missing)" if item.may_be_missing else item.name


def _metrics(metrics: Sequence[Mapping[str, Any]]) -> str:
    lines = [_metric(metric) for metric in metrics]
    if any("cases" in metric for metric in metrics):
        lines.append("Each case: clinica-gado models show --json")
    return "\n".join(lines) or "none"


def _metric(metric: Mapping[str, Any]) -> str:
    beside = ", ".join(
        f"{key.replace('_', ' ')} {number}"
        for key, number in metric.items()
        if key != "value" and isinstance(number, int | float)
    )
    value = f"{_in_words(metric['value'])} ({beside})" if beside else _in_words(metric["value"])
    return f"{metric['name']}: {value} [{metric['definition']}; on {metric['data']}]"


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_in_words(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_in_words(item) for item in value)
    return str(value)


def _entry(label: str, text: str) -> str:
    paragraphs = [
        textwrap.fill(line, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
        for line in text.translate(_NO_TEXT).splitlines()
    ]
    return f"{label.translate(_NO_TEXT):<{len(_INDENT)}}" + "\n".join(paragraphs).lstrip()
