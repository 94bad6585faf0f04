"""Lesions: where they sit, what they are made of, how they push."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clinica_gado.simulation.labels import BONE, CEREBRUM, SUBARACHNOID, LabelMap, Tissue
from clinica_gado.simulation.layers import FULL
from clinica_gado.simulation.lesions import lesion_layers, place, push_aside
from clinica_gado.simulation.parameters import LESION_KINDS, LesionKind, LesionParameters
from clinica_gado.simulation.sampling import sample_lesion

MADE_OF: dict[LesionKind, set[Tissue]] = {
    "ring": {Tissue.DIFFUSE_TUMOUR, Tissue.ENHANCING_TUMOUR, Tissue.NECROSIS},
    "solid": {Tissue.DIFFUSE_TUMOUR, Tissue.ENHANCING_TUMOUR},
    "metastases": {Tissue.METASTASIS},
    "meningioma": {Tissue.MENINGIOMA},
    "cavity": {Tissue.ENHANCING_TUMOUR, Tissue.CAVITY},
    "non-enhancing": {Tissue.DIFFUSE_TUMOUR},
    "white-matter": {Tissue.WHITE_LESION},
}


def _lesion(kind: LesionKind, **changes: object) -> LesionParameters:
    drawn = sample_lesion(np.random.default_rng(2), kind)
    small = tuple(min(radius, 4.0) for radius in drawn.radii_mm)
    return replace(drawn, **{"radii_mm": small, "rim_mm": 1.5, **changes})


@pytest.mark.parametrize("kind", LESION_KINDS)
def test_each_kind_is_made_of_its_tissues(phantom: LabelMap, kind: LesionKind) -> None:
    lesion = _lesion(kind, oedema_mm=0.0)
    layers = lesion_layers(phantom, (lesion,), [place(phantom, lesion)])
    assert {layer.tissue for layer in layers if layer.fraction.any()} == MADE_OF[kind]


def test_small_metastases_are_under_five_millimetres(phantom: LabelMap) -> None:
    for seed in range(20):
        lesion = sample_lesion(np.random.default_rng(seed), "metastases")
        assert 2 * max(lesion.radii_mm) < 5
        assert len(place(phantom, lesion)) == lesion.count >= 2


def test_a_meningioma_sits_at_the_skull(phantom: LabelMap) -> None:
    x, y, z = place(phantom, _lesion("meningioma"))[0]
    around = phantom.labels[x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2]
    assert phantom.labels[x, y, z] in SUBARACHNOID
    assert np.isin(around, BONE).any()


def test_no_push_leaves_the_labels(phantom: LabelMap) -> None:
    assert push_aside(phantom, _lesion("ring", push=0.0), [(16, 16, 16)]) is phantom


def test_mass_effect_moves_the_brain_and_not_the_skull(phantom: LabelMap) -> None:
    lesion = _lesion("ring", push=0.6, radii_mm=(4.0, 4.0, 4.0))
    pushed = push_aside(phantom, lesion, [(9, 16, 16)])
    changed = pushed.labels != phantom.labels
    assert changed.any()
    assert np.isin(phantom.labels[changed], (*CEREBRUM, 24, 4, 10)).all()
    np.testing.assert_array_equal(pushed.mask(BONE), phantom.mask(BONE))


def test_mass_effect_pushes_outwards(phantom: LabelMap) -> None:
    lesion = _lesion("solid", push=0.6, radii_mm=(3.0, 3.0, 3.0))
    centre = np.array([9, 16, 16])
    pushed = push_aside(phantom, lesion, [(9, 16, 16)])

    def thalamus_distance(labels: LabelMap) -> float:
        return float(np.linalg.norm(np.argwhere(labels.mask((10,))) - centre, axis=1).min())

    assert thalamus_distance(pushed) >= thalamus_distance(phantom)


def test_patchiness_lowers_the_enhancing_share(phantom: LabelMap) -> None:
    shares = []
    for patchiness in (0.0, 0.6):
        lesion = _lesion("solid", patchiness=patchiness, oedema_mm=0.0)
        layers = lesion_layers(phantom, (lesion,), [place(phantom, lesion)])
        total = {layer.tissue: float(layer.fraction.sum()) for layer in layers}
        shares.append(total[Tissue.ENHANCING_TUMOUR] / total[Tissue.DIFFUSE_TUMOUR])
    assert shares[0] == pytest.approx(1.0)
    assert 0.02 < shares[1] < 0.6


def test_a_tumour_takes_up_agent_unevenly(phantom: LabelMap) -> None:
    lesion = _lesion("solid", patchiness=0.2, oedema_mm=0.0, radii_mm=(7.0, 7.0, 7.0))
    layers = lesion_layers(phantom, (lesion,), [[(9, 16, 16)]])
    part = {layer.tissue: layer.fraction.numpy() / FULL for layer in layers}
    body = part[Tissue.DIFFUSE_TUMOUR] == 1.0
    low, middle, high = np.quantile(part[Tissue.ENHANCING_TUMOUR][body], (0.1, 0.5, 0.95))
    assert low < 0.2 < middle < 0.85 < high
