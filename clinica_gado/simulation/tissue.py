"""Relaxation times, proton density and diffusion of each tissue, and how much agent it takes.

Sources, by the key used in the table. Looked up (abstract or table read while this was written):

* W08: Wright 2008, MAGMA 21:121. T1 by MPRAGE at 1.5 and 3 T: white 646 and 838, grey 1197 and
  1607, caudate 1109 and 1395, putamen 1084 and 1332 ms.
* S05: Stanisz 2005, Magn Reson Med 54:507. At 3 T: T2 of grey matter 99 and white matter 69 ms, T1
  and T2 of muscle 1412 and 50 ms. Its 1.5 T column, blood, optic nerve and cord: from memory.
* B04: de Bazelaire 2004, Radiology 230:652. At 3 T, T1 and T2: subcutaneous fat 382 and 68, marrow
  586 and 49 ms. At 1.5 T: from memory.
* L12: Qin 2011, Magn Reson Med 65:1297: T1 of blood in the jugular vein at 3 T, 1852 ms; Li 2017
  (PMC5250597): in the carotid artery, 1841 ms.
* BW: BrainWeb, tissue_mr_parameters.txt, 1.5 T: PD of grey .86 and white .77 (CSF 1), T2* of muscle
  30 ms, MS lesion T1 752, T2 237 ms.
* H02: Helenius 2002, AJNR 23:194: ADC of cortex .89, deep grey .75, white .70 µm²/ms.
* T08: Toh 2008, AJNR 29:471: ADC of enhancing glioblastoma .96. R: the article on ADC of
  radiopaedia.org: CSF 3.0 to 3.4, astrocytoma of grade II 1.27 µm²/ms.
* M20: Müller 2020, NMR Biomed 33:e4242 (abstract): agent shortens T1 by 838 ms in enhancing
  glioblastoma, 123 ms in its oedema, 32 ms in normal tissue at 3 T: gives the uptake of oedema, and
  of tumour a mean near .3; here .55 in the parts that take up all they can, less in the others.
* V17: PMC5801598: blood volume of grey matter 5.0, of white matter 1.8 mL/100 g.

From memory, not looked up: P07 (Peters 2007, Magn Reson Imaging 25:748, T2* of brain), R07 (Rooney
2007, Magn Reson Med 57:308, CSF). "here": no measurement known to us; set between its neighbours
so that the order of intensities is that of real images. T2* without P07 or BW, proton densities
other than grey, white and CSF, ADC outside the brain and uptakes without M20 or V17 are of this
kind throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinica_gado.simulation.labels import Tissue

FIELD_STRENGTHS_T = (1.5, 3.0)


@dataclass(frozen=True)
class TissueProperties:
    """Times in ms at (1.5 T, 3 T), proton density relative to water, ADC, uptake and source.

    `adc` is in µm²/ms (10⁻³ mm²/s) and does not depend on the field. `uptake` is the agent's
    concentration in the tissue over that in plasma some minutes after injection, as it acts on the
    signal: the plasma fraction for blood; blood volume times plasma fraction times two fifths for
    brain (the barrier slows the exchange of water); roughly the extracellular fraction for tissue
    without a blood-brain barrier.
    """

    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    t2_star_ms: tuple[float, float]
    proton_density: float
    adc: float
    uptake: float
    source: str

    def at(self, field_strength_t: float) -> tuple[float, float, float]:
        """Return T1, T2 and T2* in ms at 1.5 or 3 T."""
        index = FIELD_STRENGTHS_T.index(field_strength_t)
        return self.t1_ms[index], self.t2_ms[index], self.t2_star_ms[index]


_P = TissueProperties
_T = Tissue
TISSUES: dict[Tissue, TissueProperties] = {
    _T.AIR: _P((1e3, 1e3), (1.0, 1.0), (1.0, 1.0), 0.0, 0.0, 0.0, "no signal"),
    _T.GREY: _P((1197, 1607), (95, 99), (84, 66), 0.86, 0.89, 0.0115, "W08 S05 P07 BW H02 V17"),
    _T.WHITE: _P((646, 838), (72, 69), (66, 53), 0.77, 0.70, 0.0055, "W08 S05 P07 BW H02 V17"),
    _T.CSF: _P((4070, 4300), (1800, 1800), (500, 400), 1.0, 3.1, 0.0, "R07 R here"),
    _T.CEREBELLAR_GREY: _P((1150, 1500), (95, 99), (80, 62), 0.85, 0.80, 0.012, "here"),
    _T.CEREBELLAR_WHITE: _P((720, 930), (74, 70), (66, 53), 0.78, 0.68, 0.0065, "here"),
    _T.THALAMUS: _P((850, 1100), (80, 75), (62, 48), 0.81, 0.75, 0.009, "H02 here"),
    _T.CAUDATE: _P((1109, 1395), (85, 80), (59, 41), 0.85, 0.75, 0.0105, "W08 P07 H02"),
    _T.PUTAMEN: _P((1084, 1332), (78, 72), (56, 32), 0.84, 0.75, 0.010, "W08 P07 H02"),
    _T.PALLIDUM: _P((760, 960), (66, 58), (42, 25), 0.78, 0.75, 0.008, "H02 here"),
    _T.BRAINSTEM: _P((770, 990), (78, 73), (62, 48), 0.79, 0.75, 0.0065, "here"),
    _T.WHITE_LESION: _P((950, 1220), (150, 145), (110, 95), 0.83, 1.1, 0.0055, "here"),
    _T.BLOOD: _P((1441, 1850), (150, 60), (70, 25), 0.85, 1.6, 0.58, "S05 L12 here"),
    _T.DURA: _P((950, 1250), (45, 42), (20, 15), 0.60, 0.8, 0.50, "here"),
    _T.CHOROID_PLEXUS: _P((1600, 2000), (150, 145), (80, 60), 0.90, 1.6, 0.40, "here"),
    _T.PITUITARY: _P((1000, 1300), (85, 80), (40, 30), 0.84, 0.9, 0.45, "here"),
    _T.MUCOSA: _P((1150, 1450), (90, 85), (15, 10), 0.85, 1.3, 0.40, "here"),
    _T.MUSCLE: _P((1008, 1412), (44, 50), (30, 28), 0.80, 1.3, 0.10, "S05 BW here"),
    _T.OCULAR_MUSCLE: _P((1008, 1412), (44, 50), (25, 22), 0.80, 1.3, 0.35, "S05 here"),
    _T.FAT: _P((343, 382), (58, 68), (30, 28), 0.90, 0.1, 0.02, "B04 here"),
    _T.SKIN: _P((800, 950), (40, 38), (12, 9), 0.70, 0.9, 0.15, "here"),
    _T.CORTICAL_BONE: _P((250, 300), (0.5, 0.5), (0.4, 0.4), 0.20, 0.1, 0.0, "here"),
    _T.MARROW: _P((549, 586), (49, 49), (8, 5), 0.70, 0.3, 0.08, "B04 here"),
    _T.VITREOUS: _P((3900, 4200), (1500, 1500), (400, 300), 0.98, 2.8, 0.0, "here"),
    _T.OPTIC_NERVE: _P((815, 1083), (77, 78), (55, 45), 0.77, 1.0, 0.0055, "S05 here"),
    _T.SPINAL_CORD: _P((745, 993), (74, 78), (55, 45), 0.77, 0.8, 0.0055, "S05 here"),
    _T.ENHANCING_TUMOUR: _P((1250, 1600), (110, 105), (70, 55), 0.88, 0.96, 0.55, "T08 M20 here"),
    _T.NECROSIS: _P((2400, 2800), (400, 380), (150, 120), 0.95, 2.0, 0.02, "here"),
    _T.OEDEMA: _P((1150, 1500), (150, 145), (100, 85), 0.87, 1.4, 0.016, "M20 here"),
    _T.ARTERIAL_BLOOD: _P((1441, 1850), (290, 275), (100, 50), 0.85, 1.6, 0.58, "S05 L12 here"),
    _T.DIFFUSE_TUMOUR: _P((1300, 1650), (160, 155), (110, 90), 0.89, 1.27, 0.008, "R here"),
    _T.MENINGIOMA: _P((1050, 1350), (85, 80), (55, 42), 0.84, 0.85, 0.42, "here"),
    _T.METASTASIS: _P((1150, 1450), (95, 90), (60, 48), 0.86, 0.90, 0.40, "here"),
    _T.CAVITY: _P((3200, 3500), (900, 850), (250, 200), 0.98, 2.7, 0.0, "here"),
}
