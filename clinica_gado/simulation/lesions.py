"""Lesions painted into a head: where they sit, their core, rim and oedema."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from clinica_gado.simulation.labels import (
    CEREBRUM,
    SUBARACHNOID,
    VENTRICLES,
    WHITE_MATTER,
    BoolArray,
    FloatArray,
    LabelMap,
)
from clinica_gado.simulation.parameters import LesionParameters
from clinica_gado.simulation.texture import smooth_noise

_DEPTH_MM = 4
_CLEAR_OF_VENTRICLES_MM = 10


def ring_lesion(
    head: LabelMap, lesion: LesionParameters
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the fractions of oedema, enhancing rim and necrotic core, each (X, Y, Z) in 0..1.

    The lesion replaces grey and white matter and the sulci within it; oedema spreads in white
    matter only. There is no mass effect.
    """
    distance = _distance_from_edge(head, lesion)
    body = head.mask(CEREBRUM + SUBARACHNOID)
    core = np.clip(0.5 - distance - lesion.rim_mm, 0.0, 1.0) * body
    rim = np.clip(0.5 - distance, 0.0, 1.0) * body
    reach = np.clip(1.2 * (1.0 - distance / lesion.oedema_mm), 0.0, 1.0)
    oedema = ndimage.gaussian_filter(reach * head.mask(WHITE_MATTER), 1.0)
    return oedema.astype(np.float32), rim.astype(np.float32), core.astype(np.float32)


def _distance_from_edge(head: LabelMap, lesion: LesionParameters) -> FloatArray:
    """Return the signed distance in mm to an uneven ellipsoid, negative inside, (X, Y, Z)."""
    centre = _centre(head, lesion.position)
    shape = head.labels.shape
    grids = np.ogrid[tuple(slice(0, n) for n in shape)]
    scaled = sum(
        ((grid - c) / radius) ** 2
        for grid, c, radius in zip(grids, centre, lesion.radii_mm, strict=True)
    )
    mean_radius = float(np.mean(lesion.radii_mm))
    uneven = 1.0 + lesion.irregularity * smooth_noise(shape, lesion.seed, sigma_mm=5.0)
    return np.asarray(mean_radius * (np.sqrt(scaled) * uneven - 1.0), dtype=np.float32)


def _centre(head: LabelMap, position: float) -> tuple[int, ...]:
    candidates = np.argwhere(_deep_white_matter(head))
    chosen = candidates[int(position * (len(candidates) - 1))]
    return tuple(int(index) for index in chosen)


def _deep_white_matter(head: LabelMap) -> BoolArray:
    white = head.mask(WHITE_MATTER)
    near = ndimage.binary_dilation(head.mask(VENTRICLES), iterations=_CLEAR_OF_VENTRICLES_MM)
    deep = ndimage.binary_erosion(white, iterations=_DEPTH_MM) & ~near
    return deep if deep.any() else white
