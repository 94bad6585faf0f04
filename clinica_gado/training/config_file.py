"""A configuration's file: what `clinica-gado train` leaves in `training/config.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from clinica_gado.training.config import TrainingConfig, config_from


def read_config(path: Path) -> TrainingConfig:
    """Read a configuration from JSON.

    Raises
    ------
    ValueError
        It cannot be read, or does not say what a configuration can.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from error
    if not isinstance(content, Mapping):
        raise ValueError("it must be a JSON object")
    return config_from(content)
