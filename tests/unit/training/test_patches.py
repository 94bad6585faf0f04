"""A patch depends on the seed and its number, and on nothing drawn before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from clinica_gado.models.registry import build_network
from clinica_gado.simulation.stream import Patch
from clinica_gado.training.blueprint import blueprint_of
from clinica_gado.training.config import DataConfig, LossConfig, NetworkConfig, TrainingConfig
from clinica_gado.training.cutting import cut_slab
from clinica_gado.training.heads import StreamedPatches, WholeHeads, simulated_patches
from clinica_gado.training.pairs import ScaledPair
from clinica_gado.training.patches import PatchDataset, Turns, as_batch, load_batches

SHAPE = (24, 28, 26)


def pair(level=0.5):
    target = np.full(SHAPE, level, np.float32)
    source = target.copy()
    source[8:14, 8:14, 8:14] += 0.5
    return ScaledPair(source, target, np.ones(SHAPE, dtype=bool))


def config(**changes):
    return DataConfig(**{"patch_size": 16, "augmentation": "none", **changes})


def dataset(real=None, simulated=None, **changes):
    real = [pair()] if real is None else real
    return PatchDataset(real, simulated, config(**changes), multiple=(8, 8, 8), seed=3)


def test_patches_are_the_same_in_any_order():
    forwards = [dataset()[number] for number in range(6)]
    backwards = [dataset()[number] for number in reversed(range(6))]
    for first, second in zip(forwards, reversed(backwards), strict=True):
        assert torch.equal(first, second)


def test_a_share_of_the_patches_is_drawn_around_enhancement():
    always = dataset(enhancing_share=1.0)
    for number in range(4):
        source, target, region = always[number]
        assert source.shape == target.shape == region.shape == (16, 16, 16)
        assert (source > target).any()


def test_enhancement_varies_by_the_factor_asked_for_and_nothing_else_does():
    varied, plain = (
        dataset(enhancing_share=1.0, enhancement_spread=2.0),
        dataset(enhancing_share=1.0, enhancement_spread=1.0),
    )
    factors = []
    for number in range(12):
        before, after = plain[number], varied[number]
        assert torch.equal(before[1:], after[1:])
        excess = (after[0] - after[1])[before[0] > before[1]]
        assert torch.equal(after[0][before[0] <= before[1]], before[0][before[0] <= before[1]])
        assert excess.max() - excess.min() < 1e-6
        factors.append(float(excess.mean()) / 0.5)
    assert 0.5 <= min(factors) < 0.8
    assert 1.25 < max(factors) <= 2.0


def test_pairs_with_a_real_target_keep_their_difference():
    source, target, _ = dataset(target="real", enhancing_share=1.0, enhancement_spread=2.0)[0]
    assert float((source - target).max()) == 0.5


def test_a_share_of_real_patches_shows_images_without_contrast_that_are_to_stay():
    plain = np.full(SHAPE, 0.9, np.float32)
    unenhanced = [ScaledPair(plain, plain, np.ones(SHAPE, dtype=bool))]
    for share, expected in ((0.0, 0), (1.0, 40)):
        made = PatchDataset(
            [pair()],
            None,
            config(real_unenhanced_share=share),
            multiple=(8, 8, 8),
            unenhanced=unenhanced,
            seed=3,
        )
        drawn = [made[number] for number in range(40)]
        stay = [torch.equal(a, b) and float(b.min()) > 0.8 for a, b, _ in drawn]
        assert sum(stay) == expected


def test_every_real_pair_is_seen_once_before_any_is_seen_again():
    levels = [0.1, 0.2, 0.3, 0.4]
    drawn = dataset([pair(level) for level in levels])
    for round_ in range(3):
        seen = [round(float(drawn[4 * round_ + i][1].min()), 3) for i in range(4)]
        assert sorted(seen) == levels


def test_a_whole_image_is_padded_to_what_the_network_takes():
    source, _, region = dataset(patch_size=0)[0]
    assert source.shape == (24, 32, 32)
    assert region.sum() == np.prod(SHAPE)


def test_an_image_smaller_than_the_patch_is_padded_with_what_does_not_count():
    source, _, region = dataset(patch_size=32)[0]
    assert source.shape == (32, 32, 32)
    assert region.sum() == np.prod(SHAPE)


def test_processes_share_the_patches_of_one_process_with_larger_batches():
    alone = list(Turns(first=2, last=5, batch_size=4))
    together = [list(Turns(2, 5, batch_size=2, rank=rank, world=2)) for rank in range(2)]
    assert alone == [first + second for first, second in zip(*together, strict=True)]
    assert len(Turns(first=2, last=5, batch_size=4)) == 3


def test_loaded_batches_are_split_into_source_target_and_region():
    (batch,) = load_batches(dataset(), Turns(0, 1, batch_size=2), workers=0)
    parts = as_batch(batch)
    assert parts.source.shape == parts.target.shape == parts.region.shape == (2, 1, 16, 16, 16)


def test_a_slab_is_whole_in_its_plane_and_has_the_slices_asked_for():
    made = PatchDataset([pair()], None, config(patch_size=0), multiple=(4, 4, 1), slices=3, seed=3)
    slabs = [made[number] for number in range(20)]
    sides = [-(-side // 4) * 4 for side in SHAPE[:2]]
    assert {tuple(slab.shape) for slab in slabs} == {(3, *sides, 3)}
    assert len({slab[0].numpy().tobytes() for slab in slabs}) > 1
    assert torch.equal(slabs[5], made[5])


def test_slabs_of_simulated_heads_are_where_the_head_is():
    def simulate(label_map, seed):
        source = np.zeros((4, 4, 20), np.float32)
        source[..., 8:12] = 1
        return ScaledPair(source, source, np.ones(source.shape, dtype=bool))

    heads = WholeHeads(
        [Path("a")], simulate, (4, 4, 1), TrainingConfig(data=config(patch_size=0)), slices=3
    )
    slabs = [heads.patch(number, np.random.default_rng(number)) for number in range(12)]
    assert {tuple(slab.shape) for slab in slabs} == {(3, 4, 4, 3)}
    assert all(slab[0, ..., 1].max() == 1 for slab in slabs)


@pytest.mark.parametrize(("middle", "first"), [(0, 0), (7, 6), (100, 9)])
def test_a_slab_is_moved_inwards_at_the_ends(middle, first):
    levels = np.broadcast_to(np.arange(12, dtype=np.float32), (4, 4, 12))
    slab = cut_slab(ScaledPair(levels, levels + 1, levels > 0), 3, middle)
    assert slab.source[0, 0].tolist() == [first, first + 1, first + 2]
    assert slab.target.shape == slab.mask.shape == (4, 4, 3)


def test_several_images_come_before_target_and_region():
    stacked = torch.arange(5.0).view(1, 5, 1, 1, 1)
    batch = as_batch(stacked, t1w=1, adds_contrast=True)
    assert batch.source.flatten().tolist() == [0, 1, 2]
    assert (batch.target.item(), batch.region.item()) == (3, 4)
    assert batch.enhancement.item() == 3 - 1


def simulated(asked):
    def simulate(label_map, seed):
        asked.append((label_map.name, seed))
        return pair(level=0.001 * seed)

    data = config(patch_size=0, heads_in_memory=2, draws_per_head=3)
    return WholeHeads([Path("a"), Path("b")], simulate, (8, 8, 8), TrainingConfig(data=data))


def test_heads_are_replaced_one_after_the_other_and_do_not_depend_on_history():
    asked: list[tuple[str, int]] = []
    mixed = dataset([], simulated(asked), patch_size=0)
    drawn = [mixed[number] for number in range(12)]
    assert len(asked) == len(set(asked)) > 3
    assert {name for name, _ in asked} == {"a", "b"}
    anew = dataset([], simulated([]), patch_size=0)
    assert torch.equal(drawn[11], anew[11])


def test_the_share_of_simulated_patches_is_as_asked():
    asked: list[tuple[str, int]] = []
    none = dataset(None, simulated(asked), patch_size=0, simulated_share=0.0)
    assert [none[number].shape for number in range(9)]
    assert asked == []
    half = dataset([pair(9.0)], simulated(asked), patch_size=0, simulated_share=0.5)
    n_real = sum(float(half[number][1].max()) == 9.0 for number in range(100))
    assert 35 <= n_real <= 65


def test_some_simulated_patches_have_no_agent_and_are_to_stay_as_they_are():
    mixed = dataset([], simulated([]), patch_size=0, unenhanced_share=0.3, augmentation="none")
    drawn = [mixed[number] for number in range(100)]
    assert 15 <= sum(torch.equal(source, target) for source, target, _ in drawn) <= 45


def test_streamed_patches_come_on_the_scale_of_the_network():
    class Stream:
        def patch(self, number):
            white = torch.full((8, 8, 8), 1.0)
            return Patch(1.5 * white, white, torch.ones(8, 8, 8))

    source, target, mask = dataset([], StreamedPatches(Stream()), enhancement_spread=1.0)[0]
    assert 0.5 < float(target.mean()) < 0.7
    assert torch.allclose(source, 1.5 * target)
    assert (mask == 1).all()


@pytest.mark.parametrize(
    ("rule", "kind"), [("percentile", StreamedPatches), ("minmax", WholeHeads)]
)
def test_patches_are_streamed_only_on_the_scale_where_their_white_matter_is_known(rule, kind):
    settings = TrainingConfig(network=NetworkConfig(normalisation=rule))
    blueprint = blueprint_of(settings)
    network = build_network(blueprint.architecture, device="meta")
    assert type(simulated_patches([Path("head")], settings, blueprint, network)) is kind


def several():
    images = np.stack([np.full(SHAPE, level, np.float32) for level in (0.5, 0.3, 0.2)])
    target = images[0].copy()
    target[8:14, 8:14, 8:14] += 0.5
    return ScaledPair(images, target, np.ones(SHAPE, dtype=bool))


def test_cubes_of_several_images_are_cut_around_what_the_target_enhances():
    drawn = dataset([several()], target="enhanced", enhancing_share=1.0)
    for number in range(4):
        patch = drawn[number]
        assert patch.shape == (5, 16, 16, 16)
        assert (patch[3] > patch[0]).any()


def test_images_but_the_first_are_left_out_in_the_share_asked_for():
    drawn = dataset([several()], target="enhanced", missing_share=0.3)
    given = np.array([drawn[number].amax(dim=(1, 2, 3)).numpy() > 0 for number in range(200)])
    assert given[:, [0, 3, 4]].all()
    assert 0.2 < 1 - given[:, 1].mean() < 0.4
    assert 0.2 < 1 - given[:, 2].mean() < 0.4
    assert len({tuple(row) for row in given}) == 4


def test_cubes_of_a_simulated_head_are_drawn_in_the_head():
    def simulate(label_map, seed):
        source = np.zeros((1, 40, 40, 40), np.float32)
        source[..., 30:, 30:, 30:] = 1
        return ScaledPair(source, source[0], np.ones((40, 40, 40), dtype=bool))

    data = config(patch_size=8, target="enhanced")
    heads = WholeHeads(
        [Path("a")],
        simulate,
        (8, 8, 8),
        TrainingConfig(
            loss=LossConfig(enhancement_weight=1.0), network=NetworkConfig(inputs="T1w"), data=data
        ),
    )
    patches = [heads.patch(number, np.random.default_rng(number)) for number in range(8)]
    assert {tuple(patch.shape) for patch in patches} == {(3, 8, 8, 8)}
    assert all(patch[0].max() == 1 for patch in patches)
    assert all(patch[2].min() == 1 for patch in patches)
