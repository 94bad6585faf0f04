"""What the networks are built from. Maps are `(B, C, D, H, W)` throughout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

OutputMode = Literal["image", "change"]
Norm = Literal["instance", "batch"]
Sides = tuple[int, int, int]
Kernel = int | Sides


class SynthesisNetwork(nn.Module, ABC):
    """Base of the networks: one image made from one or several, directly or as a change.

    Parameters
    ----------
    output
        `image`: the network's answer is the image, as in the papers. `change`: it is added to the
        first input, so that what need not change cannot be lost on the way.
    multiple
        What every side of the input, or each of the three, must be a multiple of.
    slices
        Slices, along the third axis, that the network sees at a time; None for a whole volume.
    """

    def __init__(
        self, output: OutputMode, multiple: int | Sides, slices: int | None = None
    ) -> None:
        super().__init__()
        if output not in ("image", "change"):
            raise ValueError(f"output is {output!r}; it must be 'image' or 'change'.")
        self.output = output
        self.multiple: Sides = (multiple,) * 3 if isinstance(multiple, int) else multiple
        self.slices = slices

    @abstractmethod
    def estimate(self, images: torch.Tensor) -> torch.Tensor:
        """Return the image or the change, `(B, 1, D, H, W)`, before anything is added."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images `(B, C, D, H, W)` into the image asked for, `(B, 1, D, H, W)`."""
        self._check(images)
        estimate = self.estimate(images)
        return estimate if self.output == "image" else images[:, :1] + estimate

    def _check(self, images: torch.Tensor) -> None:
        sides = tuple(images.shape[2:])
        if any(side % multiple for side, multiple in zip(sides, self.multiple, strict=True)):
            raise ValueError(f"The sides {sides} must be multiples of {self.multiple}.")


class ConvNorm(nn.Sequential):
    """Convolution and batch norm; a stride of 1 keeps the sides, one of 2 halves them."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Kernel = 3, stride: Kernel = 1
    ) -> None:
        super().__init__()
        self.add_module("conv", same_conv(in_channels, out_channels, kernel, stride))
        self.add_module("norm", nn.BatchNorm3d(out_channels))


class ConvNormAct(ConvNorm):
    """`ConvNorm`, then ReLU: 3³ unless said otherwise."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Kernel = 3, stride: Kernel = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride)
        self.add_module("act", nn.ReLU(inplace=True))


class JoinConv(ConvNormAct):
    """`ConvNormAct` of two maps of `channels` channels each, joined: `(B, channels, D, H, W)`."""

    def __init__(self, channels: int) -> None:
        super().__init__(2 * channels, channels)

    def forward(self, skip: torch.Tensor, features: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Return the joined maps, same sides."""
        return super().forward(torch.cat((skip, features), dim=1))


class Decoder(nn.Module):
    """Two convolutions that merge a skip with what came up: `(B, channels, D, H, W)` each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.join = JoinConv(channels)
        self.refine = ConvNormAct(channels, channels)

    def forward(self, skip: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return the merged maps, same shape."""
        merged: torch.Tensor = self.refine(self.join(skip, features))
        return merged


class UpConv(nn.Sequential):
    """Nearest upsampling, then 3³ convolution, batch norm, ReLU: every side is doubled."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.add_module("up", nn.Upsample(scale_factor=2, mode="nearest"))
        self.add_module("conv", nn.Conv3d(in_channels, out_channels, 3, padding=1))
        self.add_module("norm", nn.BatchNorm3d(out_channels))
        self.add_module("act", nn.ReLU(inplace=True))


class UpHead(nn.Sequential):
    """Nearest upsampling, 3³ convolution to one map, tanh if bounded: every side is doubled."""

    def __init__(self, in_channels: int, *, bounded: bool) -> None:
        super().__init__()
        self.add_module("up", nn.Upsample(scale_factor=2, mode="nearest"))
        self.conv = nn.Conv3d(in_channels, 1, 3, padding=1)
        self.add_module("act", nn.Tanh() if bounded else nn.Identity())


class AttentionGate(nn.Module):
    """Additive attention: weigh the skip by what the level below found (Oktay 2018).

    Both maps have `channels` channels and the same sides; the weight is one number in [0, 1] a
    voxel. Half as many channels are compared.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        compared = max(channels // 2, 1)
        self.query = ConvNorm(channels, compared, 1)
        self.key = ConvNorm(channels, compared, 1)
        self.score = ConvNorm(compared, 1, 1)

    def forward(self, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Return `skip` weighted, `(B, C, D, H, W)`; without gradients it is weighted in place."""
        weight = self.query(features)
        weight += self.key(skip)
        weight = self.score(weight.relu_()).sigmoid()
        return skip * weight if torch.is_grad_enabled() else skip.mul_(weight)


class DownConv(nn.Sequential):
    """Strided 3³ convolution, norm, LeakyReLU(0.2): every side is halved."""

    def __init__(self, in_channels: int, out_channels: int, norm: Norm = "instance") -> None:
        super().__init__()
        self.add_module("conv", nn.Conv3d(in_channels, out_channels, 3, stride=2, padding=1))
        self.add_module("norm", NORMS[norm](out_channels))
        self.add_module("act", nn.LeakyReLU(0.2, inplace=True))


class TransposedUp(nn.Sequential):
    """Transposed 4³ convolution, norm, ReLU: every side is doubled."""

    def __init__(self, in_channels: int, out_channels: int, norm: Norm = "instance") -> None:
        super().__init__()
        conv = nn.ConvTranspose3d(in_channels, out_channels, 4, stride=2, padding=1)
        self.add_module("conv", conv)
        self.add_module("norm", NORMS[norm](out_channels))
        self.add_module("act", nn.ReLU(inplace=True))


class ResidualModule(nn.Module):
    """`depth` 3³ convolutions in a row, one LeakyReLU(0.2), added to the input: same shape."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        convs = (nn.Conv3d(channels, channels, 3, padding=1) for _ in range(depth))
        self.body = nn.Sequential(*convs, nn.LeakyReLU(0.2, inplace=True))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return `features` refined, same shape."""
        refined: torch.Tensor = features + self.body(features)
        return refined


def same_conv(
    in_channels: int, out_channels: int, kernel: Kernel = 3, stride: Kernel = 1
) -> nn.Conv3d:
    """Return a convolution of odd kernel that keeps the sides, or divides them by the stride."""
    x, y, z = (kernel,) * 3 if isinstance(kernel, int) else kernel
    padding = (x // 2, y // 2, z // 2)
    return nn.Conv3d(in_channels, out_channels, (x, y, z), stride=stride, padding=padding)


def instance_norm(channels: int) -> nn.GroupNorm:
    """Return an instance norm without parameters, as one group a channel.

    The same function as `nn.InstanceNorm3d`, 2 to 5 times faster with channels last.
    """
    return nn.GroupNorm(channels, channels, affine=False)


NORMS: dict[Norm, Callable[[int], nn.Module]] = {
    "instance": instance_norm,
    "batch": nn.BatchNorm3d,
}


def start_at_zero(layer: nn.Conv3d) -> None:
    """Make a layer answer zero, so that an untrained network adds no change."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
