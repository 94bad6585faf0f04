"""Every random choice of a simulation, drawn here once and passed on as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clinica_gado.simulation.labels import Tissue
from clinica_gado.simulation.tissue import TISSUES

_SEED_LIMIT = 2**31


@dataclass(frozen=True)
class ContrastAgent:
    """Relaxivities in L/mmol/s, and the time from injection to image in minutes.

    In plasma at 37 degrees r1 is 3.3 to 4.8 at 1.5 T and 3.0 to 5.0 at 3 T for the macrocyclic
    agents (Szomolanyi 2019, Invest Radiol 54:559); r2 is about a fifth higher (Rohrer 2005,
    Invest Radiol 40:715).
    """

    r1: float = 4.5
    r2: float = 5.4
    minutes_after_injection: float = 5.0


@dataclass(frozen=True)
class VesselParameters:
    """Tubes through the subarachnoid space; radii in mm grow with the vessels they drain."""

    seed: int
    veins: int
    arteries: int
    twig_radius_mm: float
    largest_radius_mm: float


@dataclass(frozen=True)
class LesionParameters:
    """A ring-enhancing lesion; lengths in mm, `position` in 0..1 picks among deep white matter."""

    position: float
    radii_mm: tuple[float, float, float]
    rim_mm: float
    oedema_mm: float
    irregularity: float
    seed: int


@dataclass(frozen=True)
class HeadParameters:
    """What belongs to a person: tissue, uptake of agent, vessels, meninges, lesion.

    The mappings go from tissue names to numbers: factors on T1 and on proton density, and the
    concentration of agent relative to plasma.
    """

    field_strength_t: float
    t1_factor: Mapping[str, float]
    proton_density_factor: Mapping[str, float]
    uptake: Mapping[str, float]
    agent: ContrastAgent
    vessels: VesselParameters
    lesion: LesionParameters | None
    dura_mm: float
    subcutaneous_fat_mm: float
    texture: float
    texture_seed: int


@dataclass(frozen=True)
class AcquisitionParameters:
    """What belongs to a scan session, shared by its images with and without agent.

    `bias` holds coefficients of a second-order polynomial of the logarithm of the sensitivity;
    `coverage_mm` is the extent from the top of the head downwards; `signal_to_noise` is that of
    white matter without agent, before gain.
    """

    voxel_mm: tuple[float, float, float]
    axis_codes: str
    rotation_deg: tuple[float, float, float]
    coverage_mm: float
    gain: float
    bias: tuple[float, ...]
    signal_to_noise: float


@dataclass(frozen=True)
class Geometry:
    """What a protocol fixes: voxel size in mm, storage order, obliquity and coverage."""

    voxel_mm: tuple[float, float, float]
    axis_codes: str = "RAS"
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    coverage_mm: float = 250.0


def sample_head(
    rng: np.random.Generator, field_strength_t: float, lesion: LesionParameters | None = None
) -> HeadParameters:
    """Draw the parameters of a person at 1.5 or 3 T, with the given lesion or none."""
    return HeadParameters(
        field_strength_t=field_strength_t,
        t1_factor=_factors(rng, spread=0.03),
        proton_density_factor=_factors(rng, spread=0.02),
        uptake=_sample_uptake(rng),
        agent=_sample_agent(rng),
        vessels=sample_vessels(rng),
        lesion=lesion,
        dura_mm=_uniform(rng, 0.35, 0.6),
        subcutaneous_fat_mm=_uniform(rng, 3.0, 6.0),
        texture=_uniform(rng, 0.02, 0.035),
        texture_seed=_seed(rng),
    )


def sample_vessels(rng: np.random.Generator) -> VesselParameters:
    """Draw the number and calibre of cortical veins and arteries."""
    return VesselParameters(
        seed=_seed(rng),
        veins=int(rng.integers(70, 110)),
        arteries=int(rng.integers(50, 80)),
        twig_radius_mm=_uniform(rng, 0.5, 0.7),
        largest_radius_mm=_uniform(rng, 1.4, 1.8),
    )


def sample_lesion(rng: np.random.Generator) -> LesionParameters:
    """Draw a ring-enhancing lesion of 2 to 3.5 cm with its oedema."""
    return LesionParameters(
        position=_uniform(rng, 0.0, 1.0),
        radii_mm=(_uniform(rng, 10, 17), _uniform(rng, 10, 17), _uniform(rng, 10, 17)),
        rim_mm=_uniform(rng, 2.0, 4.0),
        oedema_mm=_uniform(rng, 10.0, 18.0),
        irregularity=_uniform(rng, 0.12, 0.22),
        seed=_seed(rng),
    )


def sample_acquisition(rng: np.random.Generator, geometry: Geometry) -> AcquisitionParameters:
    """Draw gain, bias field and noise level for a session of a given geometry."""
    return AcquisitionParameters(
        voxel_mm=geometry.voxel_mm,
        axis_codes=geometry.axis_codes,
        rotation_deg=geometry.rotation_deg,
        coverage_mm=geometry.coverage_mm,
        gain=_uniform(rng, 1100.0, 1500.0),
        bias=tuple(round(float(value), 4) for value in rng.normal(0.0, 0.07, size=9)),
        signal_to_noise=_uniform(rng, 40.0, 60.0),
    )


def _sample_agent(rng: np.random.Generator) -> ContrastAgent:
    r1 = _uniform(rng, 3.9, 4.8)
    return ContrastAgent(r1, round(1.2 * r1, 4), _uniform(rng, 3.0, 8.0))


def _sample_uptake(rng: np.random.Generator) -> dict[str, float]:
    factors = _factors(rng, spread=0.1)
    return {t.name: round(TISSUES[t].uptake * factors[t.name], 5) for t in Tissue}


def _factors(rng: np.random.Generator, *, spread: float) -> dict[str, float]:
    """Draw one factor around 1 per tissue, within two standard deviations."""
    draws = np.clip(rng.normal(0.0, spread, size=len(Tissue)), -2 * spread, 2 * spread)
    return {tissue.name: round(1.0 + float(draws[tissue]), 4) for tissue in Tissue}


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(_SEED_LIMIT))
