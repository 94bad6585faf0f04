"""The networks of the papers: sizes, shapes, output modes, and the folded form."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from clinica_gado.errors import BundleError
from clinica_gado.models.attention_unet import AttentionUNet, bottani_2022_attunet
from clinica_gado.models.blocks import AttentionGate, DownConv, Norm, instance_norm
from clinica_gado.models.folding import fold, upsampling_conv
from clinica_gado.models.registry import build_network
from clinica_gado.models.residual_unet import ResidualUNet, bottani_2022_resunet

TINY = {
    "attention_unet": {"name": "attention_unet", "width": 2, "levels": 3},
    "residual_unet": {"name": "residual_unet", "width": 2},
    "strided_residual_unet": {
        **{"name": "strided_residual_unet", "in_channels": 1, "width": 2, "levels": 3}
    },
    "hr_fcn": {"name": "hr_fcn", "in_channels": 1, "width": 2},
    "unet": {"name": "unet", "in_channels": 1, "width": 2, "levels": 3},
}


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("builder", "millions"),
    [
        (bottani_2022_attunet, 103.9),
        (bottani_2022_resunet, 312.3),
        (lambda: ResidualUNet(width=64), 78.1),
        (lambda: AttentionUNet(width=16), 6.5),
    ],
)
def test_published_sizes_have_the_published_number_of_parameters(builder, millions) -> None:
    with torch.device("meta"):
        assert round(n_parameters(builder()) / 1e6, 1) == millions


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("in_channels", [1, 3])
def test_output_is_one_image_on_the_input_grid(name, in_channels) -> None:
    network = build_network({**TINY[name], "in_channels": in_channels}).eval()
    assert network(torch.rand(2, in_channels, 32, 64, 32)).shape == (2, 1, 32, 64, 32)


@pytest.mark.parametrize("name", TINY)
def test_untrained_change_network_is_the_identity(name) -> None:
    network = build_network({**TINY[name], "in_channels": 2, "output": "change"})
    images = torch.rand(1, 2, 32, 32, 64)
    assert torch.equal(network(images), images[:, :1])


@pytest.mark.parametrize("name", TINY)
def test_every_parameter_learns(name) -> None:
    network = build_network({**TINY[name], "output": "image"})
    network(torch.rand(2, 1, 32, 32, 64)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", TINY)
def test_folded_network_gives_the_same_answer(name, as_trained) -> None:
    network = as_trained(build_network(TINY[name]))
    images = torch.rand(1, 1, 32, 32, 64)
    with torch.inference_mode():
        expected = network(images)
        answer = fold(copy.deepcopy(network))(images)
    assert expected.std() > 0
    tolerance = 2e-6 * max(1.0, expected.abs().max().item())
    torch.testing.assert_close(answer, expected, rtol=0, atol=tolerance)
    assert not any(isinstance(m, nn.BatchNorm3d) for m in fold(network).modules())


def test_upsampling_and_convolution_are_one_transposed_convolution() -> None:
    conv, features = nn.Conv3d(2, 3, 3, padding=1), torch.rand(1, 2, 3, 4, 5)
    expected = conv(functional.interpolate(features, scale_factor=2, mode="nearest"))
    torch.testing.assert_close(upsampling_conv(conv)(features), expected, rtol=0, atol=1e-6)


def test_group_norm_of_one_channel_a_group_is_instance_norm() -> None:
    features = torch.rand(2, 3, 4, 4, 4)
    torch.testing.assert_close(instance_norm(3)(features), nn.InstanceNorm3d(3)(features))


@pytest.mark.parametrize(("norm", "is_seen_alike"), [("batch", True), ("instance", False)])
def test_a_patch_is_seen_as_in_the_whole_with_batch_norm_alone(
    norm: Norm, is_seen_alike: bool
) -> None:
    whole = torch.cat((torch.rand(1, 1, 16, 16, 16), torch.zeros(1, 1, 16, 16, 16)), dim=2)
    down = DownConv(1, 4, norm).eval()
    of_whole, of_patch = down(whole)[:, :, :7], down(whole[:, :, :16])[:, :, :7]
    assert torch.allclose(of_whole, of_patch, atol=1e-5) == is_seen_alike


def test_attention_weighs_the_skip_between_zero_and_one() -> None:
    gate = AttentionGate(4).eval()
    skip = torch.rand(1, 4, 4, 4, 4)
    weighted = gate(torch.randn(1, 4, 4, 4, 4), skip)
    weights = weighted / skip
    assert ((weights > 0) & (weights < 1)).all()
    torch.testing.assert_close(weights[:, :1].expand_as(weights), weights)  # one for all channels


def test_residual_modules_of_equal_width_are_shared() -> None:
    network = ResidualUNet(width=1)
    assert [len(module.body) - 1 for module in network.residuals] == [1, 2, 3, 3]


def test_sides_that_do_not_halve_are_refused() -> None:
    with pytest.raises(ValueError, match=r"multiples of \(4, 4, 4\)"):
        build_network(TINY["attention_unet"])(torch.rand(1, 1, 8, 8, 10))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "transformer"},
        {"name": "attention_unet", "depth": 3},
        {"name": "attention_unet", "width": 0},
        {"name": "attention_unet", "width": 2.5},
        {"name": "attention_unet", "levels": 60},
        {"name": "attention_unet", "output": "difference"},
        {"name": "hr_fcn", "variant": "E"},
        {"name": "hr_fcn", "in_channels": 1000},
    ],
)
def test_a_card_with_foreign_numbers_is_refused(wrong) -> None:
    with pytest.raises(BundleError):
        build_network(wrong, device="meta")
