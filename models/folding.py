"""The same function in fewer passes over memory: what a trained network becomes to run.

Batch norms go into the convolutions before them. Nearest upsampling and the 3³ convolution after
it become one transposed 4³ convolution: each output voxel sees 2³ input voxels, 8 products instead
of 27, and the upsampled maps are never made. A convolution of joined maps becomes a sum of two, so
that the maps are never joined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clinica_gado.models.blocks import ConvNorm, ConvNormAct, JoinConv, UpConv, UpHead

Network = TypeVar("Network", bound=nn.Module)


class SplitConv(nn.Module):
    """Convolution of two joined maps, then ReLU, without joining them."""

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        for_skip, for_features = conv.weight.detach().chunk(2, dim=1)
        self.for_skip = _conv_like(conv, for_skip, conv.bias)
        self.for_features = _conv_like(conv, for_features, None)

    def forward(self, skip: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return the joined maps `(B, C, D, H, W)` of two maps `(B, C, D, H, W)`."""
        joined: torch.Tensor = self.for_skip(skip)
        joined += self.for_features(features)
        return joined.relu_()


def fold(network: Network) -> Network:
    """Fold a network in place, in evaluation mode for good, and return it.

    The answer is the same up to rounding. Folded networks can be neither trained nor saved.
    """
    network.eval().requires_grad_(False)
    _fold_children(network)
    return network


def _fold_children(module: nn.Module) -> None:
    for name, child in module.named_children():
        rule = _RULES.get(type(child))
        if rule is None:
            _fold_children(child)
        else:
            setattr(module, name, rule(child))


def _fold_conv_norm_act(block: nn.Module) -> nn.Module:
    return nn.Sequential(_without_norm(block), nn.ReLU(inplace=True))


def _fold_join(block: nn.Module) -> nn.Module:
    return SplitConv(_without_norm(block))


def _fold_up_conv(block: nn.Module) -> nn.Module:
    return nn.Sequential(upsampling_conv(_without_norm(block)), nn.ReLU(inplace=True))


def _fold_up_head(block: nn.Module) -> nn.Module:
    return nn.Sequential(upsampling_conv(block.get_submodule("conv")), block.get_submodule("act"))


def _without_norm(block: nn.Module) -> nn.Conv3d:
    conv = cast("nn.Conv3d", block.get_submodule("conv"))
    return fuse_conv_bn_eval(conv, cast("nn.BatchNorm3d", block.get_submodule("norm")))


_RULES: dict[type[nn.Module], Callable[[nn.Module], nn.Module]] = {
    ConvNorm: _without_norm,
    ConvNormAct: _fold_conv_norm_act,
    JoinConv: _fold_join,
    UpConv: _fold_up_conv,
    UpHead: _fold_up_head,
}


def upsampling_conv(conv: nn.Module) -> nn.ConvTranspose3d:
    """Return the transposed 4³ convolution equal to nearest upsampling, then a 3³ convolution.

    Along an axis, output voxel 2i sees inputs i−1 (tap 0) and i (taps 1 and 2 together); 2i+1 sees
    i (taps 0 and 1 together) and i+1 (tap 2).
    """
    if not isinstance(conv, nn.Conv3d) or conv.kernel_size != (3, 3, 3):
        raise TypeError(f"Only a 3³ convolution can absorb an upsampling, not {conv}.")
    kernel = conv.weight.detach()
    for axis in (2, 3, 4):
        low, middle, high = kernel.unbind(axis)
        kernel = torch.stack((high, middle + high, low + middle, low), dim=axis)
    transposed = nn.ConvTranspose3d(
        conv.in_channels, conv.out_channels, 4, stride=2, padding=1, device="meta"
    )
    transposed.weight = nn.Parameter(kernel.transpose(0, 1).contiguous(), requires_grad=False)
    transposed.bias = conv.bias
    return transposed


def _conv_like(conv: nn.Conv3d, weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Conv3d:
    out_channels, in_channels = weight.shape[:2]
    part = nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False, device="meta")
    part.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
    part.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
    return part
