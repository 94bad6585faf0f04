"""Tiny networks whose batch norms have seen data, and the bundle of one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from clinica_gado.models import bundle as bundles
from clinica_gado.models.bundle import save_bundle
from clinica_gado.models.card import card_from
from clinica_gado.models.registry import build_network

ARCHITECTURE = {"name": "attention_unet", "width": 2, "levels": 2, "output": "change"}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def as_trained():
    """Give every parameter and running statistic a value, and set evaluation mode."""

    def randomise(network: nn.Module) -> nn.Module:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
        return network.eval()

    return randomise


@pytest.fixture
def content() -> dict:
    return {
        "id": "tiny-1",
        "task": "t1-gado-removal",
        "architecture": dict(ARCHITECTURE),
        "inputs": [{"name": "T1w-ce", "may_be_missing": False}],
        "grid": {"name": "mni-1mm", "shape": [169, 208, 179]},
        "normalisation": {"rule": "percentile", "median": 0.5},
        "training_data": {"pairs": 3},
        "metrics": [{"name": "MAE", "value": 0.1, "definition": "mean |a−b|", "data": "3 pairs"}],
        "intended_use": "tests",
        "limits": ["knows nothing"],
        "licence": "CC-BY-4.0",
        "files": {},
    }


@pytest.fixture
def weights() -> dict:
    return build_network(ARCHITECTURE).state_dict()


@pytest.fixture
def folder(tmp_path, content, weights):
    """Return the folder of a saved bundle."""
    return save_bundle(tmp_path / "saved", card_from(content), [weights]).folder


@pytest.fixture(autouse=True)
def user_folder(tmp_path, monkeypatch):
    """Give each test its own place for models, and nothing shipped."""
    monkeypatch.setenv(bundles.USER_FOLDER_VARIABLE, str(tmp_path / "mine"))
    monkeypatch.setattr(bundles, "PRETRAINED", tmp_path / "shipped")
    return tmp_path / "mine"
