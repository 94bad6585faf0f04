"""The U-Nets that Chen et al. 2022 (TBME) compare with: deepened, in 2D and in slabs."""

from __future__ import annotations

import torch
from torch import nn

from clinica_gado.models.blocks import (
    OutputMode,
    Sides,
    SynthesisNetwork,
    same_conv,
    start_at_zero,
)

_IN_PLANE = (2, 2, 1)


class UNet(SynthesisNetwork):
    """U-Net of plain convolutions with ReLU, no norms, max-pooling and transposed convolutions.

    Level i has `width * 2**i` maps and `depth` convolutions, on the way down and up; a 1³
    convolution ends it. Pooling acts in the plane of the slices alone (the first two axes), for a
    slab of three slices cannot be halved four times.

    Parameters
    ----------
    in_channels
        Number of input images.
    width
        Maps at full resolution; 64 in the paper.
    levels
        Resolutions, 5 in the paper. The first two sides must be multiples of `2 ** (levels - 1)`.
    depth
        Convolutions a level: Ronneberger has 2, the paper's 2D network 4 (2 times as deep) and its
        3D one 3 (1.5 times).
    slices
        Slices seen at a time; 1 makes the 2D network, of 3² kernels.
    output
        `image` (the paper) or `change`; in the latter an untrained network is the identity.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        width: int = 64,
        levels: int = 5,
        depth: int = 3,
        slices: int = 3,
        output: OutputMode = "image",
    ) -> None:
        factor = 2 ** (levels - 1)
        super().__init__(output, multiple=(factor, factor, 1), slices=slices)
        kernel = (3, 3, 1 if slices == 1 else 3)
        widths = [width * 2**level for level in range(levels)]
        self.pool = nn.MaxPool3d(_IN_PLANE)
        self.encoders = nn.ModuleList(
            _convolutions(before, after, depth, kernel)
            for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        upward = list(zip(widths[::-1], widths[-2::-1], strict=False))
        self.ups = nn.ModuleList(
            nn.ConvTranspose3d(below, here, _IN_PLANE, stride=_IN_PLANE) for below, here in upward
        )
        self.decoders = nn.ModuleList(
            _convolutions(2 * here, here, depth, kernel) for _, here in upward
        )
        self.head = nn.Conv3d(width, 1, 1)
        if output == "change":
            start_at_zero(self.head)

    def estimate(self, images: torch.Tensor) -> torch.Tensor:
        """Return the image or the change, `(B, 1, H, W, slices)`, of `(B, C, H, W, slices)`."""
        *shallow, deepest = self.encoders
        features = images
        skips = []
        for encoder in shallow:
            skips.append(encoder(features))
            features = self.pool(skips[-1])
        features = deepest(features)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            features = decoder(torch.cat((skips.pop(), up(features)), dim=1))
        estimate: torch.Tensor = self.head(features)
        return estimate


def chen_2022_unet_2d() -> UNet:
    """Build the paper's 2D baseline: 4 convolutions a level, one slice at a time."""
    return UNet(in_channels=3, depth=4, slices=1)


def chen_2022_unet_3d() -> UNet:
    """Build the paper's 3D baseline: 3 convolutions a level, slabs of 3 slices."""
    return UNet(in_channels=3, depth=3, slices=3)


def _convolutions(in_channels: int, out_channels: int, depth: int, kernel: Sides) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in [in_channels, *[out_channels] * (depth - 1)]:
        layers += [same_conv(before, out_channels, kernel), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
