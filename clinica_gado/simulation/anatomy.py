"""From a label map to a head: tissue per voxel, and thin structures as partial layers over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clinica_gado.simulation.labels import (
    ARTERIES,
    BONE,
    CEREBELLUM,
    CEREBRUM,
    CHOROIDAL_FISSURE,
    CORTEX_LEFT,
    CORTEX_RIGHT,
    LATERAL_VENTRICLES,
    SUBARACHNOID,
    BoolArray,
    FloatArray,
    LabelMap,
    Tissue,
    tissue_map,
)
from clinica_gado.simulation.lesions import ring_lesion
from clinica_gado.simulation.parameters import HeadParameters, LesionParameters
from clinica_gado.simulation.texture import smooth_noise
from clinica_gado.simulation.vessels import vessel_fraction

_FOLD_REACH_MM = 12.0
_ORBIT_MM = 16
_GLOMUS_MM = 6
_PITUITARY_RADII_MM = (6.0, 5.0, 4.0)


@dataclass(frozen=True)
class Layer:
    """A tissue that fills a fraction (X, Y, Z) in 0..1 of voxels, laid over what is below."""

    tissue: Tissue
    fraction: FloatArray


@dataclass(frozen=True)
class Head:
    """Tissue (X, Y, Z), layers from the lowest up, relative texture, and affine to world mm."""

    tissue: NDArray[np.uint8]
    layers: tuple[Layer, ...]
    texture: FloatArray
    affine: NDArray[np.float64]


def build_head(labels: LabelMap, parameters: HeadParameters) -> Head:
    """Give a label map the structures that take up contrast agent, and a texture."""
    texture = smooth_noise(labels.labels.shape, parameters.texture_seed, sigma_mm=2.0)
    layers = (
        Layer(Tissue.DURA, meninges_fraction(labels, parameters.dura_mm)),
        Layer(Tissue.PITUITARY, pituitary_fraction(labels)),
        Layer(Tissue.CHOROID_PLEXUS, choroid_plexus_fraction(labels, texture)),
        Layer(Tissue.BLOOD, vessel_fraction(labels, parameters.vessels)),
        *_lesion_layers(labels, parameters.lesion),
    )
    tissue = _with_fat(labels, parameters, texture)
    return Head(tissue, layers, 1.0 + parameters.texture * texture, labels.affine)


def _lesion_layers(labels: LabelMap, lesion: LesionParameters | None) -> tuple[Layer, ...]:
    if lesion is None:
        return ()
    oedema, rim, core = ring_lesion(labels, lesion)
    return (
        Layer(Tissue.OEDEMA, oedema),
        Layer(Tissue.LESION_RIM, rim),
        Layer(Tissue.NECROSIS, core),
    )


def meninges_fraction(labels: LabelMap, dura_mm: float) -> FloatArray:
    """Return the dura along the skull, and the falx and tentorium between the folds of brain."""
    csf = labels.mask(SUBARACHNOID)
    convexity = ndimage.binary_dilation(labels.mask(BONE)) & csf
    falx = _midway(labels.mask(CORTEX_LEFT), labels.mask(CORTEX_RIGHT)) & csf
    tentorium = _midway(labels.mask(CEREBRUM), labels.mask(CEREBELLUM)) & csf
    fraction = dura_mm * convexity
    return np.maximum(fraction, 1.2 * dura_mm * (falx | tentorium)).astype(np.float32)


def _midway(one: BoolArray, other: BoolArray) -> BoolArray:
    """Return the sheet of voxels as far from one mask as from the other, and close to both."""
    if not (one.any() and other.any()):
        return np.zeros(one.shape, dtype=bool)
    first = ndimage.distance_transform_edt(~one)
    second = ndimage.distance_transform_edt(~other)
    return np.asarray((np.abs(first - second) <= 0.7) & (first < _FOLD_REACH_MM))


def choroid_plexus_fraction(labels: LabelMap, texture: FloatArray) -> FloatArray:
    """Return the choroid plexus of the lateral ventricles: a fringe, and a glomus in the atrium."""
    ventricles = labels.mask(LATERAL_VENTRICLES)
    tail = labels.mask(CHOROIDAL_FISSURE)
    fringe = ndimage.binary_dilation(tail, iterations=2)
    glomus = ndimage.binary_dilation(tail & ~_ahead_of_atrium(tail), iterations=_GLOMUS_MM)
    tufts = np.clip(0.6 + 0.4 * texture, 0.0, 1.0)
    return (tufts * (ventricles & (fringe | glomus))).astype(np.float32)


def _ahead_of_atrium(fissure: BoolArray) -> BoolArray:
    """Return a half-space (1, Y, 1): all but the last millimetres of the fissure, behind."""
    occupied = np.flatnonzero(fissure.any(axis=(0, 2)))
    last = occupied[0] if occupied.size else 0
    return np.asarray(np.arange(fissure.shape[1]) > last + _GLOMUS_MM)[None, :, None]


def pituitary_fraction(labels: LabelMap) -> FloatArray:
    """Return a gland between the two carotid siphons; nothing where they are not labelled."""
    fraction = np.zeros(labels.labels.shape, dtype=np.float32)
    centre = _sella(labels)
    if centre is None:
        return fraction
    grids = np.ogrid[tuple(slice(0, n) for n in labels.labels.shape)]
    distance = sum(
        ((grid - c) / radius) ** 2
        for grid, c, radius in zip(grids, centre, _PITUITARY_RADII_MM, strict=True)
    )
    room = labels.mask((0, *SUBARACHNOID, *BONE))
    return (np.clip(4.0 * (1.0 - np.sqrt(distance)), 0.0, 1.0) * room).astype(np.float32)


def _sella(labels: LabelMap) -> NDArray[np.float64] | None:
    """Find the middle between the upper ends of the right and left carotid arteries."""
    voxels = np.argwhere(labels.mask(ARTERIES))
    brain = np.argwhere(labels.mask(CEREBRUM))
    if not (len(voxels) and len(brain)):
        return None
    middle = brain[:, 0].mean()
    sides = [voxels[voxels[:, 0] < middle], voxels[voxels[:, 0] >= middle]]
    if not all(len(side) for side in sides):
        return None
    tops = [side[side[:, 2] > side[:, 2].max() - 10].mean(axis=0) for side in sides]
    return np.asarray(np.mean(tops, axis=0))


def _with_fat(
    labels: LabelMap, parameters: HeadParameters, texture: FloatArray
) -> NDArray[np.uint8]:
    """Turn soft tissue into fat under the skin, in the orbits, and in planes between muscles."""
    tissue = tissue_map(labels.labels)
    soft = tissue == Tissue.MUSCLE
    depth = round(parameters.subcutaneous_fat_mm)
    under_skin = ndimage.binary_dilation(tissue == Tissue.SKIN, iterations=depth)
    orbit = ndimage.binary_dilation(tissue == Tissue.VITREOUS, iterations=_ORBIT_MM)
    coarse = ndimage.gaussian_filter(texture, 4.0)
    planes = np.abs(coarse) < 0.1 * coarse.std()
    tissue[soft & (under_skin | orbit | planes)] = Tissue.FAT
    return tissue
