"""A smooth field that multiplies intensities, found together with the tissues."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from clinica_gado.segmentation.mixture import Mixture, responsibilities

if TYPE_CHECKING:
    from torch import Tensor


class BiasField:
    """The logarithm of what intensities are multiplied by, in discrete cosines.

    Parameters
    ----------
    shape : of the image, (X, Y, Z) voxels of 1 mm.
    voxels : of the samples, (N, 3), integers.
    fwhm_mm : cosines that vary faster than a Gaussian of this width are left out or punished.
    penalty : of the curvature; `correlated` makes up for samples that are not independent.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        voxels: Tensor,
        fwhm_mm: float,
        penalty: float,
        correlated: float,
    ) -> None:
        decays = [_decay(length, fwhm_mm) for length in shape]
        self._shape = shape
        self._orders = tuple(len(decay) for decay in decays)
        product = torch.einsum("i,j,k->ijk", *decays).ravel()
        self._penalty = (product.double() ** -2 * penalty * correlated).float()
        axes = [
            _cosines(voxels[:, axis], shape[axis], order) for axis, order in enumerate(self._orders)
        ]
        self._basis = torch.einsum("ni,nj,nk->nijk", *axes).reshape(len(voxels), -1)
        self._coefficients = torch.zeros(len(product))

    @property
    def at_samples(self) -> Tensor:
        """What the samples are multiplied by, (N,)."""
        return torch.exp(self._basis @ self._coefficients)

    @property
    def everywhere(self) -> Tensor:
        """What each voxel is multiplied by, (X, Y, Z)."""
        field = self._coefficients.reshape(self._orders)
        # One axis at a time: all at once needs gigabytes in between.
        for length, order in zip(self._shape, self._orders, strict=True):
            field = torch.tensordot(
                field, _cosines(torch.arange(length), length, order), ([0], [1])
            )
        return torch.exp(field)

    def improve(self, values: Tensor, mixture: Mixture, priors: Tensor) -> None:
        """Make one Newton step of the likelihood of the samples, (N,), as acquired."""
        corrected = values * self.at_samples
        share, _ = responsibilities(mixture, corrected, priors)
        distance = (mixture.means[:, None] - corrected[None]) / mixture.variances[:, None]
        pull = (share * distance).sum(0)
        sharpness = (share / mixture.variances[:, None]).sum(0)
        slope = self._basis.T @ (1 + corrected * pull) - self._penalty * self._coefficients
        curvature = corrected**2 * sharpness + 1
        hessian = (self._basis * curvature[:, None]).T @ self._basis + torch.diag(self._penalty)
        self._coefficients = self._coefficients + torch.linalg.solve(hessian, slope)


def _decay(length: int, fwhm_mm: float) -> Tensor:
    """Return the amplitude of each cosine along an axis of so many voxels of 1 mm."""
    cycles = length / fwhm_mm
    orders = torch.arange(math.ceil(2 * cycles), dtype=torch.float64)
    return torch.exp(-(orders**2) / cycles**2).float()


def _cosines(places: Tensor, length: int, n_orders: int) -> Tensor:
    """Return the orthonormal cosines of an axis at some of its voxels, (N, n_orders)."""
    angles = (places + 0.5) * math.pi / length
    basis = torch.cos(angles[:, None] * torch.arange(n_orders)) * math.sqrt(2 / length)
    basis[:, 0] /= math.sqrt(2)
    return basis
