"""What a network is punished for. Images are `(B, 1, D, H, W)`, on the network's scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from clinica_gado.training.config import LossConfig

SSIM_K1, SSIM_K2 = 0.01, 0.03
GAUSSIAN_SIGMA, GAUSSIAN_RADIUS = 1.5, 5
UNIFORM_SIDE = 7


@dataclass(frozen=True)
class Batch:
    """What a network is given, what it shall make, and the voxels that count (1, else 0)."""

    source: torch.Tensor
    target: torch.Tensor
    region: torch.Tensor


def measure_losses(
    predicted: torch.Tensor, batch: Batch, config: LossConfig
) -> dict[str, torch.Tensor]:
    """Return each loss that has a weight, and `loss`, their weighted sum."""
    enhancing = batch.source > batch.target
    weight = batch.region * torch.where(enhancing, config.enhancement_weight, 1.0)
    local = batch.region * (batch.source - batch.target > config.delta)
    difference = predicted - batch.target
    measures = {
        "l1": lambda: weighted_mean(difference.abs(), weight),
        "l2": lambda: weighted_mean(difference.square(), weight),
        "ssim": lambda: ssim_loss(predicted, batch.target, batch.region, config.ssim_window),
        "local": lambda: weighted_mean(difference.abs(), local),
    }
    losses = {name: measure() for name, measure in measures.items() if getattr(config, name)}
    losses["loss"] = sum(
        (getattr(config, name) * value for name, value in losses.items()),
        start=predicted.new_zeros(()),
    )
    return losses


def weighted_mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean of values under weights of the same shape; 0 where nothing has a weight.

    With `weight` the mask `M = (T1w-ce − T1w > δ)` and `values` the absolute error, this is the
    local loss of Chen 2022, per voxel of the mask, so that large lesions weigh no more than small.
    """
    return (weight * values).sum() / weight.sum().clamp(min=1.0)


def ssim_loss(
    predicted: torch.Tensor, target: torch.Tensor, region: torch.Tensor, window: str
) -> torch.Tensor:
    """Return 1 - SSIM (Wang 2004, data range 1), averaged over a region away from the borders."""
    similarity = ssim_map(predicted, target, taps_of(window).to(predicted))
    margin = (region.shape[2] - similarity.shape[2]) // 2
    inner = region[:, :, margin:-margin, margin:-margin, margin:-margin]
    return weighted_mean(1 - similarity, inner)


def taps_of(window: str) -> torch.Tensor:
    """Return one axis of a window of SSIM; its sum is 1.

    `gaussian`: sigma 1.5, cut at 5 voxels, as in scikit-image. `uniform`: 7 voxels.
    """
    if window == "uniform":
        return torch.full((UNIFORM_SIDE,), 1.0 / UNIFORM_SIDE)
    offsets = torch.arange(-GAUSSIAN_RADIUS, GAUSSIAN_RADIUS + 1.0)
    taps = torch.exp(-0.5 * (offsets / GAUSSIAN_SIGMA) ** 2)
    return taps / taps.sum()


def ssim_map(first: torch.Tensor, second: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """Return SSIM where the window fits in, `(B, 1, D', H', W')`; variances are not Bessel's."""
    moments = torch.cat((first, second, first * first, second * second, first * second), dim=1)
    mean_1, mean_2, square_1, square_2, product = _local_mean(moments, taps).split(1, dim=1)
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    variances = square_1 - mean_1**2 + square_2 - mean_2**2
    structure = (2 * (product - mean_1 * mean_2) + c2) / (variances + c2)
    return luminance * structure


def _local_mean(images: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """Average under a separable window, one axis after the other: 33 products, not 1331."""
    n_maps = images.shape[1]
    for axis in range(3):
        shape = [1, 1, 1]
        shape[axis] = len(taps)
        kernel = taps.view(1, 1, *shape).expand(n_maps, 1, *shape)
        images = functional.conv3d(images, kernel, groups=n_maps)
    return images
