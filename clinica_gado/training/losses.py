"""What a network is punished for. Images are `(B, 1, X, Y, Z)`, on the network's scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from clinica_gado.inference.grid import crop_to

if TYPE_CHECKING:
    from clinica_gado.training.config import LossConfig

SSIM_K1, SSIM_K2 = 0.01, 0.03
GAUSSIAN_SIGMA, GAUSSIAN_RADIUS = 1.5, 5
UNIFORM_SIDE = 7


@dataclass(frozen=True)
class Batch:
    """What a network is given, what it shall make, and the voxels that count (1, else 0).

    Attributes
    ----------
    source : the images given, (B, C, X, Y, Z).
    target, region : (B, 1, X, Y, Z).
    t1w : channel of the T1w that the target is compared with.
    adds_contrast : whether the target has the contrast agent, and not that T1w.
    """

    source: torch.Tensor
    target: torch.Tensor
    region: torch.Tensor
    t1w: int = 0
    adds_contrast: bool = False

    @property
    def enhancement(self) -> torch.Tensor:
        """The T1w with contrast agent minus the one without, (B, 1, X, Y, Z).

        Zero where that T1w is left out: it is zeros then, and all of the target would enhance.
        """
        t1w = self.source[:, self.t1w : self.t1w + 1]
        is_given = t1w.flatten(1).any(dim=1).view(-1, 1, 1, 1, 1)
        change = (self.target - t1w) * is_given
        return change if self.adds_contrast else -change


def measure_losses(
    predicted: torch.Tensor, batch: Batch, config: LossConfig
) -> dict[str, torch.Tensor]:
    """Return each loss that has a weight, and `loss`, their weighted sum."""
    everywhere = config.loss_region == "everywhere"
    region = torch.ones_like(batch.region) if everywhere else batch.region
    enhancement = batch.enhancement
    weight = region * torch.where(enhancement > 0, config.enhancement_weight, 1.0)
    mask = region * (enhancement > config.delta)
    difference = predicted - batch.target
    measures = {
        "l1": lambda: weighted_mean(difference.abs(), weight),
        "l2": lambda: weighted_mean(difference.square(), weight),
        "ssim": lambda: ssim_loss(predicted, batch.target, region, config.ssim_window),
        "local": lambda: local_loss(difference, mask, region, config.local_mean),
    }
    losses = {name: measure() for name, measure in measures.items() if getattr(config, name)}
    losses["loss"] = sum(
        (getattr(config, name) * value for name, value in losses.items()),
        start=predicted.new_zeros(()),
    )
    return losses


def local_loss(
    difference: torch.Tensor, mask: torch.Tensor, region: torch.Tensor, mean_over: str
) -> torch.Tensor:
    """Return the absolute error in the mask M = (T1w-ce − T1w > δ) of Chen 2022.

    Averaged over the `mask`, so that large lesions weigh no more than small ones; or over the whole
    `region`, as the norm of the paper and the mean of its code do.
    """
    if mean_over == "mask":
        return weighted_mean(difference.abs(), mask)
    return weighted_mean(difference.abs() * mask, region)


def weighted_mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean of values under weights of the same shape; 0 where nothing has a weight."""
    return (weight * values).sum() / weight.sum().clamp(min=1.0)


def ssim_loss(
    predicted: torch.Tensor, target: torch.Tensor, region: torch.Tensor, window: str
) -> torch.Tensor:
    """Return 1 - SSIM (Wang 2004, data range 1), averaged over a region away from the borders."""
    axes = (0, 1) if window == "slices" else (0, 1, 2)
    similarity = ssim_map(predicted, target, taps_of(window).to(predicted), axes)
    return weighted_mean(1 - similarity, crop_to(region, similarity.shape[2:]))


def taps_of(window: str) -> torch.Tensor:
    """Return one axis of a window of SSIM; its sum is 1.

    `gaussian`, and `slices`, which has two axes: sigma 1.5, cut at 5 voxels, as in scikit-image.
    `uniform`: 7 voxels.
    """
    if window == "uniform":
        return torch.full((UNIFORM_SIDE,), 1.0 / UNIFORM_SIDE)
    offsets = torch.arange(-GAUSSIAN_RADIUS, GAUSSIAN_RADIUS + 1.0)
    taps = torch.exp(-0.5 * (offsets / GAUSSIAN_SIGMA) ** 2)
    return taps / taps.sum()


def ssim_map(
    first: torch.Tensor,
    second: torch.Tensor,
    taps: torch.Tensor,
    axes: Sequence[int] = (0, 1, 2),
) -> torch.Tensor:
    """Return SSIM where the window fits in, `(B, 1, X', Y', Z')`; variances are not Bessel's.

    Parameters
    ----------
    axes : of the window; the first two for the SSIM of each axial slice by itself.
    """
    moments = torch.cat((first, second, first * first, second * second, first * second), dim=1)
    mean_1, mean_2, square_1, square_2, product = _local_mean(moments, taps, axes).split(1, dim=1)
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    variances = square_1 - mean_1**2 + square_2 - mean_2**2
    structure = (2 * (product - mean_1 * mean_2) + c2) / (variances + c2)
    return luminance * structure


def _local_mean(images: torch.Tensor, taps: torch.Tensor, axes: Sequence[int]) -> torch.Tensor:
    """Average under a separable window, one axis after the other: 33 products, not 1331."""
    n_maps = images.shape[1]
    for axis in axes:
        shape = [1, 1, 1]
        shape[axis] = len(taps)
        kernel = taps.view(1, 1, *shape).expand(n_maps, 1, *shape)
        images = functional.conv3d(images, kernel, groups=n_maps)
    return images
