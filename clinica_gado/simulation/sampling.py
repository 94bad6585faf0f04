"""Every random choice of a simulation, drawn here once and passed on as plain values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clinica_gado.simulation.agent import ContrastAgent
from clinica_gado.simulation.labels import Tissue
from clinica_gado.simulation.parameters import (
    LESION_KINDS,
    AcquisitionParameters,
    BrainMask,
    Geometry,
    Ghosting,
    HeadParameters,
    LesionKind,
    LesionParameters,
    Motion,
    VesselParameters,
)
from clinica_gado.simulation.signal import (
    DiffusionMap,
    Flair,
    Mprage,
    Sequence,
    SpinEcho,
    SpoiledGradientEcho,
)
from clinica_gado.simulation.tissue import TISSUES

SEED_LIMIT = 2**31
SEQUENCES = ("mprage", "spgr", "t1-se", "flair", "t2w", "adc")
T1_SEQUENCES = ("mprage", "spgr", "t1-se")
_RADII_MM: dict[LesionKind, tuple[float, float]] = {
    "ring": (8, 20),
    "solid": (4, 14),
    "metastases": (1.0, 2.05),
    "meningioma": (6, 16),
    "cavity": (8, 18),
    "non-enhancing": (8, 22),
    "white-matter": (1.2, 4.0),
}


def sample_head(
    rng: np.random.Generator,
    field_strength_t: float,
    lesions: tuple[LesionParameters, ...] = (),
) -> HeadParameters:
    """Draw the parameters of a person at 1.5 or 3 T, with the given lesions."""
    return HeadParameters(
        field_strength_t=field_strength_t,
        t1_factor=_factors(rng, spread=0.04),
        t2_factor=_factors(rng, spread=0.06),
        proton_density_factor=_factors(rng, spread=0.02),
        uptake=_sample_uptake(rng),
        agent=_sample_agent(rng),
        vessels=sample_vessels(rng),
        lesions=lesions,
        dura_mm=_uniform(rng, 0.35, 0.7),
        subcutaneous_fat_mm=_uniform(rng, 3.0, 6.0),
        texture=_uniform(rng, 0.02, 0.035),
        texture_seed=_seed(rng),
    )


def sample_vessels(rng: np.random.Generator) -> VesselParameters:
    """Draw the number and calibre of cortical veins and arteries."""
    return VesselParameters(
        seed=_seed(rng),
        veins=int(rng.integers(450, 900)),
        deep_veins=int(rng.integers(30, 80)),
        arteries=int(rng.integers(120, 260)),
        twig_radius_mm=_uniform(rng, 0.55, 0.9),
        largest_radius_mm=_uniform(rng, 1.6, 2.4),
        pial_fraction=_uniform(rng, 0.05, 0.2),
    )


def sample_lesion(rng: np.random.Generator, kind: LesionKind | None = None) -> LesionParameters:
    """Draw a lesion of a kind, or of any."""
    kind = kind or LESION_KINDS[int(rng.integers(len(LESION_KINDS)))]
    low, high = _RADII_MM[kind]
    size = _uniform(rng, low, high)
    is_many = kind in ("metastases", "white-matter")
    return LesionParameters(
        kind=kind,
        position=_uniform(rng, 0.0, 1.0),
        radii_mm=(_near(rng, size), _near(rng, size), _near(rng, size)),
        rim_mm=_uniform(rng, 1.0, 2.0) if kind == "cavity" else _uniform(rng, 1.5, 4.5),
        oedema_mm=_oedema(rng, kind),
        irregularity=_uniform(rng, 0.05, 0.12) if kind == "meningioma" else _uniform(rng, 0.1, 0.3),
        seed=_seed(rng),
        count=int(rng.integers(2, 12)) if is_many else 1,
        patchiness=_patchiness(rng, kind),
        push=_uniform(rng, 0.2, 0.6) if kind in ("ring", "solid", "meningioma") else 0.0,
    )


def _oedema(rng: np.random.Generator, kind: LesionKind) -> float:
    if kind in ("cavity", "white-matter") or rng.random() < 0.25:
        return 0.0
    return _uniform(rng, 1.0, 4.0) if kind == "metastases" else _uniform(rng, 4.0, 18.0)


def _patchiness(rng: np.random.Generator, kind: LesionKind) -> float:
    if kind in ("meningioma", "metastases", "white-matter"):
        return 0.0
    return _uniform(rng, 0.35, 0.7) if kind == "cavity" else _uniform(rng, 0.05, 0.4)


def sample_sequence(rng: np.random.Generator, name: str, field_strength_t: float) -> Sequence:
    """Draw the times of a sequence of `SEQUENCES` within what clinics use at a field.

    Raises
    ------
    ValueError
        No sequence has that name.
    """
    flair_delay = (2200.0, 2450.0) if field_strength_t == 1.5 else (2350.0, 2600.0)
    match name:
        case "mprage":
            return _sample_mprage(rng)
        case "spgr":
            times = _uniform(rng, 7.0, 30.0), _uniform(rng, 2.0, 5.0)
            flip = np.clip(12.0 + 0.55 * times[0] + rng.normal(0.0, 2.0), 10.0, 35.0)
            return SpoiledGradientEcho(*times, round(float(flip), 3))
        case "t1-se":
            return SpinEcho(_uniform(rng, 420.0, 750.0), _uniform(rng, 8.0, 17.0))
        case "t2w":
            return SpinEcho(_uniform(rng, 3500.0, 6500.0), _uniform(rng, 85.0, 115.0), "T2w")
        case "flair":
            delay = _uniform(rng, *flair_delay)
            return Flair(_uniform(rng, 8500.0, 10500.0), delay, _uniform(rng, 90.0, 130.0))
        case "adc":
            return DiffusionMap()
    raise ValueError(f"No sequence is called {name!r}; there are {', '.join(SEQUENCES)}.")


def _sample_mprage(rng: np.random.Generator) -> Mprage:
    spacing, echoes = _uniform(rng, 6.5, 9.5), int(rng.integers(120, 190))
    delay = max(_uniform(rng, 800.0, 1000.0), 0.5 * spacing * echoes + 20.0)
    return Mprage(
        repetition_time_ms=round(delay + 0.5 * spacing * echoes + _uniform(rng, 300.0, 1000.0), 3),
        inversion_time_ms=round(delay, 3),
        echo_spacing_ms=spacing,
        echoes=echoes,
        echo_time_ms=_uniform(rng, 2.2, 4.2),
        flip_angle_deg=_uniform(rng, 7.0, 15.0),
    )


def sample_acquisition(rng: np.random.Generator, geometry: Geometry) -> AcquisitionParameters:
    """Draw gain, bias field, sharpness and noise level for an image of a given geometry."""
    return AcquisitionParameters(
        voxel_mm=geometry.voxel_mm,
        axis_codes=geometry.axis_codes,
        rotation_deg=geometry.rotation_deg,
        coverage_mm=geometry.coverage_mm,
        gain=_uniform(rng, 1100.0, 1500.0),
        bias=tuple(round(float(value), 4) for value in rng.normal(0.0, 0.07, size=9)),
        signal_to_noise=_uniform(rng, 25.0, 60.0),
        blur_mm=_uniform(rng, 0.9, 1.5),
        inflow=round(0.6 * float(rng.uniform()) ** 2, 4),
    )


def add_artefacts(
    rng: np.random.Generator, acquisition: AcquisitionParameters
) -> AcquisitionParameters:
    """Draw what a clinic's images suffer from: a shifted head, motion, ghosts; often none."""
    return replace(
        acquisition,
        shift_mm=_triple(rng, 0.4),
        turn_deg=_triple(rng, 0.4),
        motion=_sample_motion(rng) if rng.random() < 0.25 else None,
        ghosting=_sample_ghosting(rng) if rng.random() < 0.15 else None,
    )


def sample_brain_mask(rng: np.random.Generator) -> BrainMask:
    """Draw how generously, and how unevenly, a skull-strip cuts."""
    return BrainMask(_uniform(rng, -0.5, 4.0), _uniform(rng, 0.3, 1.2), _seed(rng))


def _sample_motion(rng: np.random.Generator) -> Motion:
    """Draw a movement after the centre of k-space: the image shows the head where it was before."""
    first = _uniform(rng, 0.55, 0.9)
    return Motion(
        phase_axis=int(rng.integers(3)),
        first_line=first,
        last_line=round(min(1.0, first + _uniform(rng, 0.05, 0.3)), 4),
        shift_mm=_triple(rng, 1.0),
        rotation_deg=_triple(rng, 1.0),
    )


def _sample_ghosting(rng: np.random.Generator) -> Ghosting:
    return Ghosting(int(rng.integers(3)), int(rng.integers(2, 5)), _uniform(rng, 0.02, 0.10))


def _sample_agent(rng: np.random.Generator) -> ContrastAgent:
    r1 = _uniform(rng, 3.2, 6.2)
    minutes, plasma_factor = _uniform(rng, 1.5, 8.0), _uniform(rng, 0.9, 1.7)
    return ContrastAgent(r1, round(1.2 * r1, 4), minutes, plasma_factor)


def _sample_uptake(rng: np.random.Generator) -> dict[str, float]:
    factors = _factors(rng, spread=0.2)
    return {t.name: round(TISSUES[t].uptake * factors[t.name], 5) for t in Tissue}


def _factors(rng: np.random.Generator, *, spread: float) -> dict[str, float]:
    """Draw one factor around 1 per tissue, within two standard deviations."""
    draws = np.clip(rng.normal(0.0, spread, size=len(Tissue)), -2 * spread, 2 * spread)
    return {tissue.name: round(1.0 + float(draws[tissue]), 4) for tissue in Tissue}


def _triple(rng: np.random.Generator, spread: float) -> tuple[float, float, float]:
    first, second, third = (round(float(value), 4) for value in rng.normal(0.0, spread, size=3))
    return first, second, third


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)


def _near(rng: np.random.Generator, size: float) -> float:
    return round(size * _uniform(rng, 0.8, 1.2), 4)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(SEED_LIMIT))
