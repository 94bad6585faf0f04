"""Equations: what a sequence makes of tissue, and what a contrast agent does to relaxation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


class Sequence(Protocol):
    """A pulse sequence: steady signal per tissue, and what a BIDS sidecar says of it."""

    def signal(self, proton_density: Values, t1_ms: Values, t2_star_ms: Values) -> Values:
        """Return the signal magnitude, in units of the proton density."""
        ...

    def sidecar(self) -> dict[str, object]:
        """Return the BIDS fields that describe the sequence (times in s, angles in degrees)."""
        ...


@dataclass(frozen=True)
class SpoiledGradientEcho:
    """RF-spoiled gradient echo (SPGR, FLASH, T1-FFE) in steady state."""

    repetition_time_ms: float
    echo_time_ms: float
    flip_angle_deg: float

    def signal(self, proton_density: Values, t1_ms: Values, t2_star_ms: Values) -> Values:
        """Return PD sin(a) (1 - E1) / (1 - E1 cos(a)) exp(-TE / T2*) (Haase 1986)."""
        angle = np.deg2rad(self.flip_angle_deg)
        recovery = np.exp(-self.repetition_time_ms / t1_ms)
        steady = np.sin(angle) * (1 - recovery) / (1 - recovery * np.cos(angle))
        return np.asarray(proton_density * steady * np.exp(-self.echo_time_ms / t2_star_ms))

    def sidecar(self) -> dict[str, object]:
        """Return the BIDS fields that describe the sequence."""
        return {
            "PulseSequenceType": "Spoiled gradient echo",
            "ScanningSequence": "GR",
            "SequenceVariant": "SP",
            "RepetitionTime": round(self.repetition_time_ms / 1000, 6),
            "EchoTime": round(self.echo_time_ms / 1000, 6),
            "FlipAngle": round(self.flip_angle_deg, 3),
        }


def shorten(time_ms: Values, relaxivity: float, concentration_mm: Values) -> Values:
    """Return a relaxation time shortened by an agent: 1/T = 1/T0 + r C.

    Parameters
    ----------
    time_ms
        T1, T2 or T2* without agent, in ms.
    relaxivity
        r1 or r2, in L/mmol/s.
    concentration_mm
        Concentration in mmol/L of tissue.
    """
    return np.asarray(1.0 / (1.0 / time_ms + relaxivity * concentration_mm / 1000.0))


def plasma_concentration_mm(dose_mmol_per_kg: float, minutes: float) -> float:
    """Return the plasma concentration in mmol/L some minutes after a bolus.

    Two exponentials of Weinmann 1984 (Physiol Chem Phys Med NMR 16:167) with the constants of
    Tofts and Kermode 1991 (Magn Reson Med 17:357): amplitudes in kg/L, rates per minute.
    """
    fast = 3.99 * np.exp(-0.144 * minutes)
    slow = 4.78 * np.exp(-0.0111 * minutes)
    return float(dose_mmol_per_kg * (fast + slow))
