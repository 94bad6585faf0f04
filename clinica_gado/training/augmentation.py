"""Variations of a patch by MONAI: mirroring, and what differs between clinics."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from clinica_gado.errors import TrainingError

if TYPE_CHECKING:
    from monai.transforms import Compose
    from numpy.typing import NDArray

MISSING = (
    "Training needs packages that are not installed ({error}): pip install 'clinica-gado[train]'."
)
MAX_SLICE_VOXELS = 5


def augment(arrays: NDArray[np.float32], kind: str, rng: np.random.Generator) -> torch.Tensor:
    """Vary images, target and mask, `(C + 2, X, Y, Z)`, alike, so that only the agent differs.

    `none` leaves them as they are; `mirror` flips each axis in every second patch; `clinical` also
    changes contrast (gamma), adds a bias field, thickens slices or blurs, and adds noise, to the
    target that of the first image, so that noise is no change.
    """
    patch = torch.from_numpy(np.ascontiguousarray(arrays))
    if kind == "none":
        return patch
    # One seed a patch: what is drawn depends on nothing that was drawn before.
    mirroring, intensities, noise = (
        transform.set_random_state(int(rng.integers(2**32))) for transform in _transforms()
    )
    patch = _plain(mirroring(patch))
    if kind == "mirror":
        return patch
    images, mask = patch[:-1], patch[-1:]
    varied = _thicken_slices(_plain(intensities(images)), rng)
    added = _plain(noise(torch.zeros_like(varied[:-1])))
    varied = varied + torch.cat((added, added[:1]))
    # Air that was masked out stays zero, as a brain-only image has it; so does a missing image.
    given = images.flatten(1).any(dim=1)[:, None, None, None]
    return torch.cat((varied * (images[:1] > 0) * given, mask))


@lru_cache(maxsize=1)
def _transforms() -> tuple[Compose, Compose, Compose]:
    try:
        from monai import transforms
    except ImportError as error:
        raise TrainingError(MISSING.format(error=error)) from error
    return (
        transforms.Compose([transforms.RandFlip(prob=0.5, spatial_axis=axis) for axis in range(3)]),
        transforms.Compose(
            [
                transforms.RandAdjustContrast(prob=0.7, gamma=(0.8, 1.25)),
                transforms.RandBiasField(prob=0.3, degree=2, coeff_range=(-0.15, 0.15)),
                transforms.RandScaleIntensity(prob=0.7, factors=0.1),
                transforms.RandGaussianSmooth(
                    prob=0.1, sigma_x=(0.3, 0.8), sigma_y=(0.3, 0.8), sigma_z=(0.3, 0.8)
                ),
            ]
        ),
        transforms.Compose([transforms.RandGaussianNoise(prob=0.5, std=0.02)]),
    )


def _thicken_slices(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Make one image in three of thick slices: averaged along an axis, interpolated back."""
    from torch.nn import functional

    axis, thickness = int(rng.integers(3)), int(rng.integers(2, MAX_SLICE_VOXELS + 1))
    if rng.random() > 1 / 3:
        return images
    coarse = list(images.shape[1:])
    coarse[axis] = max(coarse[axis] // thickness, 1)
    slices = functional.interpolate(images[None], size=coarse, mode="area")
    return functional.interpolate(slices, size=images.shape[1:], mode="trilinear")[0]


def _plain(images: torch.Tensor) -> torch.Tensor:
    """Take off MONAI's metadata."""
    return images.as_tensor() if hasattr(images, "as_tensor") else images
