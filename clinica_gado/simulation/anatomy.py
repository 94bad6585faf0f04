"""From a label map to a head: tissue per voxel, and thin structures as partial layers over it."""

from __future__ import annotations

import numpy as np
import torch
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
from clinica_gado.simulation.layers import Head, make_layer
from clinica_gado.simulation.lesions import lesion_layers, place, push_aside
from clinica_gado.simulation.masks import smooth_brain
from clinica_gado.simulation.morphology import ellipsoid_distance, within
from clinica_gado.simulation.parameters import HeadParameters
from clinica_gado.simulation.texture import smooth_noise
from clinica_gado.simulation.vessels import vessel_fractions

_FOLD_REACH_MM = 12.0
_ORBIT_MM = 16
_GLOMUS_MM = 6
_PITUITARY_RADII_MM = (6.0, 5.0, 4.0)


def build_head(labels: LabelMap, parameters: HeadParameters) -> Head:
    """Give a label map its lesions, the structures that take up contrast agent, and a texture."""
    centres = [place(labels, lesion) for lesion in parameters.lesions]
    for lesion, foci in zip(parameters.lesions, centres, strict=True):
        labels = push_aside(labels, lesion, foci)
    texture = smooth_noise(labels.labels.shape, parameters.texture_seed, sigma_mm=2.0)
    veins, arteries = vessel_fractions(labels, parameters.vessels)
    layers = (
        make_layer(Tissue.DURA, meninges_fraction(labels, parameters.dura_mm)),
        make_layer(Tissue.PITUITARY, pituitary_fraction(labels)),
        make_layer(Tissue.CHOROID_PLEXUS, choroid_plexus_fraction(labels, texture)),
        *lesion_layers(labels, parameters.lesions, centres),
        make_layer(Tissue.BLOOD, veins),
        make_layer(Tissue.ARTERIAL_BLOOD, arteries),
    )
    tissue = torch.from_numpy(_with_fat(labels, parameters, texture))
    relative = torch.from_numpy(1.0 + parameters.texture * texture).to(torch.float16)
    return Head(tissue, layers, relative, smooth_brain(tissue), labels.affine)


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
    both = within(one, int(_FOLD_REACH_MM)) & within(other, int(_FOLD_REACH_MM))
    box = ndimage.find_objects(both.astype(np.uint8))[0] if both.any() else ()
    first, second = (ndimage.distance_transform_edt(~mask[box]) for mask in (one, other))
    sheet = np.zeros(one.shape, dtype=bool)
    sheet[box] = (np.abs(first - second) <= 0.7) & (first < _FOLD_REACH_MM)
    return sheet


def choroid_plexus_fraction(labels: LabelMap, texture: FloatArray) -> FloatArray:
    """Return the choroid plexus of the lateral ventricles: a fringe, and a glomus in the atrium."""
    ventricles = labels.mask(LATERAL_VENTRICLES)
    tail = labels.mask(CHOROIDAL_FISSURE)
    fringe = ndimage.binary_dilation(tail, iterations=2)
    glomus = within(tail & ~_ahead_of_atrium(tail), _GLOMUS_MM)
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
    distance = ellipsoid_distance(labels.labels.shape, tuple(centre), _PITUITARY_RADII_MM)
    room = labels.mask((0, *SUBARACHNOID, *BONE))
    return (np.clip(4.0 * (1.0 - distance), 0.0, 1.0) * room).astype(np.float32)


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
    orbit = within(tissue == Tissue.VITREOUS, _ORBIT_MM)
    coarse = ndimage.gaussian_filter(texture, 4.0)
    planes = np.abs(coarse) < 0.1 * coarse.std()
    tissue[soft & (under_skin | orbit | planes)] = Tissue.FAT
    return tissue
