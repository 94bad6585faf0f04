"""Thin and mixed structures: tissues that fill a fraction of a voxel, over what is below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clinica_gado.simulation.labels import FloatArray, Tissue

FULL = 255
_OF_NO_TISSUE = (
    *(Tissue.DURA, Tissue.PITUITARY, Tissue.CHOROID_PLEXUS),
    *(Tissue.BLOOD, Tissue.ARTERIAL_BLOOD),
)


@dataclass(frozen=True)
class Layer:
    """A tissue and the fraction of each voxel that it fills, 0..255 for 0..1, (X, Y, Z) uint8."""

    tissue: Tissue
    fraction: torch.Tensor


@dataclass(frozen=True)
class Head:
    """What a scanner finds: tissue, layers and texture per voxel.

    Attributes
    ----------
    tissue : values of `Tissue`, (X, Y, Z) uint8.
    layers : from the lowest up.
    texture : relative density of signal around 1, (X, Y, Z) float16.
    brain : the brain without CSF smoothed over 3 mm, 0..255 for 0..1, (X, Y, Z) uint8.
    affine : from voxels to world mm.
    """

    tissue: torch.Tensor
    layers: tuple[Layer, ...]
    texture: torch.Tensor
    brain: torch.Tensor
    affine: NDArray[np.float64]

    def crop(self, box: tuple[slice, slice, slice]) -> Head:
        """Return the part of a head in a box of voxels, without the layers absent there."""
        cropped = (Layer(layer.tissue, layer.fraction[box]) for layer in self.layers)
        present = tuple(layer for layer in cropped if bool(layer.fraction.any()))
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ [part.start or 0 for part in box]
        return Head(self.tissue[box], present, self.texture[box], self.brain[box], affine)

    def to(self, device: torch.device | str) -> Head:
        """Return a head whose arrays are on a device."""
        layers = tuple(Layer(layer.tissue, layer.fraction.to(device)) for layer in self.layers)
        volumes = (self.texture.to(device), self.brain.to(device))
        return Head(self.tissue.to(device), layers, *volumes, self.affine)


def tissue_share(head: Head) -> torch.Tensor:
    """Return the share of each voxel that no vessel, meninx, plexus or gland fills, (X, Y, Z) 0..1.

    The tissues of the brain that a segmentation tells apart share what is left: a label map counts
    these structures to CSF.
    """
    share = torch.ones(head.tissue.shape, dtype=torch.float32, device=head.tissue.device)
    for layer in head.layers:
        if layer.tissue in _OF_NO_TISSUE:
            share *= 1.0 - layer.fraction.float() / FULL
    return share


def make_layer(tissue: Tissue, fraction: FloatArray) -> Layer:
    """Store a fraction 0..1 in a byte a voxel."""
    return Layer(tissue, torch.from_numpy(np.rint(FULL * fraction).astype(np.uint8)))
