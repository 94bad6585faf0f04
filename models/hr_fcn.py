"""The high-resolution fully convolutional network of Chen et al. 2022 (TBME), and its ablations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import nn

from clinica_gado.models.blocks import (
    ConvNorm,
    ConvNormAct,
    OutputMode,
    Sides,
    SynthesisNetwork,
    start_at_zero,
)

Variant = Literal["full", "A", "B", "C", "D"]
"""The network, or Model-A: one stem for all images; B: full resolution alone; C: without full
resolution; D: without fusion in stages 3 and 4."""
VARIANTS: tuple[str, ...] = get_args(Variant)
BLOCKS_OF_MODULE = 4
_BRANCHES = {"B": (0,), "C": (1, 2)}
_STAGE_3 = {0: (0, 1), 1: (1, 0), 2: (2, 0)}
_STAGE_4 = dict.fromkeys(range(3), (0, 1, 2))
_IN_PLANE = (2, 2, 1)

Maps = Mapping[int, torch.Tensor]
"""Maps of each parallel branch, by the number of times its resolution was halved."""


class HighResolutionFCN(SynthesisNetwork):
    """Three resolutions in parallel, `width` times 1, 2 and 4 maps, fused again and again.

    With φ a module of four residual blocks, D a convolution of stride 2 for each halving, U nearest
    upsampling and ⊕ concatenation (equations of section III-B):

    F11 = φ(T1) ⊕ φ(T2) ⊕ φ(ADC); F21 = φ(F11), F22 = φ(D2(F11)), F23 = D2(F22);
    F31 = φ(F21 ⊕ U2(F22)), F32 = φ(F22 ⊕ D2(F21)), F33 = φ(F23 ⊕ D4(F21));
    F41 = φ(F31 ⊕ U2(F32) ⊕ U4(F33)), F42 = φ(D2(F31) ⊕ F32 ⊕ U2(F33)),
    F43 = φ(D4(F31) ⊕ D2(F32) ⊕ F33); F5 = F41 ⊕ U2(F42) ⊕ U4(F43).

    F5 passes one residual block and a 1³ convolution to one image. What a removed branch would give
    is left out of the equations.

    Departure from the paper: D and U act in the plane of the slices alone (the first two axes), for
    a slab of three slices cannot be halved twice; the authors' code does the same.

    Parameters
    ----------
    in_channels
        Number of input images, each with a stem of its own; 3 in the paper.
    width
        Maps at full resolution; 64 in the paper.
    slices
        Slices seen at a time, 3 in the paper; 1 makes the 2D version, of 3² kernels.
    variant
        See `Variant`.
    output
        `image` (the paper) or `change`; in the latter an untrained network is the identity.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        width: int = 64,
        slices: int = 3,
        variant: Variant = "full",
        output: OutputMode = "image",
    ) -> None:
        super().__init__(output, multiple=(4, 4, 1), slices=slices)
        branches = _BRANCHES.get(variant, (0, 1, 2))
        self._together = variant == "A"
        kernel = (3, 3, 1 if slices == 1 else 3)
        widths = [width * 2**branch for branch in range(3)]
        groups = [in_channels] if self._together else [1] * in_channels
        self.stems = nn.ModuleList(_module(n_images, width, kernel) for n_images in groups)
        self.stage_2 = StageTwo(len(groups) * width, widths, branches, kernel)
        self.stage_3, self.stage_4 = (
            Stage(_sources(table, branches, is_fused=variant != "D"), widths, kernel)
            for table in (_STAGE_3, _STAGE_4)
        )
        self.stage_5 = Fusion(0, branches, widths, kernel)
        self.refine = ResidualNormBlock(self.stage_5.out_channels, width, kernel)
        self.head = nn.Conv3d(width, 1, 1)
        if output == "change":
            start_at_zero(self.head)

    def estimate(self, images: torch.Tensor) -> torch.Tensor:
        """Return the image or the change, `(B, 1, H, W, slices)`, of `(B, C, H, W, slices)`."""
        groups = [images] if self._together else images.split(1, dim=1)
        stems = [stem(group) for stem, group in zip(self.stems, groups, strict=True)]
        maps = self.stage_4(self.stage_3(self.stage_2(torch.cat(stems, dim=1))))
        estimate: torch.Tensor = self.head(self.refine(self.stage_5(maps)))
        return estimate


class ResidualNormBlock(nn.Module):
    """Two convolutions with batch norm and ReLU, the input added before the last ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: Sides) -> None:
        super().__init__()
        self.first = ConvNormAct(in_channels, out_channels, kernel)
        self.second = ConvNorm(out_channels, out_channels, kernel)
        same_width = in_channels == out_channels
        self.shortcut = nn.Identity() if same_width else ConvNorm(in_channels, out_channels, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return maps `(B, out, H, W, slices)` of `(B, in, H, W, slices)`."""
        refined: torch.Tensor = self.second(self.first(features)) + self.shortcut(features)
        return refined.relu_()


class Fusion(nn.Module):
    """Maps of several branches brought to the resolution of one and joined."""

    def __init__(
        self, to: int, sources: Sequence[int], widths: Sequence[int], kernel: Sides
    ) -> None:
        super().__init__()
        self._sources = tuple(sources)
        self.resamplers = nn.ModuleList(
            _resampler(source, to, widths, kernel) for source in sources
        )
        self.out_channels: int = sum(widths[max(source, to)] for source in sources)

    def forward(self, maps: Maps) -> torch.Tensor:
        """Return the joined maps, `(B, out_channels, H, W, slices)`."""
        sources = zip(self._sources, self.resamplers, strict=True)
        return torch.cat([resample(maps[source]) for source, resample in sources], dim=1)


class Stage(nn.Module):
    """For each branch, a fusion of branches and a module of residual blocks."""

    def __init__(
        self, sources: Mapping[int, Sequence[int]], widths: Sequence[int], kernel: Sides
    ) -> None:
        super().__init__()
        self._branches = tuple(sources)
        fusions = {b: Fusion(b, sources[b], widths, kernel) for b in sources}
        self.fusions = nn.ModuleList(fusions.values())
        self.modules_of_branches = nn.ModuleList(
            _module(fusion.out_channels, widths[branch], kernel)
            for branch, fusion in fusions.items()
        )

    def forward(self, maps: Maps) -> dict[int, torch.Tensor]:
        """Return the maps of each branch."""
        parts = zip(self._branches, self.fusions, self.modules_of_branches, strict=True)
        return {branch: module(fusion(maps)) for branch, fusion, module in parts}


class StageTwo(nn.Module):
    """From the maps of the stems to those of the branches: F21, F22 and F23."""

    def __init__(
        self, in_channels: int, widths: Sequence[int], branches: Sequence[int], kernel: Sides
    ) -> None:
        super().__init__()
        self.at_full = _module(in_channels, widths[0], kernel) if 0 in branches else None
        self.at_half = self.to_quarter = None
        if 1 in branches:
            halved = _halving(in_channels, widths[1], kernel)
            self.at_half = nn.Sequential(halved, _module(widths[1], widths[1], kernel))
            self.to_quarter = _halving(widths[1], widths[2], kernel)

    def forward(self, features: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return the maps of each branch."""
        maps = {}
        if self.at_full is not None:
            maps[0] = self.at_full(features)
        if self.at_half is not None and self.to_quarter is not None:
            maps[1] = self.at_half(features)
            maps[2] = self.to_quarter(maps[1])
        return maps


def chen_2022_hr_fcn() -> HighResolutionFCN:
    """Build the paper's network for T1w, T2w and ADC: 64, 128 and 256 maps, slabs of 3 slices."""
    return HighResolutionFCN(in_channels=3, width=64, slices=3)


def chen_2022_hr_fcn_2d() -> HighResolutionFCN:
    """Build the paper's 2D version."""
    return HighResolutionFCN(in_channels=3, width=64, slices=1)


def _module(in_channels: int, out_channels: int, kernel: Sides) -> nn.Sequential:
    """Return φ: four residual blocks, the first of which changes the width."""
    widths = [in_channels, *[out_channels] * BLOCKS_OF_MODULE]
    return nn.Sequential(*(ResidualNormBlock(*pair, kernel) for pair in pairwise(widths)))


def _halving(in_channels: int, out_channels: int, kernel: Sides) -> ConvNormAct:
    return ConvNormAct(in_channels, out_channels, kernel, stride=_IN_PLANE)


def _resampler(source: int, to: int, widths: Sequence[int], kernel: Sides) -> nn.Module:
    if source == to:
        return nn.Identity()
    if source > to:
        factor = 2 ** (source - to)
        return nn.Upsample(scale_factor=(factor, factor, 1), mode="nearest")
    steps = range(source, to)
    return nn.Sequential(*(_halving(widths[step], widths[step + 1], kernel) for step in steps))


def _sources(
    table: Mapping[int, Sequence[int]], branches: Sequence[int], *, is_fused: bool
) -> dict[int, list[int]]:
    """Return the branches that each branch takes up, in the order of the equations."""
    if not is_fused:
        return {branch: [branch] for branch in branches}
    return {
        branch: [source for source in table[branch] if source in branches] for branch in branches
    }
