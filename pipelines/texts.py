"""Settings as text, which is all that crosses between nipype's nodes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.validation.settings import ValidationSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def write_settings(settings: DataclassInstance) -> str:
    """Return settings as text."""
    return json.dumps(asdict(settings), default=str)


def read_validation_settings(text: str) -> ValidationSettings:
    """Return the settings of the validation that `write_settings` wrote."""
    content: dict[str, Any] = json.loads(text)
    content["caps"] = Path(content["caps"])
    content["tpm"] = Path(content["tpm"]) if content["tpm"] else None
    return ValidationSettings(linear=read_linear(content.pop("linear")), **content)


def read_linear(content: dict[str, Any]) -> LinearOptions:
    """Return the options of a registration, as JSON gives them back."""
    template = content.pop("template")
    return LinearOptions(template=Path(template) if template else None, **content)
