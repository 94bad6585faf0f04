"""From a head to signal and to concentration of agent, at a given dose and sequence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clinica_gado.simulation.anatomy import Head
from clinica_gado.simulation.labels import FloatArray, Tissue
from clinica_gado.simulation.parameters import HeadParameters
from clinica_gado.simulation.signal import Sequence, plasma_concentration_mm, shorten
from clinica_gado.simulation.tissue import TISSUES

Table = NDArray[np.float64]


def render_signal(
    head: Head, parameters: HeadParameters, sequence: Sequence, dose_mmol_per_kg: float
) -> FloatArray:
    """Return the signal of a head (X, Y, Z), in units of the proton density of water."""
    table = tissue_signal(parameters, sequence, dose_mmol_per_kg)
    return _blend(head, table) * head.texture


def render_concentration(
    head: Head, parameters: HeadParameters, dose_mmol_per_kg: float
) -> FloatArray:
    """Return the concentration of agent in mmol/L that acts on the signal, (X, Y, Z)."""
    return _blend(head, tissue_concentration(parameters, dose_mmol_per_kg))


def tissue_concentration(parameters: HeadParameters, dose_mmol_per_kg: float) -> Table:
    """Return the concentration of agent in mmol/L per tissue, indexed by `Tissue`."""
    minutes = parameters.agent.minutes_after_injection
    plasma = plasma_concentration_mm(dose_mmol_per_kg, minutes)
    return np.array([plasma * parameters.uptake[tissue.name] for tissue in Tissue])


def tissue_signal(parameters: HeadParameters, sequence: Sequence, dose_mmol_per_kg: float) -> Table:
    """Return the signal per tissue, indexed by `Tissue`."""
    times = np.array([TISSUES[tissue].at(parameters.field_strength_t) for tissue in Tissue])
    density = np.array([TISSUES[tissue].proton_density for tissue in Tissue])
    concentration = tissue_concentration(parameters, dose_mmol_per_kg)
    t1_ms = times[:, 0] * _column(parameters.t1_factor)
    return sequence.signal(
        density * _column(parameters.proton_density_factor),
        shorten(t1_ms, parameters.agent.r1, concentration),
        shorten(times[:, 2], parameters.agent.r2, concentration),
    )


def _column(values: Mapping[str, float]) -> Table:

    return np.array([values[tissue.name] for tissue in Tissue])


def _blend(head: Head, table: Table) -> FloatArray:
    """Look a value up for each voxel and mix in the layers by their fractions."""
    values: FloatArray = table.astype(np.float32)[head.tissue]
    for layer in head.layers:
        values += layer.fraction * (np.float32(table[layer.tissue]) - values)
    return values
