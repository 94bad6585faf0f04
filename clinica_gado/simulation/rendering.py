"""From a head to signal and to concentration of agent, at a given dose and sequence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from clinica_gado.simulation.agent import plasma_concentration_mm, shorten
from clinica_gado.simulation.labels import Tissue
from clinica_gado.simulation.layers import FULL, Head
from clinica_gado.simulation.parameters import HeadParameters
from clinica_gado.simulation.signal import Sequence, TissueValues
from clinica_gado.simulation.tissue import TISSUES

Table = NDArray[np.float64]


def render_signal(
    head: Head,
    parameters: HeadParameters,
    sequence: Sequence,
    dose_mmol_per_kg: float,
    inflow: float = 0.0,
) -> torch.Tensor:
    """Return the signal of a head (X, Y, Z), in units of the proton density of water.

    Each voxel mixes the signals, not the properties, of the tissues in it.
    """
    table = tissue_signal(parameters, sequence, dose_mmol_per_kg, inflow)
    return mix(head, table) * head.texture.float()


def render_concentration(
    head: Head, parameters: HeadParameters, dose_mmol_per_kg: float
) -> torch.Tensor:
    """Return the concentration of agent in mmol/L that acts on the signal, (X, Y, Z)."""
    return mix(head, tissue_concentration(parameters, dose_mmol_per_kg))


def tissue_concentration(parameters: HeadParameters, dose_mmol_per_kg: float) -> Table:
    """Return the concentration of agent in mmol/L per tissue, indexed by `Tissue`."""
    agent = parameters.agent
    plasma = plasma_concentration_mm(dose_mmol_per_kg, agent.minutes_after_injection)
    return agent.plasma_factor * plasma * _column(parameters.uptake)


def tissue_values(parameters: HeadParameters, dose_mmol_per_kg: float) -> TissueValues:
    """Return what a sequence sees of each tissue at a dose, indexed by `Tissue`."""
    times = np.array([TISSUES[tissue].at(parameters.field_strength_t) for tissue in Tissue])
    density = np.array([TISSUES[tissue].proton_density for tissue in Tissue])
    concentration = tissue_concentration(parameters, dose_mmol_per_kg)
    t2_factor, agent = _column(parameters.t2_factor), parameters.agent
    return TissueValues(
        proton_density=density * _column(parameters.proton_density_factor),
        t1_ms=shorten(times[:, 0] * _column(parameters.t1_factor), agent.r1, concentration),
        t2_ms=shorten(times[:, 1] * t2_factor, agent.r2, concentration),
        t2_star_ms=shorten(times[:, 2] * t2_factor, agent.r2, concentration),
        adc=np.array([TISSUES[tissue].adc for tissue in Tissue]),
    )


def tissue_signal(
    parameters: HeadParameters,
    sequence: Sequence,
    dose_mmol_per_kg: float,
    inflow: float = 0.0,
) -> Table:
    """Return the signal per tissue, indexed by `Tissue`.

    A share `inflow` of the arterial blood, and a quarter of that of the venous, has just entered
    the slab: bright in a gradient echo, gone in a spin echo.
    """
    values = tissue_values(parameters, dose_mmol_per_kg)
    signal = sequence.signal(values).copy()
    for tissue, share in ((Tissue.ARTERIAL_BLOOD, inflow), (Tissue.BLOOD, 0.25 * inflow)):
        signal[tissue] = sequence.flowing(values, share)[tissue]
    return signal


def mix(head: Head, table: Table) -> torch.Tensor:
    """Look a value up for each voxel and mix in the layers by their fractions, (X, Y, Z)."""
    lookup = torch.as_tensor(table, dtype=torch.float32, device=head.tissue.device)
    values = lookup[head.tissue.int()]
    for layer in head.layers:
        values.lerp_(lookup[layer.tissue], layer.fraction.float() / FULL)
    return values


def _column(values: Mapping[str, float]) -> Table:
    return np.array([values[tissue.name] for tissue in Tissue])
