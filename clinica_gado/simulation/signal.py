"""Equations of pulse sequences: the signal of tissue from its density and relaxation times.

A spin echo train (turbo spin echo) is taken as one echo at its effective echo time; pulses are
perfect and the transverse magnetisation is spoiled between repetitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_TRANSIT_MS = 10.0


@dataclass(frozen=True)
class TissueValues:
    """What a sequence sees of each tissue: density of protons, times in ms, ADC in µm²/ms."""

    proton_density: Values
    t1_ms: Values
    t2_ms: Values
    t2_star_ms: Values
    adc: Values


class Sequence(Protocol):
    """A pulse sequence: steady signal per tissue, and what a BIDS sidecar says of it."""

    @property
    def suffix(self) -> str:
        """BIDS suffix of its images."""
        ...

    def signal(self, tissue: TissueValues) -> Values:
        """Return the signal magnitude, in units of the proton density."""
        ...

    def flowing(self, tissue: TissueValues, share: float) -> Values:
        """Return the signal of blood of which a share comes into the slab with each excitation."""
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
    suffix: str = "T1w"

    def signal(self, tissue: TissueValues) -> Values:
        """Return PD sin(a) (1 - E1) / (1 - E1 cos(a)) exp(-TE / T2*) (Haase 1986)."""
        angle = np.deg2rad(self.flip_angle_deg)
        recovery = np.exp(-self.repetition_time_ms / tissue.t1_ms)
        steady = np.sin(angle) * (1 - recovery) / (1 - recovery * np.cos(angle))
        return np.asarray(tissue.proton_density * steady * _decay(self, tissue.t2_star_ms))

    def flowing(self, tissue: TissueValues, share: float) -> Values:
        """Mix in the signal of the first pulse on resting spins: inflow is bright."""
        return _with_inflow(self, tissue, share)

    def sidecar(self) -> dict[str, object]:
        """Return the BIDS fields that describe the sequence."""
        return {
            "PulseSequenceType": "Spoiled gradient echo",
            "ScanningSequence": "GR",
            "SequenceVariant": "SP",
            **_times(self),
            "FlipAngle": round(self.flip_angle_deg, 3),
        }


@dataclass(frozen=True)
class Mprage:
    """Inversion, a train of spoiled gradient echoes, and a pause: MPRAGE, IR-SPGR, 3D TFE.

    `inversion_time_ms` runs from the inversion to the echo at the centre of k-space, the middle of
    the train; `repetition_time_ms` from one inversion to the next.
    """

    repetition_time_ms: float
    inversion_time_ms: float
    echo_spacing_ms: float
    echoes: int
    echo_time_ms: float
    flip_angle_deg: float
    inversion_efficiency: float = 0.96
    suffix: str = "T1w"

    def signal(self, tissue: TissueValues) -> Values:
        """Return the signal at the centre of the train, in the steady state of the whole cycle.

        Each pulse takes Mz to Mz cos(a) E1 + 1 - E1, hence n of them to M* + (Mz - M*) q^n with
        q = E1 cos(a) and M* = (1 - E1) / (1 - q); Mz before the inversion repeats itself (the
        equations of Marques 2010, NeuroImage 49:1271, with one train; Deichmann and Haase 1992).
        """
        angle = np.deg2rad(self.flip_angle_deg)
        half = self.echoes / 2
        wait = self.inversion_time_ms - half * self.echo_spacing_ms
        pause = self.repetition_time_ms - wait - self.echoes * self.echo_spacing_ms
        before, after = np.exp(-wait / tissue.t1_ms), np.exp(-pause / tissue.t1_ms)
        echo_recovery = np.exp(-self.echo_spacing_ms / tissue.t1_ms)
        ratio = echo_recovery * np.cos(angle)
        level = (1 - echo_recovery) / (1 - ratio)
        train = ratio**self.echoes
        relaxed = 1 - after + after * (train * (1 - before) + level * (1 - train))
        cycle = relaxed / (1 + self.inversion_efficiency * after * train * before)
        start = 1 - before - self.inversion_efficiency * before * cycle
        centre = level + (start - level) * ratio**half
        return np.asarray(
            tissue.proton_density * np.sin(angle) * np.abs(centre) * _decay(self, tissue.t2_star_ms)
        )

    def flowing(self, tissue: TissueValues, share: float) -> Values:
        """Mix in the signal of the first pulse on resting spins: inflow is bright."""
        return _with_inflow(self, tissue, share)

    def sidecar(self) -> dict[str, object]:
        """Return the BIDS fields that describe the sequence."""
        return {
            "PulseSequenceType": "Magnetization prepared rapid gradient echo",
            "ScanningSequence": ["GR", "IR"],
            "SequenceVariant": ["SP", "MP"],
            **_times(self),
            "InversionTime": round(self.inversion_time_ms / 1000, 6),
            "FlipAngle": round(self.flip_angle_deg, 3),
        }


@dataclass(frozen=True)
class SpinEcho:
    """A 90 degree pulse and an echo: T1w at short times, T2w at long ones."""

    repetition_time_ms: float
    echo_time_ms: float
    suffix: str = "T1w"

    def signal(self, tissue: TissueValues) -> Values:
        """Return PD (1 - 2 exp(-(TR - TE/2) / T1) + exp(-TR / T1)) exp(-TE / T2)."""
        echo = np.exp(-(self.repetition_time_ms - self.echo_time_ms / 2) / tissue.t1_ms)
        recovery = 1 - 2 * echo + np.exp(-self.repetition_time_ms / tissue.t1_ms)
        return np.asarray(tissue.proton_density * recovery * _decay(self, tissue.t2_ms))

    def flowing(self, tissue: TissueValues, share: float) -> Values:
        """Return what is left when blood leaves the slice between the pulses (flow void)."""
        return _with_washout(self, tissue, share)

    def sidecar(self) -> dict[str, object]:
        """Return the BIDS fields that describe the sequence."""
        return {"PulseSequenceType": "Spin echo", "ScanningSequence": "SE", **_times(self)}


@dataclass(frozen=True)
class Flair:
    """Spin echo after an inversion that leaves no signal of CSF."""

    repetition_time_ms: float
    inversion_time_ms: float
    echo_time_ms: float
    suffix: str = "FLAIR"

    def signal(self, tissue: TissueValues) -> Values:
        """Return PD |1 - 2 exp(-TI/T1) + 2 exp(-(TR - TE/2)/T1) - exp(-TR/T1)| exp(-TE/T2)."""
        inverted = 2 * np.exp(-self.inversion_time_ms / tissue.t1_ms)
        echo = 2 * np.exp(-(self.repetition_time_ms - self.echo_time_ms / 2) / tissue.t1_ms)
        recovery = 1 - inverted + echo - np.exp(-self.repetition_time_ms / tissue.t1_ms)
        return np.asarray(tissue.proton_density * np.abs(recovery) * _decay(self, tissue.t2_ms))

    def flowing(self, tissue: TissueValues, share: float) -> Values:
        """Return what is left when blood leaves the slice between the pulses (flow void)."""
        return _with_washout(self, tissue, share)

    def sidecar(self) -> dict[str, object]:
        """Return the BIDS fields that describe the sequence."""
        return {
            "PulseSequenceType": "Inversion recovery spin echo",
            "ScanningSequence": ["SE", "IR"],
            **_times(self),
            "InversionTime": round(self.inversion_time_ms / 1000, 6),
        }


@dataclass(frozen=True)
class DiffusionMap:
    """The map of apparent diffusion coefficients that a scanner computes."""

    suffix: str = "ADC"

    def signal(self, tissue: TissueValues) -> Values:
        """Return the ADC in µm²/ms (10⁻³ mm²/s)."""
        return tissue.adc

    def flowing(self, tissue: TissueValues, share: float) -> Values:
        """Return the ADC: the map is not an image of flow."""
        return tissue.adc

    def sidecar(self) -> dict[str, object]:
        """Return the BIDS fields that describe the map."""
        return {"PulseSequenceType": "Diffusion", "Units": "um^2/s"}


def _decay(sequence: SpoiledGradientEcho | Mprage | SpinEcho | Flair, time_ms: Values) -> Values:
    return np.asarray(np.exp(-sequence.echo_time_ms / time_ms))


def _with_inflow(
    sequence: SpoiledGradientEcho | Mprage, tissue: TissueValues, share: float
) -> Values:
    angle = np.deg2rad(sequence.flip_angle_deg)
    fresh = tissue.proton_density * np.sin(angle) * _decay(sequence, tissue.t2_star_ms)
    signal = sequence.signal(tissue)
    return np.asarray(signal + share * (fresh - signal))


def _with_washout(sequence: SpinEcho | Flair, tissue: TissueValues, share: float) -> Values:
    """Lose the share once in every `_TRANSIT_MS` of the echo time."""
    left = (1.0 - share) ** (sequence.echo_time_ms / _TRANSIT_MS)
    return np.asarray(left * sequence.signal(tissue))


def _times(sequence: SpoiledGradientEcho | Mprage | SpinEcho | Flair) -> dict[str, object]:
    return {
        "RepetitionTime": round(sequence.repetition_time_ms / 1000, 6),
        "EchoTime": round(sequence.echo_time_ms / 1000, 6),
    }
