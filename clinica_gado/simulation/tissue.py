"""Relaxation times and proton density of each tissue at 1.5 and 3 T, and how much agent it takes.

Sources, by the key used in the table:

* W08: Wright 2008, MAGMA 21:121 (T1 of brain, MPRAGE).
* S05: Stanisz 2005, Magn Reson Med 54:507 (T1 and T2 of white and grey matter, blood, muscle,
  optic nerve, spinal cord).
* B04: de Bazelaire 2004, Radiology 230:652 (fat, bone marrow).
* P07: Peters 2007, Magn Reson Imaging 25:748 (T2* of brain).
* R07: Rooney 2007, Magn Reson Med 57:308 (CSF).
* here: no measurement known to us; set between its neighbours so that the order of intensities
  on T1w images is right. T2* without P07 and proton densities are of this kind throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinica_gado.simulation.labels import Tissue

FIELD_STRENGTHS_T = (1.5, 3.0)


@dataclass(frozen=True)
class TissueProperties:
    """Times in ms at (1.5 T, 3 T), proton density relative to water, uptake and source.

    `uptake` is the agent's concentration in the tissue over that in plasma some minutes after
    injection, as it acts on the signal: the plasma fraction for blood; blood volume times plasma
    fraction times one half for brain (the barrier slows the exchange of water); roughly the
    extracellular fraction for tissue without a blood-brain barrier.
    """

    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    t2_star_ms: tuple[float, float]
    proton_density: float
    uptake: float
    source: str

    def at(self, field_strength_t: float) -> tuple[float, float, float]:
        """Return T1, T2 and T2* in ms at 1.5 or 3 T."""
        index = FIELD_STRENGTHS_T.index(field_strength_t)
        return self.t1_ms[index], self.t2_ms[index], self.t2_star_ms[index]


_P = TissueProperties
TISSUES: dict[Tissue, TissueProperties] = {
    Tissue.AIR: _P((1e3, 1e3), (1.0, 1.0), (1.0, 1.0), 0.0, 0.0, "no signal"),
    Tissue.GREY: _P((1197, 1607), (95, 99), (84, 66), 0.83, 0.013, "W08 S05 P07"),
    Tissue.WHITE: _P((646, 838), (72, 69), (66, 53), 0.71, 0.006, "W08 S05 P07"),
    Tissue.CSF: _P((4070, 4300), (1800, 1800), (500, 400), 1.0, 0.0, "R07 here"),
    Tissue.CEREBELLAR_GREY: _P((1150, 1500), (95, 99), (80, 62), 0.82, 0.014, "here"),
    Tissue.CEREBELLAR_WHITE: _P((720, 930), (74, 70), (66, 53), 0.73, 0.007, "here"),
    Tissue.THALAMUS: _P((850, 1100), (80, 75), (62, 48), 0.77, 0.011, "here"),
    Tissue.CAUDATE: _P((1109, 1395), (85, 80), (59, 41), 0.82, 0.013, "W08 P07"),
    Tissue.PUTAMEN: _P((1084, 1332), (78, 72), (56, 32), 0.81, 0.012, "W08 P07"),
    Tissue.PALLIDUM: _P((760, 960), (66, 58), (42, 25), 0.74, 0.010, "here"),
    Tissue.BRAINSTEM: _P((770, 990), (78, 73), (62, 48), 0.74, 0.007, "here"),
    Tissue.WHITE_LESION: _P((950, 1220), (120, 115), (90, 80), 0.80, 0.006, "here"),
    Tissue.BLOOD: _P((1441, 1932), (290, 275), (100, 50), 0.85, 0.58, "S05 here"),
    Tissue.DURA: _P((950, 1250), (45, 42), (12, 9), 0.55, 0.45, "here"),
    Tissue.CHOROID_PLEXUS: _P((1600, 2000), (150, 145), (80, 60), 0.90, 0.50, "here"),
    Tissue.PITUITARY: _P((1000, 1300), (85, 80), (40, 30), 0.82, 0.50, "here"),
    Tissue.MUCOSA: _P((1150, 1450), (90, 85), (15, 10), 0.85, 0.40, "here"),
    Tissue.MUSCLE: _P((1008, 1412), (44, 50), (30, 28), 0.80, 0.10, "S05 here"),
    Tissue.OCULAR_MUSCLE: _P((1008, 1412), (44, 50), (25, 22), 0.80, 0.35, "S05 here"),
    Tissue.FAT: _P((343, 382), (58, 68), (30, 28), 0.90, 0.02, "B04 here"),
    Tissue.SKIN: _P((800, 950), (40, 38), (12, 9), 0.70, 0.15, "here"),
    Tissue.CORTICAL_BONE: _P((250, 300), (0.5, 0.5), (0.4, 0.4), 0.20, 0.0, "here"),
    Tissue.MARROW: _P((549, 586), (49, 49), (8, 5), 0.70, 0.08, "B04 here"),
    Tissue.VITREOUS: _P((3900, 4200), (1500, 1500), (400, 300), 0.98, 0.0, "here"),
    Tissue.OPTIC_NERVE: _P((815, 1083), (77, 78), (55, 45), 0.73, 0.006, "S05 here"),
    Tissue.SPINAL_CORD: _P((745, 993), (74, 78), (55, 45), 0.73, 0.006, "S05 here"),
    Tissue.LESION_RIM: _P((1300, 1600), (110, 105), (70, 55), 0.86, 0.50, "here"),
    Tissue.NECROSIS: _P((2400, 2800), (400, 380), (150, 120), 0.95, 0.02, "here"),
    Tissue.OEDEMA: _P((1150, 1500), (150, 145), (100, 85), 0.85, 0.008, "here"),
}
