"""The residual U-Net of Bône et al.: sizes, range, and what each voxel depends on."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from clinica_gado.models.strided_residual_unet import StridedResidualUNet, bone_2021


def conv(before: int, after: int, voxels: int) -> int:
    return before * after * voxels + after


def block(before: int, after: int) -> int:
    shortcut = conv(before, after, 1) if before != after else 0
    return conv(before, after, 27) + conv(after, after, 27) + shortcut


@pytest.mark.parametrize("width", [8, 16, 32])
@pytest.mark.parametrize("n_images", [1, 4])
def test_number_of_parameters_is_that_of_the_layers_described(width, n_images) -> None:
    widths = [width * 2**level for level in range(5)]
    expected = block(n_images, width) + conv(width, 1, 1)
    for here, below in pairwise(widths):
        expected += conv(here, below, 8) + block(below, below)
        expected += conv(below, here, 8) + block(2 * here, here)
    with torch.device("meta"):
        network = bone_2021(in_channels=n_images, width=width)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_published_widths_have_so_many_parameters() -> None:
    with torch.device("meta"):
        networks = [bone_2021(width=width) for width in (8, 16, 32)]
    counts = [sum(p.numel() for p in network.parameters()) for network in networks]
    assert [round(count / 1e6, 1) for count in counts] == [1.8, 7.2, 28.8]


def test_the_papers_grid_can_be_halved_four_times() -> None:
    with torch.device("meta"):
        network = bone_2021()
        assert network(torch.rand(1, 4, 160, 192, 160)).shape == (1, 1, 160, 192, 160)
    assert network.multiple == (16, 16, 16)
    assert network.slices is None


def test_an_image_is_between_zero_and_one() -> None:
    image = StridedResidualUNet(in_channels=2, width=2, levels=2)(100 * torch.randn(1, 2, 8, 8, 8))
    assert 0 <= image.min() < 0.1
    assert 0.9 < image.max() <= 1


def test_every_activation_but_the_last_is_a_leaky_relu_of_a_fifth() -> None:
    network = StridedResidualUNet(in_channels=2, width=2, levels=2)
    acts = [module for module in network.modules() if isinstance(module, nn.LeakyReLU)]
    assert {act.negative_slope for act in acts} == {0.2}
    assert not any(isinstance(module, nn.BatchNorm3d | nn.ReLU) for module in network.modules())


def test_a_voxel_depends_on_the_voxels_within_its_receptive_field() -> None:
    network = StridedResidualUNet(in_channels=1, width=2, levels=2).double()
    images = torch.rand(1, 1, 4, 40, 4, dtype=torch.float64, requires_grad=True)
    network(images)[0, 0, 1, 20, 1].backward()
    seen = images.grad[0, 0].abs().amax(dim=(0, 2)).nonzero()[:, 0] - 20
    # Two voxels in the last block, coarse ones from -1 to 1, their block two coarse voxels more,
    # two fine ones under each, and the first block two voxels more.
    assert seen.tolist() == list(range(-8, 10))


def test_a_shortcut_carries_the_input_of_a_block() -> None:
    network = StridedResidualUNet(in_channels=1, width=3, levels=1)
    block = network.decoders[0] if network.decoders else network.stem
    for convolution in (block.first, block.second):
        nn.init.zeros_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    image = torch.rand(1, 1, 4, 4, 4)
    shortcut = block.shortcut(image)
    torch.testing.assert_close(block(image), nn.functional.leaky_relu(shortcut, 0.2))
