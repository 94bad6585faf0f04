"""Pairs for training: reproducible patches that differ by the agent alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clinica_gado.simulation.parameters import Motion
from clinica_gado.simulation.stream import (
    PairStream,
    PatchDraw,
    StreamSettings,
    draw_patch,
    make_anatomy,
    render_patch,
)

SETTINGS = StreamSettings(patch_size=16, heads=1, patches_per_head=100)


@pytest.fixture(scope="module")
def stream(phantom_file: Path) -> PairStream:
    return PairStream([phantom_file], SETTINGS, seed=4)


def test_a_patch_depends_on_its_number_alone(stream: PairStream, phantom_file: Path) -> None:
    stream.patch(0)
    again = PairStream([phantom_file], SETTINGS, seed=4)
    assert torch.equal(stream.patch(3).source, again.patch(3).source)
    assert not torch.equal(stream.patch(3).source, stream.patch(4).source)


def test_a_batch_has_the_shape_of_a_network_s_input(stream: PairStream) -> None:
    source, target, mask = stream.batch(0, 3)
    assert source.shape == target.shape == mask.shape == (3, 1, 16, 16, 16)
    assert source.dtype == torch.float32


def test_the_agent_brightens_some_of_a_patch_and_darkens_nearly_nothing(
    stream: PairStream,
) -> None:
    source, target, mask = stream.batch(0, 8)
    change = (source - target)[mask > 0]
    assert (change > 0.2).any()
    assert (change < -0.1).float().mean() < 0.01


def test_white_matter_is_near_one_without_agent(stream: PairStream) -> None:
    _, target, mask = stream.batch(0, 8)
    assert 0.4 < float(target[mask > 0].median()) < 1.6


def test_without_agent_the_images_of_a_pair_are_the_same(phantom_file: Path) -> None:
    stream = PairStream([phantom_file], replace(SETTINGS, dose_mmol_per_kg=0.0), seed=4)
    for number in range(8):
        patch = stream.patch(number)
        assert torch.equal(patch.source, patch.target)


def test_a_patch_can_have_motion_and_stays_bright_at_its_edges(phantom_file: Path) -> None:
    rng = np.random.default_rng(0)
    anatomy = make_anatomy(phantom_file, rng)
    draw = draw_patch(rng, anatomy, replace(SETTINGS, brain_only_share=0.0, thick_share=0.0))
    motion = Motion(1, 0.6, 0.8, (1.0, 0.5, 0.0), (1.0, 0.0, 2.0))
    still, moved = (
        render_patch(anatomy.head, _with_motion(draw, motion)).target for motion in (None, motion)
    )
    assert not torch.equal(still, moved)
    assert float(moved.mean()) == pytest.approx(float(still.mean()), rel=0.05)


def test_a_patch_larger_than_the_head_is_padded_with_what_does_not_count(
    phantom_file: Path,
) -> None:
    small, large = (
        PairStream([phantom_file], replace(SETTINGS, patch_size=size), seed=4) for size in (32, 48)
    )
    for number in range(4):
        whole, padded = small.patch(number), large.patch(number)
        for inside, volume in zip(vars(whole).values(), vars(padded).values(), strict=True):
            assert volume.shape == (48, 48, 48)
            assert int((volume != 0).sum()) == int((inside != 0).sum())
        assert float(padded.mask.sum()) == float(whole.mask.sum())


def _with_motion(draw: PatchDraw, motion: Motion | None) -> PatchDraw:
    acquisition = replace(draw.scan.acquisition, motion=motion, ghosting=None)
    return replace(draw, scan=replace(draw.scan, acquisition=acquisition))
