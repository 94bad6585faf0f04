"""Tiny bundles and images."""

from __future__ import annotations

import pytest
import torch

from clinica_gado.models.bundle import save_bundle
from clinica_gado.models.card import card_from
from clinica_gado.models.registry import build_network

TINY = {
    "attention_unet": {"width": 4, "levels": 3},
    "residual_unet": {"width": 2},
    "strided_residual_unet": {"width": 2, "levels": 2},
    "hr_fcn": {"width": 2},
    "unet": {"width": 2, "levels": 2},
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def make_bundle(tmp_path):
    """Return a function that saves a bundle of random weights."""

    def make(*, n_folds=1, inputs=("T1w-ce",), grid="mni-1mm", rule="percentile", **architecture):
        name = architecture.pop("name", "attention_unet")
        numbers = {"name": name, "in_channels": len(inputs), **TINY[name]}
        numbers |= {"output": "change", **architecture}
        card = card_from(
            {
                "id": "tiny",
                "task": "t1-gado-removal",
                "architecture": numbers,
                "inputs": list(inputs),
                "grid": {"name": grid},
                "normalisation": {"rule": rule},
                "training_data": "none: random weights",
                "metrics": [],
                "intended_use": "tests",
                "limits": ["random"],
                "licence": "Apache-2.0",
            }
        )
        folds = [_random_weights(numbers) for _ in range(n_folds)]
        return save_bundle(tmp_path / "tiny", card, folds)

    return make


def _random_weights(numbers):
    network = build_network(numbers)
    head = getattr(network.head, "conv", network.head)
    torch.nn.init.normal_(head.weight, std=0.5)
    return network.state_dict()
