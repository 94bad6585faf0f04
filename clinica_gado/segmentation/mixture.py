"""Gaussian mixtures whose classes have a prior at each voxel (Ashburner and Friston 2005)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

GRAY, WHITE, CSF = 0, 1, 2
"""Places of the tissues among the classes; all further ones are no brain."""
_SURE_BRAIN = 0.7
_START_QUANTILES = {GRAY: 0.35, WHITE: 0.75, CSF: 0.08}
"""Of the brain's intensities. From the priors alone, CSF is soon taken for grey matter."""
_PSEUDO_VOXELS = 100.0
"""Keeps the weight of a class that has no voxel from nought."""
_TINY = 1e-30


@dataclass(frozen=True)
class Mixture:
    """K Gaussians of intensity that share T classes.

    Attributes
    ----------
    means, variances, shares : of each Gaussian, (K,); the shares of a class sum to 1.
    classes : of each Gaussian, (K,), integers.
    weights : how far each class outweighs its prior in this image, (T,).
    least_variance : towards which variances are drawn, as by one voxel of it.
    """

    means: Tensor
    variances: Tensor
    shares: Tensor
    classes: Tensor
    weights: Tensor
    least_variance: Tensor


def start_mixture(values: Tensor, priors: Tensor) -> Mixture:
    """Return one Gaussian a class.

    Parameters
    ----------
    values : intensities, (N,).
    priors : probability of each class at each voxel, (T, N).
    """
    n_classes = len(priors)
    mass = priors.sum(1)
    means = (priors @ values) / mass
    pooled = (priors * (values - means[:, None]) ** 2).sum() / mass.sum()
    variances = pooled.repeat(n_classes)
    brain = values[priors[: CSF + 1].sum(0) > _SURE_BRAIN]
    if len(brain):
        quartiles = torch.quantile(brain, torch.tensor([0.25, 0.75]))
        variances[: CSF + 1] = ((quartiles[1] - quartiles[0]) / 2) ** 2
        variances[CSF] *= 4  # of all tissues the most mixed with others
        for tissue, quantile in _START_QUANTILES.items():
            means[tissue] = torch.quantile(brain, quantile)
    return Mixture(
        means,
        variances,
        shares=torch.ones(n_classes),
        classes=torch.arange(n_classes),
        weights=torch.full((n_classes,), 1.0 / n_classes),
        least_variance=values.var() / n_classes**2,
    )


def likelihoods(mixture: Mixture, values: Tensor) -> Tensor:
    """Return the density of each Gaussian at each value times its share, (K, N)."""
    variances = mixture.variances[:, None]
    distance = (values[None] - mixture.means[:, None]) ** 2 / variances
    return mixture.shares[:, None] * torch.exp(
        -0.5 * (distance + torch.log(2 * math.pi * variances))
    )


def class_likelihoods(mixture: Mixture, values: Tensor) -> Tensor:
    """Return the density of each class at each value, (T, N)."""
    sums = torch.zeros(len(mixture.weights), len(values))
    return sums.index_add_(0, mixture.classes, likelihoods(mixture, values))


def responsibilities(mixture: Mixture, values: Tensor, priors: Tensor) -> tuple[Tensor, float]:
    """Return how far each Gaussian made each value, (K, N), and the mean log-likelihood."""
    weighted = mixture.weights[:, None] * priors
    joint = likelihoods(mixture, values) * (weighted / weighted.sum(0))[mixture.classes]
    total = joint.sum(0) + _TINY
    return joint / total, float(torch.log(total).mean())


def fit_mixture(
    mixture: Mixture, values: Tensor, priors: Tensor, tolerance: float, max_iterations: int = 20
) -> tuple[Mixture, float]:
    """Improve a mixture by expectation maximisation; return it and the mean log-likelihood.

    Ends when an iteration gains less than `tolerance` a voxel.
    """
    before = -math.inf
    for _ in range(max_iterations):
        shares, gained = responsibilities(mixture, values, priors)
        mixture = _maximise(mixture, values, priors, shares)
        if gained - before < tolerance:
            break
        before = gained
    return mixture, gained


def _maximise(mixture: Mixture, values: Tensor, priors: Tensor, share: Tensor) -> Mixture:
    count = share.sum(1) + 1e-9
    means = (share @ values) / count
    squares = (share * (values[None] - means[:, None]) ** 2).sum(1)
    n_classes = len(mixture.weights)
    in_class = torch.zeros(n_classes).index_add_(0, mixture.classes, count)
    expected = (priors / (mixture.weights[:, None] * priors).sum(0)).sum(1)
    weights = (in_class + _PSEUDO_VOXELS) / (expected + _PSEUDO_VOXELS * n_classes)
    return replace(
        mixture,
        means=means,
        variances=(squares + mixture.least_variance) / (count + 1),
        shares=count / in_class[mixture.classes],
        weights=weights / weights.sum(),
    )


def split_classes(mixture: Mixture, gaussians: Sequence[int]) -> Mixture:
    """Give each class, of one Gaussian so far, so many; they stand apart around its mean."""
    classes = torch.repeat_interleave(mixture.classes, torch.tensor(gaussians))
    apart = torch.tensor([1 / (1 + math.exp(-(n - 1) / 4)) - 0.5 for n in gaussians])[classes]
    places = torch.cat([torch.linspace(-1, 1, n) if n > 1 else torch.zeros(1) for n in gaussians])
    spread = mixture.variances[classes].sqrt()
    return replace(
        mixture,
        means=mixture.means[classes] + places * apart * spread,
        variances=mixture.variances[classes] * (1 - apart),
        shares=1.0 / torch.tensor(gaussians, dtype=torch.float32)[classes],
        classes=classes,
    )
