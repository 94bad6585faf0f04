"""The gate on a change: enhancement goes whole, doubt does not darken the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clinica_gado.inference.change import ChangeGate, gate_of
from clinica_gado.models.card import card_from

NUMBERS = {"threshold": 0.05, "width": 0.01, "smoothing_voxels": 1.0}
GATE = ChangeGate(**NUMBERS)


def test_a_clear_darkening_keeps_its_depth_and_a_faint_one_goes() -> None:
    change = np.full((16, 16, 16), -0.01, np.float32)
    change[4:10, 4:10, 4:10] = -0.4
    left = GATE.apply(change)
    assert left.dtype == np.float32
    np.testing.assert_allclose(left[5:9, 5:9, 5:9], -0.4, rtol=1e-3)
    np.testing.assert_allclose(left[13:, 13:, 13:], -0.01 / (1 + np.exp(4)), rtol=1e-3)


def test_half_is_kept_at_the_threshold() -> None:
    change = np.full((8, 8, 8), -0.05, np.float32)
    np.testing.assert_allclose(GATE.apply(change), -0.025, rtol=1e-4)


def test_a_lone_voxel_is_noise() -> None:
    change = np.zeros((16, 16, 16), np.float32)
    change[8, 8, 8] = -0.2
    assert np.abs(GATE.apply(change)).max() < 0.01


def test_nothing_is_brightened() -> None:
    assert not GATE.apply(np.full((8, 8, 8), 0.3, np.float32)).any()


def test_the_other_way_brightening_is_kept_as_darkening_is() -> None:
    change = np.full((16, 16, 16), -0.01, np.float32)
    change[4:10, 4:10, 4:10] = -0.4
    brightening = replace(GATE, brightens=True)
    np.testing.assert_array_equal(brightening.apply(-change), -GATE.apply(change))
    assert not brightening.apply(change).any()


@pytest.mark.parametrize(
    ("gates", "found"),
    [
        ({}, None),
        ({"darkening_gate": NUMBERS}, GATE),
        ({"brightening_gate": NUMBERS}, replace(GATE, brightens=True)),
    ],
)
def test_the_name_of_a_gate_in_the_card_says_its_way(gates, found) -> None:
    content = {
        "id": "a",
        "task": "t1-virtual-enhance",
        "architecture": {"name": "attention_unet", "in_channels": 1, "output": "change"},
        "inputs": [{"name": "T1w"}],
        "grid": "mni-1mm",
        "normalisation": {"rule": "percentile"},
        "training_data": {},
        "metrics": [],
        "intended_use": "research",
        "limits": [],
        "licence": "none",
    }
    assert gate_of(card_from({**content, **gates})) == found
