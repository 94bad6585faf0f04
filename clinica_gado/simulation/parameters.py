"""The parameters of a simulation as plain values; `sampling` draws them, the rest applies them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from clinica_gado.simulation.agent import ContrastAgent
from clinica_gado.simulation.signal import Sequence

LesionKind = Literal[
    "ring", "solid", "metastases", "meningioma", "cavity", "non-enhancing", "white-matter"
]
LESION_KINDS: tuple[LesionKind, ...] = get_args(LesionKind)


@dataclass(frozen=True)
class VesselParameters:
    """Tubes through the subarachnoid space; radii in mm grow with the vessels they drain.

    `deep_veins` run along the walls of the ventricles; `pial_fraction` is the mean share of a voxel
    on the brain's surface that veins too thin to be drawn one by one take up.
    """

    seed: int
    veins: int
    deep_veins: int
    arteries: int
    twig_radius_mm: float
    largest_radius_mm: float
    pial_fraction: float


@dataclass(frozen=True)
class LesionParameters:
    """A lesion, or a group of equal ones; lengths in mm.

    Attributes
    ----------
    kind : what it is made of and where it sits (`lesions`).
    position : in 0..1, picks among the places where a lesion of this kind can be.
    count : number of foci of which `radii_mm` are the mean half axes.
    rim_mm : thickness of the enhancing wall of a ring or a cavity.
    patchiness : share of a solid or walled part that does not take up agent; the rest does so
        unevenly.
    push : mass effect: share of the lesion's volume by which it moves the tissue around it.
    """

    kind: LesionKind
    position: float
    radii_mm: tuple[float, float, float]
    rim_mm: float
    oedema_mm: float
    irregularity: float
    seed: int
    count: int = 1
    patchiness: float = 0.0
    push: float = 0.0


@dataclass(frozen=True)
class HeadParameters:
    """What belongs to a person: tissue, uptake of agent, vessels, meninges, lesions.

    The mappings go from tissue names to numbers: factors on T1, on T2 and T2*, on proton density,
    and the concentration of agent relative to plasma.
    """

    field_strength_t: float
    t1_factor: Mapping[str, float]
    t2_factor: Mapping[str, float]
    proton_density_factor: Mapping[str, float]
    uptake: Mapping[str, float]
    agent: ContrastAgent
    vessels: VesselParameters
    lesions: tuple[LesionParameters, ...]
    dura_mm: float
    subcutaneous_fat_mm: float
    texture: float
    texture_seed: int


@dataclass(frozen=True)
class Motion:
    """The head moves during a scan: some lines of k-space see it at another place.

    `first_line` and `last_line` are shares 0..1 of the phase encoding steps between which the head
    is displaced by `shift_mm` and turned by `rotation_deg`.
    """

    phase_axis: int
    first_line: float
    last_line: float
    shift_mm: tuple[float, float, float]
    rotation_deg: tuple[float, float, float]


@dataclass(frozen=True)
class Ghosting:
    """Every `period`-th line of k-space along an axis is weaker: faint displaced copies."""

    phase_axis: int
    period: int
    intensity: float


@dataclass(frozen=True)
class BrainMask:
    """An uneven skull-strip: margin around the brain in mm, spread and seed of its error."""

    margin_mm: float
    roughness_mm: float
    seed: int


@dataclass(frozen=True)
class AcquisitionParameters:
    """What belongs to one image: voxels, place of the head, sensitivity, noise and artefacts.

    `bias` holds coefficients of a second-order polynomial of the logarithm of the sensitivity;
    `coverage_mm` is the extent from the top of the head downwards; `blur_mm` the full width of the
    point spread at half maximum; `signal_to_noise` that of white matter without agent, before gain;
    `shift_mm` and `turn_deg` displace the head from where it is in the first image of the session.
    """

    voxel_mm: tuple[float, float, float]
    axis_codes: str
    rotation_deg: tuple[float, float, float]
    coverage_mm: float
    gain: float
    bias: tuple[float, ...]
    signal_to_noise: float
    blur_mm: float = 1.0
    inflow: float = 0.0
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    motion: Motion | None = None
    ghosting: Ghosting | None = None
    brain_mask: BrainMask | None = None
    defaced: bool = False


@dataclass(frozen=True)
class Geometry:
    """What a protocol fixes: voxel size in mm, storage order, obliquity and coverage."""

    voxel_mm: tuple[float, float, float]
    axis_codes: str = "RAS"
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    coverage_mm: float = 250.0


@dataclass(frozen=True)
class Scan:
    """One image to take: the sequence, the dose in the body, and how it is acquired."""

    sequence: Sequence
    dose_mmol_per_kg: float
    acquisition: AcquisitionParameters
