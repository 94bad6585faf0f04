"""The U-Nets that Chen et al. 2022 compare with."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from clinica_gado.models.unet import UNet, chen_2022_unet_2d, chen_2022_unet_3d


@pytest.mark.parametrize(
    ("builder", "depth", "kernel", "millions"),
    [(chen_2022_unet_2d, 4, (3, 3, 1), 62.4), (chen_2022_unet_3d, 3, (3, 3, 3), 134.6)],
)
def test_the_paper_s_depths(builder, depth, kernel, millions) -> None:
    with torch.device("meta"):
        network = builder()
    for level in (*network.encoders, *network.decoders):
        convolutions = [layer for layer in level if isinstance(layer, nn.Conv3d)]
        assert len(convolutions) == depth
        assert {layer.kernel_size for layer in convolutions} == {kernel}
    assert [len(part) for part in (network.encoders, network.decoders)] == [5, 4]
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == millions


def test_number_of_parameters_is_that_of_ronneberger_at_depth_two() -> None:
    with torch.device("meta"):
        network = UNet(in_channels=1, depth=2, slices=1)
    counted, before = 0, 1
    for width in (64, 128, 256, 512, 1024):
        counted += before * width * 9 + width * width * 9 + 2 * width
        before = width
    for width in (512, 256, 128, 64):
        counted += 2 * width * width * 4 + width + 2 * width * width * 9 + width * width * 9
        counted += 2 * width
    assert sum(p.numel() for p in network.parameters()) == counted + 64 + 1


def test_a_slab_keeps_its_slices_and_the_2d_network_treats_each_alone() -> None:
    slab = torch.rand(1, 3, 16, 16, 3)
    three = UNet(in_channels=3, width=2, levels=3)
    assert three(slab).shape == (1, 1, 16, 16, 3)
    two = UNet(in_channels=3, width=2, levels=3, slices=1)
    torch.testing.assert_close(two(slab)[..., 1:2], two(slab[..., 1:2]))
    assert (two.multiple, two.slices, three.slices) == ((4, 4, 1), 1, 3)


def test_a_voxel_depends_on_the_voxels_within_its_receptive_field() -> None:
    network = UNet(in_channels=1, width=3, levels=1, depth=3, slices=1).double()
    images = torch.rand(1, 1, 20, 4, 1, dtype=torch.float64, requires_grad=True)
    network(images)[0, 0, 10, 2, 0].backward()
    seen = images.grad[0, 0].abs().amax(dim=(1, 2)).nonzero()[:, 0] - 10
    assert seen.tolist() == [-3, -2, -1, 0, 1, 2, 3]
