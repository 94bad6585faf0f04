"""The gate on a change: enhancement goes whole, doubt does not darken the rest."""

from __future__ import annotations

import numpy as np

from clinica_gado.inference.change import DarkeningGate, gate_from

GATE = DarkeningGate(threshold=0.05, width=0.01, smoothing_voxels=1.0)


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


def test_a_card_without_gate_has_none() -> None:
    assert gate_from(None) is None
    assert gate_from({"threshold": 0.05, "width": 0.01, "smoothing_voxels": 1.0}) == GATE
