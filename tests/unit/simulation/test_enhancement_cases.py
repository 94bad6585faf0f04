"""Simulated cases of several images for training: agent, scale and place of each."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from clinica_gado.inference.inputs import Rules
from clinica_gado.inference.normalisation import PercentileMedian
from clinica_gado.models.card import GRIDS, Grid
from clinica_gado.simulation.labels import BRAIN
from clinica_gado.simulation.sampling import sample_head, sample_lesion
from clinica_gado.training import simulated
from clinica_gado.training.cases import scale_case
from clinica_gado.training.cutting import cut_slab, pad_whole
from clinica_gado.training.heads import place_on_crop_grid
from clinica_gado.training.pairs import ScaledPair, on_network_grid
from clinica_gado.training.simulated import DOSES, simulate_case, simulate_pair

SCALP = 511
INPUTS = ("T1w", "T2w", "FLAIR")
WHOLE, BRAIN_ALONE = 3, 4
"""Seeds of a head that is shown in whole, and of one of which the brain alone is."""


def scaled(phantom_file, inputs, seed=WHOLE):
    """Return a simulated case as a network learns it."""
    rule = PercentileMedian()
    rules = Rules(rule, dict.fromkeys(inputs, rule))
    return scale_case(simulate_case(phantom_file, seed, inputs), rules)


@pytest.fixture(scope="module")
def case(phantom_file):
    return scaled(phantom_file, INPUTS)


def test_pairs_show_whole_heads_and_brains_alone(phantom, phantom_file):
    scalp = phantom.labels == SCALP
    shown = []
    for seed in range(8):
        pair = simulate_pair(phantom_file, seed, PercentileMedian())
        assert (pair.source >= pair.target).all()
        assert (pair.source > pair.target).any()
        shown.append(bool(pair.source[scalp].max() > 0.05))
    assert set(shown) == {True, False}


def test_the_target_is_the_first_input_with_agent(case):
    acquired = case.source[0] > 0.1
    assert (case.target[acquired] > 1.3 * case.source[0][acquired]).any()


def test_tissue_without_agent_is_the_same_in_target_and_t1w(phantom, phantom_file, monkeypatch):
    """The brain takes up agent, so its median moves: on a scale of its own the scalp would too."""

    def uptake_of_brain_alone(*given):
        drawn = sample_head(*given)
        tissues = ("GREY", "WHITE", "THALAMUS")
        uptake = {name: drawn.uptake[name] * (name in tissues) for name in drawn.uptake}
        return replace(drawn, uptake=uptake)

    monkeypatch.setattr(simulated, "sample_head", uptake_of_brain_alone)
    case = scaled(phantom_file, ("T1w",))
    t1w, scalp = case.source[0], phantom.labels == SCALP
    assert t1w[scalp].max() > 0.1
    # The blur reaches a few voxels of brain from here, at their corners.
    np.testing.assert_allclose(case.target[scalp], t1w[scalp], rtol=1e-5)
    brain = phantom.mask(BRAIN)
    assert 1.002 < case.target[brain].mean() / t1w[brain].mean() < 1.2


def test_the_target_does_not_depend_on_the_other_images_given(case, phantom_file):
    alone = scaled(phantom_file, ("T1w",))
    np.testing.assert_array_equal(alone.target, case.target)


def test_inputs_are_different_images_and_a_seed_gives_the_same(case, phantom_file):
    again = scaled(phantom_file, INPUTS)
    np.testing.assert_array_equal(again.stack(), case.stack())
    assert len({image.tobytes() for image in case.source}) == len(INPUTS)


def test_a_low_dose_shows_a_part_of_the_enhancement(phantom_file):
    (name,) = DOSES
    drawn = simulate_case(phantom_file, WHOLE, ("T1w", name))
    plain, low = drawn.images["T1w"], drawn.images[name]
    enhancing = drawn.wanted > 1.3 * plain
    share = (low - plain)[enhancing].mean() / (drawn.wanted - plain)[enhancing].mean()
    assert 0.1 < share < 0.9


def test_an_enhancing_lesion_is_labelled_where_the_agent_shows_it(phantom_file, monkeypatch):
    monkeypatch.setattr(simulated, "sample_lesion", partial(sample_lesion, kind="solid"))
    drawn = simulate_case(phantom_file, WHOLE, ("T1w",))
    assert drawn.lesion.any()
    before, after = (i[drawn.lesion] for i in (drawn.images["T1w"], drawn.wanted))
    assert np.median(after / before) > 1.3


def test_some_heads_are_shown_without_all_but_their_brain(phantom, phantom_file):
    scalp = phantom.labels == SCALP
    whole, alone = (simulate_case(phantom_file, seed, INPUTS) for seed in (WHOLE, BRAIN_ALONE))
    assert whole.images["T1w"][scalp].any()
    for image in (*alone.images.values(), alone.wanted):
        assert not image[scalp].any()
        assert image[alone.brain].all()


def test_channels_keep_their_places_on_every_way_to_the_network():
    images = np.stack([np.full((12, 12, 12), value, dtype=np.float32) for value in (1, 2)])
    pair = ScaledPair(images, images[0] + 2, np.ones((12, 12, 12), dtype=bool))
    placed = place_on_crop_grid(pair)
    assert placed.source.shape == (2, *GRIDS["mni-1mm"])
    moved = on_network_grid(placed, Grid("mni-160x192x160", GRIDS["mni-160x192x160"]))
    for given in (placed, moved):
        assert [image.max() for image in given.stack()] == pytest.approx([1, 2, 3, 1])
    padded = pad_whole(cut_slab(pair, 3, 6), (8, 8, 1))
    assert padded.shape == (4, 16, 16, 3)
    np.testing.assert_array_equal(padded[:, 8, 8, 1], [1, 2, 3, 1])


def test_another_image_can_be_wanted_instead_on_a_scale_of_its_own(phantom_file):
    given = simulate_case(phantom_file, WHOLE, ("T1w", "ADC"))
    wanted = simulate_case(phantom_file, WHOLE, ("T1w",), "ADC")
    np.testing.assert_array_equal(wanted.wanted, given.images["ADC"])
    assert not wanted.same_scale
