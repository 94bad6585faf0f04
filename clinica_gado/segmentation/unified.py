"""Unified segmentation of a skull-stripped T1w: tissues, bias field and atlas found together.

The model of Ashburner and Friston 2005 (NeuroImage 26), in the form SPM12 gives it: intensities are
a mixture of Gaussians with the atlas as prior, times a smooth field, and the atlas is moved to
where it makes the image likeliest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from clinica_gado.errors import SegmentationError
from clinica_gado.segmentation.bias_field import BiasField
from clinica_gado.segmentation.mixture import (
    Mixture,
    class_likelihoods,
    fit_mixture,
    split_classes,
    start_mixture,
)
from clinica_gado.segmentation.prior_movement import (
    Movement,
    grid_of,
    improve_affine,
    improve_displacement,
    move_priors,
    move_priors_finely,
    no_movement,
)
from clinica_gado.segmentation.segmenter import TISSUES, TissueMaps

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True)
class UnifiedParameters:
    """What decides the maps beside the image and the atlas; fwhm, penalty and step as SPM12's.

    Attributes
    ----------
    step : every so many voxels of 1 mm, along each axis, one is looked at.
    prior_sigma_mm : of the Gaussian that smooths the atlas, which is sharper than a person.
    gaussians : of grey matter, white matter, CSF and what is none.
    bias_fwhm_mm, bias_penalty : see `BiasField`.
    affine_rounds, deformation_rounds : how often the atlas is moved in turn with the mixture.
    affine_iterations, deformation_iterations : of LBFGS in each round.
    tolerance : gain of the mean log-likelihood that ends an inner loop.
    """

    step: int = 3
    prior_sigma_mm: float = 2.0
    gaussians: tuple[int, int, int, int] = (2, 2, 2, 4)
    bias_fwhm_mm: float = 60.0
    bias_penalty: float = 1e-3
    affine_rounds: int = 4
    deformation_rounds: int = 5
    affine_iterations: int = 15
    deformation_iterations: int = 10
    tolerance: float = 1e-4


class UnifiedModel:
    """The parameters of one image, and what they are fitted on.

    Parameters
    ----------
    data : skull-stripped T1w, (X, Y, Z), voxels of 1 mm; zero where nothing is known.
    priors : of grey matter, white matter, CSF and what is none, (4, X, Y, Z).
    """

    def __init__(
        self, data: NDArray[np.float32], priors: Tensor, parameters: UnifiedParameters
    ) -> None:
        self._parameters = parameters
        every = (slice(None, None, parameters.step),) * 3
        coarse = torch.from_numpy(np.ascontiguousarray(data[every]))
        self._mask = coarse > 0
        self.scale = float(coarse[self._mask].median())
        self._values = coarse[self._mask] / self.scale
        self._atlas = priors[(slice(None), *every)].contiguous()
        self._grid = grid_of(tuple(coarse.shape))
        voxels = self._mask.nonzero() * parameters.step
        self._correlated = _correlation_of_samples(parameters.step)
        self.bias = BiasField(
            (data.shape[0], data.shape[1], data.shape[2]),
            voxels,
            parameters.bias_fwhm_mm,
            parameters.bias_penalty,
            self._correlated,
        )
        self.movement: Movement = no_movement(tuple(coarse.shape))
        self.mixture: Mixture = start_mixture(self._values, self._priors())

    def fit(self) -> None:
        """Find the mixture, the bias field and the movement of the atlas in turn."""
        parameters = self._parameters
        for _ in range(parameters.affine_rounds):
            self._fit_intensities()
            self.movement = improve_affine(
                self.movement, self._likelihood(), parameters.affine_iterations
            )
        self._fit_intensities()
        self.mixture = split_classes(self.mixture, parameters.gaussians)
        for _ in range(parameters.deformation_rounds):
            self._fit_intensities()
            self.movement = improve_displacement(
                self.movement,
                self._likelihood(),
                parameters.deformation_iterations,
                float(parameters.step),
                self._correlated,
            )

    def _priors(self) -> Tensor:
        return move_priors(self._atlas, self.movement, self._grid, self._mask)

    def _fit_intensities(self, max_rounds: int = 8) -> None:
        priors, before = self._priors(), -math.inf
        for _ in range(max_rounds):
            corrected = self._values * self.bias.at_samples
            self.mixture, gained = fit_mixture(
                self.mixture, corrected, priors, self._parameters.tolerance
            )
            self.bias.improve(self._values, self.mixture, priors)
            if gained - before < self._parameters.tolerance:
                break
            before = gained

    def _likelihood(self) -> _LikelihoodOfMovement:
        corrected = self._values * self.bias.at_samples
        return _LikelihoodOfMovement(self._atlas, self._grid, self._mask, self.mixture, corrected)


class _LikelihoodOfMovement:
    """The likelihood of each sample, (N,), as a movement of the atlas has it."""

    def __init__(
        self, atlas: Tensor, grid: Tensor, mask: Tensor, mixture: Mixture, values: Tensor
    ) -> None:
        self._atlas, self._grid, self._mask = atlas, grid, mask
        self._densities = class_likelihoods(mixture, values)
        self._weights = mixture.weights[:, None]

    def __call__(self, movement: Movement) -> Tensor:
        weighted = self._weights * move_priors(self._atlas, movement, self._grid, self._mask)
        return (weighted * self._densities).sum(0) / weighted.sum(0)


def _correlation_of_samples(step: int) -> float:
    """Return by how much neighbouring samples repeat each other, as SPM12 has it.

    Noise of a smoothness of 2 voxels at full width of half maximum is assumed.
    """
    sigma = 2 / math.sqrt(8 * math.log(2))
    return math.sqrt((4 * math.pi * (sigma / step) ** 2 + 1) ** 3)


def segment_unified(
    data: NDArray[np.float32], atlas: TissueMaps, parameters: UnifiedParameters
) -> TissueMaps:
    """Return the tissue maps of a skull-stripped T1w on the atlas's grid, (X, Y, Z) each.

    They do not depend on how many threads torch may use: one is taken.

    Parameters
    ----------
    data : voxels of 1 mm; zero outside the brain, where every map is zero.

    Raises
    ------
    SegmentationError
        The fit degenerated, as it does on an image without contrast between tissues.
    """
    with _one_thread():
        return _segment(data, smooth_priors(atlas, parameters.prior_sigma_mm), parameters)


def _segment(
    data: NDArray[np.float32], priors: Tensor, parameters: UnifiedParameters
) -> TissueMaps:
    model = UnifiedModel(data, priors, parameters)
    model.fit()
    mask = torch.from_numpy(data > 0)
    values = torch.from_numpy(data)[mask] / model.scale * model.bias.everywhere[mask]
    moved = move_priors_finely(priors, model.movement, parameters.step, mask)
    joint = model.mixture.weights[:, None] * moved * class_likelihoods(model.mixture, values)
    posterior = joint / joint.sum(0).clamp(min=1e-30)
    if not bool(torch.isfinite(posterior).all()):
        raise SegmentationError("No tissues can be told apart in this brain; look at the image.")
    maps = torch.zeros(len(TISSUES), *data.shape)
    maps[:, mask] = posterior[: len(TISSUES)]
    return TissueMaps(*maps.numpy())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch sum in one order: the last bits decide where the fit ends.

    Between one thread and two, CSF of one real brain in fifteen differed by 16 cm³, the others' by
    less than 1.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def smooth_priors(atlas: TissueMaps, sigma_mm: float) -> Tensor:
    """Return the atlas smoothed, and what is no tissue as fourth class, (4, X, Y, Z)."""
    smooth = np.stack(
        [ndimage.gaussian_filter(getattr(atlas, tissue), sigma_mm) for tissue in TISSUES]
    )
    none = np.clip(1 - smooth.sum(0, keepdims=True), 0.0, 1.0)
    return torch.from_numpy(np.concatenate([smooth, none]).astype(np.float32))
