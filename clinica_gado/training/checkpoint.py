"""The state of a run, and its file: what it takes to go on to the same numbers."""

from __future__ import annotations

import json
import pickle  # for the error that refusing one raises; nothing is unpickled here
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from clinica_gado.errors import TrainingError
from clinica_gado.files import atomic_path

CHECKPOINT_NAME = "checkpoint.pt"


@dataclass
class TrainingState:
    """What changes from step to step. Patches have no state: they depend on their number alone.

    Attributes
    ----------
    average : running average of the network's weights and buffers.
    step : steps done.
    best : validation score of the weights kept, None before there is one.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    average: AveragedModel
    step: int = 0
    best: float | None = None

    def save(self, path: Path, request: Mapping[str, Any]) -> None:
        """Write the state and what was asked for, whole or not at all."""
        content = {
            "request": json.dumps(request),
            "step": self.step,
            "best": self.best,
            **{name: part.state_dict() for name, part in self._parts().items()},
        }
        with atomic_path(path) as partial:
            torch.save(content, partial)

    def resume(self, path: Path, request: Mapping[str, Any]) -> None:
        """Take over the state of an earlier run, if it left one; code in the file is not run.

        Raises
        ------
        TrainingError
            The file cannot be read, or the earlier run was asked for something else.
        """
        if not path.is_file():
            return
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            earlier = json.loads(content["request"])
        except (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError) as error:
            raise TrainingError(
                f"Cannot read {path} ({type(error).__name__}); start anew with --overwrite."
            ) from error
        if differing := differences(earlier, json.loads(json.dumps(request))):
            raise TrainingError(
                f"The run in {path.parent} was begun with other settings "
                f"({', '.join(differing)}); give the same ones, another folder, or --overwrite."
            )
        for name, part in self._parts().items():
            part.load_state_dict(content[name])
        self.step, self.best = content["step"], content["best"]

    def _parts(self) -> dict[str, Any]:
        return {"network": self.network, "average": self.average, "optimiser": self.optimiser}


def average_of(network: nn.Module, decay: float) -> AveragedModel:
    """Begin a running average of a network; with a decay of 0 it is the network itself."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def differences(first: Mapping[str, Any], second: Mapping[str, Any], at: str = "") -> list[str]:
    """Name what two nested mappings do not agree on."""
    found = []
    for key in sorted({*first, *second}):
        one, other = first.get(key), second.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differences(one, other, f"{at}{key}.")
        elif one != other:
            found.append(f"{at}{key}")
    return found
