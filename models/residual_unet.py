"""The 3D Res-U-Net of Bottani et al. 2022 (SPIE), its width and output mode free."""

from __future__ import annotations

import torch
from torch import nn

from clinica_gado.models.blocks import (
    DownConv,
    Norm,
    OutputMode,
    ResidualModule,
    SynthesisNetwork,
    TransposedUp,
    UpHead,
    start_at_zero,
)

_GROWTH = (1, 2, 4, 8, 8)
_MODULE_OF_LEVEL = (0, 1, 2, 3, 3)
_MODULE_DEPTHS = (1, 2, 3, 3)


class ResidualUNet(SynthesisNetwork):
    """U-Net of strided convolutions, each level refined by a residual module.

    Five levels of `width` times 1, 2, 4, 8, 8 maps at 1/2 to 1/32 of the input's sides, which must
    be multiples of 32. As in the authors' code, levels of equal width share one residual module, on
    the way down and up; the skips leave before it, the shallowest one after it. The last layer
    upsamples and ends with tanh in `image` mode; a change is not bounded.

    Parameters
    ----------
    in_channels
        Number of input images.
    width
        Maps at half resolution; 128 in the paper.
    output
        `image` (the paper) or `change`; in the latter an untrained network is the identity.
    norm
        `instance` (the paper), whose statistics are those of the voxels at hand: a network that
        learned from patches then sees a whole image on another scale. `batch` has its own.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        width: int = 128,
        output: OutputMode = "image",
        norm: Norm = "instance",
    ) -> None:
        super().__init__(output, multiple=2 ** len(_GROWTH))
        widths = [width * growth for growth in _GROWTH]
        self.downs = nn.ModuleList(
            DownConv(before, after, norm)
            for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        self.residuals = nn.ModuleList(
            ResidualModule(channels, depth)
            for channels, depth in zip(widths, _MODULE_DEPTHS, strict=False)
        )
        # From below each level takes its own maps and, but for the deepest, a skip as wide.
        entering = [widths[4], 2 * widths[3], 2 * widths[2], 2 * widths[1]]
        self.ups = nn.ModuleList(
            TransposedUp(before, after, norm)
            for before, after in zip(entering, widths[-2::-1], strict=True)
        )
        self.head = UpHead(2 * widths[0], bounded=output == "image")
        if output == "change":
            start_at_zero(self.head.conv)

    def estimate(self, images: torch.Tensor) -> torch.Tensor:
        """Return the image or the change, `(B, 1, D, H, W)`, of images `(B, C, D, H, W)`."""
        features, skips = self._descend(images)
        for level, up in zip((3, 2, 1, 0), self.ups, strict=True):
            features = self.residuals[level](up(features))
            features = torch.cat((features, skips.pop()), dim=1)
        estimate: torch.Tensor = self.head(features)
        return estimate

    def _descend(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        features = images
        skips: list[torch.Tensor] = []
        for down, module in zip(self.downs, _MODULE_OF_LEVEL, strict=True):
            before = down(features)
            features = self.residuals[module](before)
            skips.append(before if skips else features)
        skips.pop()  # nothing joins the deepest level
        return features, skips


def bottani_2022_resunet() -> ResidualUNet:
    """Build the paper's Res-U-Net: 128 to 1024 maps, 312.3 M parameters, for 128³ voxels."""
    return ResidualUNet(in_channels=1, width=128, output="image")
