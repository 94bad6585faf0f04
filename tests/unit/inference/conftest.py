"""Tiny bundles and images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clinica_gado.inference import Predictor
from clinica_gado.models.attention_unet import AttentionUNet
from clinica_gado.models.bundle import save_bundle
from clinica_gado.models.card import card_from
from clinica_gado.models.registry import build_network

SHAPE = (17, 20, 18)  # no multiple of what the networks need
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


@pytest.fixture
def head() -> np.ndarray:
    generator = np.random.default_rng(1)
    return generator.normal(300, 60, SHAPE).astype(np.float32)


@pytest.fixture
def brain(head) -> np.ndarray:
    brain = np.zeros_like(head)
    brain[4:13, 4:15, 4:14] = head[4:13, 4:15, 4:14]
    return brain


@pytest.fixture
def predictor_of(make_bundle):
    """Return a function that builds a predictor of random weights, on the CPU in fp32."""

    def build(*, flips="none", precision="fp32", **options):
        return Predictor(make_bundle(**options), device="cpu", precision=precision, flips=flips)

    return build


@pytest.fixture
def answers(monkeypatch):
    """Let the network answer what a function makes of its input."""

    def answer_with(function) -> None:
        monkeypatch.setattr(AttentionUNet, "estimate", lambda self, images: function(images))

    return answer_with


def _random_weights(numbers):
    network = build_network(numbers)
    head = getattr(network.head, "conv", network.head)
    torch.nn.init.normal_(head.weight, std=0.5)
    return network.state_dict()
