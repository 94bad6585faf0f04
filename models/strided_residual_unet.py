"""The residual U-Net of Bône et al. 2021 (ISBI) and 2022: strided convolutions, no norms."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from clinica_gado.models.blocks import OutputMode, SynthesisNetwork, same_conv, start_at_zero

SLOPE = 0.2
"""Of every LeakyReLU."""


class StridedResidualUNet(SynthesisNetwork):
    """U-Net of residual blocks between strided 2³ convolutions, down and transposed up.

    Level i has `width * 2**i` maps. A block is two 3³ convolutions with LeakyReLU(0.2), its input
    added before the second LeakyReLU (by a 1³ convolution where widths differ); skips are joined by
    concatenation; a 1³ convolution ends it, with a sigmoid in `image` mode, while a change is not
    bounded. There is no norm anywhere. The papers' texts leave the number of levels and the
    widening of the maps to a figure; they are U-Net's here, and the deepest of five levels has
    10×12×10 of the papers' 160×192×160 voxels.

    Parameters
    ----------
    in_channels
        Number of input images M, 1 to 4 in the papers.
    width
        Maps at full resolution C; 8, 16 or 32 in the papers.
    levels
        Resolutions. Sides must be multiples of `2 ** (levels - 1)`.
    output
        `image` (the papers) or `change`; in the latter an untrained network is the identity.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        width: int = 16,
        levels: int = 5,
        output: OutputMode = "image",
    ) -> None:
        super().__init__(output, multiple=2 ** (levels - 1))
        widths = [width * 2**level for level in range(levels)]
        self.stem = ResidualBlock(in_channels, width)
        self.downs = nn.ModuleList(_halving(before, after) for before, after in pairwise(widths))
        self.encoders = nn.ModuleList(ResidualBlock(here, here) for here in widths[1:])
        upward = list(zip(widths[::-1], widths[-2::-1], strict=False))
        self.ups = nn.ModuleList(_doubling(below, here) for below, here in upward)
        self.decoders = nn.ModuleList(ResidualBlock(2 * here, here) for _, here in upward)
        self.head = nn.Conv3d(width, 1, 1)
        if output == "change":
            start_at_zero(self.head)

    def estimate(self, images: torch.Tensor) -> torch.Tensor:
        """Return the image or the change, `(B, 1, D, H, W)`, of images `(B, C, D, H, W)`."""
        features = self.stem(images)
        skips = []
        for down, encoder in zip(self.downs, self.encoders, strict=True):
            skips.append(features)
            features = encoder(down(features))
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            features = decoder(torch.cat((skips.pop(), up(features)), dim=1))
        estimate: torch.Tensor = self.head(features)
        return estimate.sigmoid() if self.output == "image" else estimate


class ResidualBlock(nn.Module):
    """Two 3³ convolutions around a shortcut: `(B, in, D, H, W)` to `(B, out, D, H, W)`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = same_conv(in_channels, out_channels)
        self.second = same_conv(out_channels, out_channels)
        same_width = in_channels == out_channels
        self.shortcut = nn.Identity() if same_width else nn.Conv3d(in_channels, out_channels, 1)
        self.act = nn.LeakyReLU(SLOPE, inplace=True)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the refined maps, same sides."""
        refined = self.second(self.act(self.first(features)))
        result: torch.Tensor = self.act(refined + self.shortcut(features))
        return result


def bone_2021(*, in_channels: int = 4, width: int = 16) -> StridedResidualUNet:
    """Build the papers' network; for T1w, FLAIR, ADC and low-dose T1w-ce, C = 16, by default."""
    return StridedResidualUNet(in_channels=in_channels, width=width)


def _halving(in_channels: int, out_channels: int) -> nn.Sequential:
    conv = nn.Conv3d(in_channels, out_channels, 2, stride=2)
    return nn.Sequential(conv, nn.LeakyReLU(SLOPE, inplace=True))


def _doubling(in_channels: int, out_channels: int) -> nn.Sequential:
    conv = nn.ConvTranspose3d(in_channels, out_channels, 2, stride=2)
    return nn.Sequential(conv, nn.LeakyReLU(SLOPE, inplace=True))
