"""Sequence equations and relaxivity, against values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.simulation.signal import (
    SpoiledGradientEcho,
    plasma_concentration_mm,
    shorten,
)


def _signal(sequence: SpoiledGradientEcho, density: float, t1: float, t2_star: float) -> float:
    return float(sequence.signal(np.array(density), np.array(t1), np.array(t2_star)))


def test_spoiled_gradient_echo_equals_the_hand_worked_value() -> None:
    # E1 = exp(-1) = .367879 ; sin 90 = 1, cos 90 = 0 ; exp(-TE/T2*) = exp(-1)
    # S = 2 x .632121 x .367879 = .465088
    sequence = SpoiledGradientEcho(1000.0, 20.0, 90.0)
    assert _signal(sequence, 2.0, 1000.0, 20.0) == pytest.approx(0.465088, abs=1e-6)


def test_spoiled_gradient_echo_at_small_flip_equals_the_hand_worked_value() -> None:
    # E1 = exp(-.05) = .951229 ; TE = 0
    # S = .5 x .0487706 / (1 - .951229 x .866025) = .0243853 / .1762112 = .138387
    sequence = SpoiledGradientEcho(25.0, 0.0, 30.0)
    assert _signal(sequence, 1.0, 500.0, 50.0) == pytest.approx(0.138387, abs=1e-6)


def test_signal_is_largest_at_the_ernst_angle() -> None:
    ernst = np.rad2deg(np.arccos(np.exp(-25.0 / 646.0)))
    angles = (ernst - 2, ernst, ernst + 2)
    signals = [_signal(SpoiledGradientEcho(25.0, 4.6, a), 1.0, 646.0, 66.0) for a in angles]
    assert signals[1] == max(signals)


def test_one_millimolar_shortens_t1_as_worked_by_hand() -> None:
    # 1/T1 = 1/1.441 + 4.5 = 5.193963 per s, hence T1 = 192.531 ms
    assert float(shorten(np.array(1441.0), 4.5, np.array(1.0))) == pytest.approx(192.531, abs=1e-3)


def test_no_agent_leaves_relaxation_as_it_is() -> None:
    times = np.array([343.0, 1197.0])
    np.testing.assert_allclose(shorten(times, 4.5, np.zeros(2)), times)


def test_plasma_concentration_five_minutes_after_a_clinical_dose() -> None:
    # .1 x (3.99 x exp(-.72) + 4.78 x exp(-.0555)) = .1 x (1.94213 + 4.52194) = .646407
    assert plasma_concentration_mm(0.1, 5.0) == pytest.approx(0.6464, abs=1e-4)


def test_plasma_concentration_is_proportional_to_the_dose() -> None:
    quarter = plasma_concentration_mm(0.025, 4.0)
    assert quarter == pytest.approx(plasma_concentration_mm(0.1, 4.0) / 4)


def test_sidecar_gives_times_in_seconds() -> None:
    fields = SpoiledGradientEcho(25.0, 4.6, 30.0).sidecar()
    assert (fields["RepetitionTime"], fields["EchoTime"], fields["FlipAngle"]) == (
        0.025,
        0.0046,
        30,
    )
