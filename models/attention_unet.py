"""The 3D Att-U-Net of Bottani et al. 2022 (SPIE), its width and output mode free."""

from __future__ import annotations

import torch
from torch import nn

from clinica_gado.models.blocks import (
    AttentionGate,
    ConvNormAct,
    Decoder,
    OutputMode,
    SynthesisNetwork,
    UpConv,
    start_at_zero,
)


class AttentionUNet(SynthesisNetwork):
    """U-Net whose skips are weighted by additive attention gates.

    Level i has `width * 2**i` maps: two 3³ convolutions with batch norm and ReLU, max-pooling on
    the way down, nearest upsampling and a convolution on the way up, a 1³ convolution at the end
    and no final activation. Sides must be multiples of `2 ** (levels - 1)`.

    Parameters
    ----------
    in_channels
        Number of input images.
    width
        Maps at full resolution; 64 in the paper.
    levels
        Resolutions, 5 in the paper.
    output
        `image` (the paper) or `change`; in the latter an untrained network is the identity.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        width: int = 64,
        levels: int = 5,
        output: OutputMode = "image",
    ) -> None:
        super().__init__(output, multiple=2 ** (levels - 1))
        widths = [width * 2**level for level in range(levels)]
        self.pool = nn.MaxPool3d(2)
        self.encoders = nn.ModuleList(
            _double_conv(before, after)
            for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        upward = list(zip(widths[::-1], widths[-2::-1], strict=False))
        self.ups = nn.ModuleList(UpConv(below, here) for below, here in upward)
        self.gates = nn.ModuleList(AttentionGate(here) for _, here in upward)
        self.decoders = nn.ModuleList(Decoder(here) for _, here in upward)
        self.head = nn.Conv3d(width, 1, 1)
        if output == "change":
            start_at_zero(self.head)

    def estimate(self, images: torch.Tensor) -> torch.Tensor:
        """Return the image or the change, `(B, 1, D, H, W)`, of images `(B, C, D, H, W)`."""
        features, skips = self._encode(images)
        for up, gate, decoder in zip(self.ups, self.gates, self.decoders, strict=True):
            features = up(features)
            features = decoder(gate(features, skips.pop()), features)
        estimate: torch.Tensor = self.head(features)
        return estimate

    def _encode(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        *shallow, deepest = self.encoders
        skips: list[torch.Tensor] = []
        features = images
        for encoder in shallow:
            skips.append(encoder(features))
            features = self.pool(skips[-1])
        return deepest(features), skips


def bottani_2022_attunet() -> AttentionUNet:
    """Build the paper's Att-U-Net: 64 to 1024 maps, 103.9 M parameters, for 128³ voxels."""
    return AttentionUNet(in_channels=1, width=64, levels=5, output="image")


def _double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        ConvNormAct(in_channels, out_channels), ConvNormAct(out_channels, out_channels)
    )
