"""Pairs for training: reproducible patches that differ by the agent alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from clinica_gado.simulation.stream import PairStream, StreamSettings

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
