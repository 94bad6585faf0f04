"""Sequence equations, against values worked by hand, limits, and spins followed pulse by pulse."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.simulation.signal import (
    DiffusionMap,
    Flair,
    Mprage,
    Sequence,
    SpinEcho,
    SpoiledGradientEcho,
    TissueValues,
)

TISSUES = ((646.0, 72.0), (1197.0, 95.0), (4070.0, 1800.0), (343.0, 58.0))
MPRAGE = Mprage(2300.0, 900.0, 8.0, 160, 3.0, 9.0)
ENOUGH_CYCLES = 60


def _values(density: float, t1: float, t2: float) -> TissueValues:
    return TissueValues(*(np.array([v]) for v in (density, t1, t2, t2)), adc=np.array([0.7]))


def _signal(sequence: Sequence, density: float, t1: float, t2: float) -> float:
    return float(sequence.signal(_values(density, t1, t2))[0])


def _recover(magnetisation: float, milliseconds: float, t1: float) -> float:
    return 1 + (magnetisation - 1) * np.exp(-milliseconds / t1)


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


@pytest.mark.parametrize(("t1", "t2"), TISSUES)
def test_mprage_equals_spins_followed_pulse_by_pulse(t1: float, t2: float) -> None:
    angle, before = np.deg2rad(9.0), 900.0 - 80 * 8.0
    magnetisation, seen = 1.0, 0.0
    for _ in range(ENOUGH_CYCLES):
        magnetisation = _recover(-MPRAGE.inversion_efficiency * magnetisation, before, t1)
        for echo in range(160):
            if echo == 80:
                seen = abs(magnetisation) * np.sin(angle)
            magnetisation = _recover(magnetisation * np.cos(angle), 8.0, t1)
        magnetisation = _recover(magnetisation, 2300.0 - before - 160 * 8.0, t1)
    assert _signal(MPRAGE, 0.8, t1, t2) == pytest.approx(0.8 * seen * np.exp(-3.0 / t2), rel=1e-6)


def test_mprage_without_inversion_or_pause_is_a_spoiled_gradient_echo() -> None:
    train = Mprage(800.0, 400.0, 8.0, 100, 3.0, 12.0, inversion_efficiency=-1.0)
    plain = SpoiledGradientEcho(8.0, 3.0, 12.0)
    assert _signal(train, 1.0, 700.0, 60.0) == pytest.approx(_signal(plain, 1.0, 700.0, 60.0))


@pytest.mark.parametrize(("t1", "t2"), TISSUES)
def test_spin_echo_equals_spins_followed_pulse_by_pulse(t1: float, t2: float) -> None:
    magnetisation, seen = 1.0, 0.0
    for _ in range(ENOUGH_CYCLES):
        seen = magnetisation * np.exp(-12.0 / t2)
        magnetisation = -_recover(0.0, 6.0, t1)
        magnetisation = _recover(magnetisation, 500.0 - 6.0, t1)
    assert _signal(SpinEcho(500.0, 12.0), 1.0, t1, t2) == pytest.approx(seen, rel=1e-6)


def test_spin_echo_after_full_recovery_is_proton_density_and_t2() -> None:
    assert _signal(SpinEcho(1e5, 100.0), 0.9, 1000.0, 80.0) == pytest.approx(0.9 * np.exp(-1.25))


@pytest.mark.parametrize(("t1", "t2"), TISSUES)
def test_flair_equals_spins_followed_pulse_by_pulse(t1: float, t2: float) -> None:
    magnetisation, seen = 1.0, 0.0
    for _ in range(ENOUGH_CYCLES):
        magnetisation = _recover(-magnetisation, 2400.0, t1)
        seen = abs(magnetisation) * np.exp(-100.0 / t2)
        magnetisation = -_recover(0.0, 50.0, t1)
        magnetisation = _recover(magnetisation, 9000.0 - 2400.0 - 50.0, t1)
    assert _signal(Flair(9000.0, 2400.0, 100.0), 1.0, t1, t2) == pytest.approx(seen, rel=1e-6)


def test_flair_nulls_what_recovers_to_zero_at_the_inversion_time() -> None:
    # With TR and echo far apart, 1 - 2 exp(-TI/T1) = 0 at TI = T1 ln 2.
    flair = Flair(1e6, 4070.0 * np.log(2), 0.0)
    assert _signal(flair, 1.0, 4070.0, 1800.0) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("sequence", [MPRAGE, SpoiledGradientEcho(25.0, 4.0, 30.0)])
def test_resting_spins_that_flow_in_are_brighter(sequence: Mprage | SpoiledGradientEcho) -> None:
    blood = _values(0.85, 1441.0, 290.0)
    still, flowing = sequence.flowing(blood, 0.0)[0], sequence.flowing(blood, 0.5)[0]
    assert still == sequence.signal(blood)[0]
    assert flowing > still


def test_flow_is_void_in_spin_echoes_and_of_no_matter_in_a_diffusion_map() -> None:
    blood = _values(0.85, 1441.0, 290.0)
    for sequence in (SpinEcho(500.0, 12.0), Flair(9000.0, 2400.0, 100.0)):
        assert sequence.flowing(blood, 1.0)[0] == 0
        assert sequence.flowing(blood, 0.0)[0] == sequence.signal(blood)[0]
    assert DiffusionMap().flowing(blood, 0.5)[0] == DiffusionMap().signal(blood)[0] == 0.7


def test_long_echoes_lose_more_of_the_flowing_blood() -> None:
    blood = _values(0.85, 1441.0, 290.0)
    left = [
        s.flowing(blood, 0.2)[0] / s.signal(blood)[0]
        for s in (SpinEcho(5e3, t) for t in (10.0, 90.0))
    ]
    assert left == pytest.approx([0.8, 0.8**9])


def test_sidecar_gives_times_in_seconds() -> None:
    fields = SpoiledGradientEcho(25.0, 4.6, 30.0).sidecar()
    assert (fields["RepetitionTime"], fields["EchoTime"], fields["FlipAngle"]) == (
        0.025,
        0.0046,
        30,
    )
    assert MPRAGE.sidecar()["InversionTime"] == 0.9
    assert Flair(9000.0, 2400.0, 100.0).sidecar()["InversionTime"] == 2.4
