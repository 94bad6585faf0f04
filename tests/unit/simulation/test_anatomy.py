"""Structures that take up contrast agent, and what a dose does to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from clinica_gado.simulation.anatomy import build_head, meninges_fraction
from clinica_gado.simulation.labels import BONE, SUBARACHNOID, LabelMap, Tissue
from clinica_gado.simulation.layers import FULL, Head, Layer, tissue_share
from clinica_gado.simulation.parameters import HeadParameters
from clinica_gado.simulation.rendering import (
    render_concentration,
    render_signal,
    tissue_concentration,
    tissue_signal,
)
from clinica_gado.simulation.sampling import sample_head, sample_vessels
from clinica_gado.simulation.signal import SpinEcho, SpoiledGradientEcho
from clinica_gado.simulation.vessels import vessel_fractions

SPGR = SpoiledGradientEcho(25.0, 4.6, 30.0)


@pytest.fixture(scope="module")
def head(phantom: LabelMap, parameters: HeadParameters) -> Head:
    return build_head(phantom, parameters)


def test_layers_are_fractions_of_a_voxel(head: Head) -> None:
    assert head.layers
    for layer in head.layers:
        assert layer.fraction.shape == head.tissue.shape
        assert layer.fraction.dtype == torch.uint8
        assert layer.fraction.max() <= FULL


def test_each_enhancing_structure_is_there(head: Head) -> None:
    present = {layer.tissue for layer in head.layers if layer.fraction.any()}
    assert {Tissue.DURA, Tissue.CHOROID_PLEXUS, Tissue.BLOOD, Tissue.ARTERIAL_BLOOD} <= present
    assert {Tissue.ENHANCING_TUMOUR, Tissue.NECROSIS} <= present


def test_vessels_and_meninges_leave_the_rest_of_a_voxel_to_the_tissue(head: Head) -> None:
    dura = next(layer for layer in head.layers if layer.tissue == Tissue.DURA)
    alone = replace(head, layers=(dura, full_layer(head, Tissue.OEDEMA)))
    expected = 1 - dura.fraction.float() / FULL
    torch.testing.assert_close(tissue_share(alone), expected)
    both = tissue_share(replace(head, layers=(dura, dura)))
    torch.testing.assert_close(both, expected**2)


def full_layer(head: Head, tissue: Tissue) -> Layer:
    """Return a layer that fills every voxel."""
    return Layer(tissue, torch.full_like(head.tissue, FULL))


def test_a_crop_is_the_part_of_the_head(head: Head, parameters: HeadParameters) -> None:
    box = (slice(4, 20), slice(6, 22), slice(8, 24))
    part = head.crop(box)
    whole = render_signal(head, parameters, SPGR, 0.1)
    assert torch.equal(render_signal(part, parameters, SPGR, 0.1), whole[box])
    np.testing.assert_allclose(part.affine @ [0, 0, 0, 1], head.affine @ [4, 6, 8, 1])


def test_dura_lies_in_the_csf_next_to_bone_or_between_the_hemispheres(phantom: LabelMap) -> None:
    dura = meninges_fraction(phantom, 0.5)
    assert not dura[~phantom.mask(SUBARACHNOID)].any()
    assert not dura[phantom.mask(BONE)].any()
    assert dura.any()


def test_same_seed_gives_the_same_vessels(phantom: LabelMap, parameters: HeadParameters) -> None:
    first, second = (vessel_fractions(phantom, parameters.vessels) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_deep_veins_run_along_the_walls_of_the_ventricles_to_a_sinus() -> None:
    labels = np.full((24, 24, 24), 2, dtype=np.int16)
    labels[6:18, 6:18, 4:14] = 4
    labels[11:13, 11:13, 14:22] = 24
    labels[11:13, 11:13, 22] = 514
    head = LabelMap(labels, np.eye(4))
    drawn = replace(sample_vessels(np.random.default_rng(0)), pial_fraction=0.0, arteries=0)
    veins, _ = vessel_fractions(head, replace(drawn, deep_veins=40))
    assert veins[12, 12, 18] > 0.5
    assert veins[6, 6:18, 4:14].any()
    assert not veins[10:14, 10:14, 8:10].any()


def test_no_vein_is_drawn_where_no_way_leads_to_a_sinus(phantom: LabelMap) -> None:
    drawn = sample_vessels(np.random.default_rng(0))
    veins, _ = vessel_fractions(phantom, drawn)
    assert not veins[phantom.mask((4,))].any()


def test_inflow_is_bright_in_a_gradient_echo_and_dark_in_a_spin_echo(
    parameters: HeadParameters,
) -> None:
    artery, vein = Tissue.ARTERIAL_BLOOD, Tissue.BLOOD
    for sequence, sign in ((SPGR, 1), (SpinEcho(500.0, 12.0), -1)):
        still, flowing = (tissue_signal(parameters, sequence, 0.0, f) for f in (0.0, 0.5))
        assert sign * (flowing[artery] - still[artery]) > 0
        assert sign * (flowing[vein] - still[vein]) > 0


def test_no_dose_gives_no_concentration(head: Head, parameters: HeadParameters) -> None:
    assert not render_concentration(head, parameters, 0.0).any()


def test_concentration_is_proportional_to_the_dose(head: Head, parameters: HeadParameters) -> None:
    low, full = (render_concentration(head, parameters, dose) for dose in (0.025, 0.1))
    torch.testing.assert_close(4 * low, full, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_blood_holds_between_a_quarter_and_one_millimolar(seed: int) -> None:
    drawn = sample_head(np.random.default_rng(seed), 3.0)
    blood = tissue_concentration(drawn, 0.1)[Tissue.BLOOD]
    assert 0.2 < blood < 1.0


@pytest.mark.parametrize("field_t", [1.5, 3.0])
def test_order_of_intensities_without_agent_is_that_of_t1w(
    parameters: HeadParameters, field_t: float
) -> None:
    at_field = HeadParameters(**{**vars(parameters), "field_strength_t": field_t})
    signal = tissue_signal(at_field, SPGR, 0.0)
    order = [Tissue.CORTICAL_BONE, Tissue.CSF, Tissue.GREY, Tissue.WHITE, Tissue.FAT]
    assert sorted(order, key=lambda tissue: signal[tissue]) == order


def test_agent_brightens_blood_most_and_brain_by_a_few_per_cent(
    parameters: HeadParameters,
) -> None:
    plain, enhanced = (tissue_signal(parameters, SPGR, dose) for dose in (0.0, 0.1))
    ratio = enhanced[1:] / plain[1:]
    assert ratio[Tissue.BLOOD - 1] > 1.8
    assert 1.02 < ratio[Tissue.GREY - 1] < 1.08
    assert 1.0 < ratio[Tissue.WHITE - 1] < 1.03
    assert ratio[Tissue.CSF - 1] == pytest.approx(1.0)


def test_signal_never_falls_with_a_clinical_dose(head: Head, parameters: HeadParameters) -> None:
    plain, enhanced = (render_signal(head, parameters, SPGR, dose) for dose in (0.0, 0.1))
    assert (enhanced >= plain - 1e-3 * plain.max()).all()
