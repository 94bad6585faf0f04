"""Lesions of a head: where each kind sits, what it pushes aside, and what it is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage
from scipy.special import ndtri

from clinica_gado.simulation.labels import (
    BONE,
    BRAIN,
    CEREBRUM,
    CORTEX,
    SUBARACHNOID,
    VENTRICLES,
    WHITE_MATTER,
    BoolArray,
    FloatArray,
    LabelMap,
    Tissue,
)
from clinica_gado.simulation.layers import Layer, make_layer
from clinica_gado.simulation.morphology import ellipsoid_distance, inside, within
from clinica_gado.simulation.parameters import LesionKind, LesionParameters
from clinica_gado.simulation.texture import smooth_noise

Centre = tuple[int, int, int]
Box = tuple[slice, slice, slice]

_DEPTH_MM = 4
_CLEAR_OF_VENTRICLES_MM = 10
_PUSH_REACH = 3.5
_UNEVENNESS = 0.5
_ORDER = (
    Tissue.OEDEMA,
    Tissue.WHITE_LESION,
    Tissue.DIFFUSE_TUMOUR,
    Tissue.ENHANCING_TUMOUR,
    Tissue.NECROSIS,
    Tissue.MENINGIOMA,
    Tissue.METASTASIS,
    Tissue.CAVITY,
)
Fractions = dict[Tissue, FloatArray]


def place(head: LabelMap, lesion: LesionParameters) -> list[Centre]:
    """Choose the voxels in which the foci of a lesion are centred."""
    candidates = np.argwhere(_where(head, lesion.kind))
    rng = np.random.default_rng(lesion.seed)
    first = int(lesion.position * (len(candidates) - 1))
    others = rng.integers(len(candidates), size=lesion.count - 1)
    chosen = (candidates[index] for index in (first, *others))
    return [(int(x), int(y), int(z)) for x, y, z in chosen]


def _where(head: LabelMap, kind: LesionKind) -> BoolArray:
    """Return the voxels in which a lesion of a kind may be centred; white matter if none."""
    white = head.mask(WHITE_MATTER)
    match kind:
        case "metastases":
            wanted = white & within(head.mask(CORTEX), 1)
        case "white-matter":
            wanted = white & within(head.mask(VENTRICLES), 8)
        case "meningioma":
            convexity = head.mask(SUBARACHNOID) & within(head.mask(BONE), 1)
            wanted = convexity & within(head.mask(CEREBRUM), 4)
        case "cavity":
            wanted = white & within(head.mask(SUBARACHNOID), 8)
        case _:
            clear = ~within(head.mask(VENTRICLES), _CLEAR_OF_VENTRICLES_MM)
            wanted = inside(white, _DEPTH_MM) & clear
    return wanted if wanted.any() else white


def push_aside(head: LabelMap, lesion: LesionParameters, centres: list[Centre]) -> LabelMap:
    """Return the labels after the mass effect of a lesion.

    The tissue around each focus moves outward by a share of its volume, as an incompressible medium
    would: what was at a distance s from the centre is at r with r³ = s³ + push R³; smoothly nothing
    from `_PUSH_REACH` radii on. Only brain and CSF move, and only within the skull.
    """
    if not lesion.push:
        return head
    labels = head.labels.copy()
    radius = float(np.mean(lesion.radii_mm))
    for centre in centres:
        box = _box(centre, _PUSH_REACH * radius, labels.shape)
        part = labels[box]
        local = tuple(float(c - side.start) for c, side in zip(centre, box, strict=True))
        part[...] = _pushed(part, local, radius, lesion.push)
    return replace(head, labels=labels)


def _pushed(part: np.ndarray, centre: tuple[float, ...], radius: float, push: float) -> np.ndarray:
    distance = np.maximum(radius * ellipsoid_distance(part.shape, centre, (radius,) * 3), 1e-3)
    source = np.cbrt(np.maximum(distance**3 - push * radius**3, 0.0))
    fade = np.clip((_PUSH_REACH - distance / radius) / (_PUSH_REACH - 1), 0.0, 1.0)
    scale = 1.0 - fade**2 * (3 - 2 * fade) * (1.0 - source / distance)
    grids = np.ogrid[tuple(slice(0, n) for n in part.shape)]
    coordinates = [c + (grid - c) * scale for grid, c in zip(grids, centre, strict=True)]
    moved = ndimage.map_coordinates(part, coordinates, order=0, mode="nearest")
    is_soft = np.isin(part, BRAIN) & np.isin(moved, BRAIN)
    return np.where(is_soft, moved, part)


def lesion_layers(
    head: LabelMap, lesions: tuple[LesionParameters, ...], centres: list[list[Centre]]
) -> tuple[Layer, ...]:
    """Return what the lesions are made of, as layers from the lowest up."""
    total: Fractions = {}
    room = head.mask(BRAIN) if lesions else np.zeros(0, dtype=bool)
    white = head.mask(WHITE_MATTER) if lesions else room
    for lesion, foci in zip(lesions, centres, strict=True):
        for number, centre in enumerate(foci):
            one = replace(lesion, seed=lesion.seed + number)
            box = _box(centre, 1.8 * max(lesion.radii_mm) + 1.5 * lesion.oedema_mm + 4, room.shape)
            local = tuple(float(c - side.start) for c, side in zip(centre, box, strict=True))
            for tissue, fraction in _focus(one, local, room[box], white[box]).items():
                whole = total.setdefault(tissue, np.zeros(room.shape, dtype=np.float32))
                np.maximum(whole[box], fraction, out=whole[box])
    return tuple(make_layer(tissue, total[tissue]) for tissue in _ORDER if tissue in total)


def _focus(
    lesion: LesionParameters, centre: tuple[float, ...], room: BoolArray, white: BoolArray
) -> Fractions:
    """Return the fractions of each tissue of one focus in its box."""
    distance = _uneven_distance(lesion, centre, room.shape)
    body = np.clip(0.5 - distance, 0.0, 1.0) * room
    core = np.clip(0.5 - distance - lesion.rim_mm, 0.0, 1.0) * room
    parts = _parts(lesion, body, core, distance)
    if lesion.oedema_mm:
        reach = np.clip(1.2 * (1.0 - distance / lesion.oedema_mm), 0.0, 1.0)
        parts[Tissue.OEDEMA] = ndimage.gaussian_filter(reach * white, 1.0)
    return {tissue: fraction.astype(np.float32) for tissue, fraction in parts.items()}


def _parts(
    lesion: LesionParameters, body: FloatArray, core: FloatArray, distance: FloatArray
) -> Fractions:
    match lesion.kind:
        case "ring":
            enhancing = body * _patches(lesion, body.shape)
            return {
                Tissue.DIFFUSE_TUMOUR: body,
                Tissue.ENHANCING_TUMOUR: enhancing,
                Tissue.NECROSIS: core,
            }
        case "solid":
            enhancing = body * _patches(lesion, body.shape)
            return {Tissue.DIFFUSE_TUMOUR: body, Tissue.ENHANCING_TUMOUR: enhancing}
        case "cavity":
            wall = body * _patches(lesion, body.shape)
            return {Tissue.ENHANCING_TUMOUR: wall, Tissue.CAVITY: core}
        case "meningioma":
            return {Tissue.MENINGIOMA: body}
        case "metastases":
            return {Tissue.METASTASIS: body}
        case "white-matter":
            return {Tissue.WHITE_LESION: body}
    soft = np.clip(0.5 - distance / 4.0, 0.0, 1.0) * (body + core > 0)
    return {Tissue.DIFFUSE_TUMOUR: np.maximum(soft, 0.9 * body)}


def _patches(lesion: LesionParameters, shape: tuple[int, ...]) -> FloatArray:
    """Return how much of each voxel takes up agent: none in a share `patchiness`, all in some."""
    if not lesion.patchiness:
        return np.ones(shape, dtype=np.float32)
    noise = smooth_noise(shape, lesion.seed + 1, sigma_mm=2.0)
    return np.asarray(np.clip(_UNEVENNESS * (noise - ndtri(lesion.patchiness)), 0.0, 1.0))


def _uneven_distance(
    lesion: LesionParameters, centre: tuple[float, ...], shape: tuple[int, ...]
) -> FloatArray:
    """Return the signed distance in mm to an uneven ellipsoid, negative inside, (X, Y, Z)."""
    mean_radius = float(np.mean(lesion.radii_mm))
    noise = smooth_noise(shape, lesion.seed, sigma_mm=max(1.0, 0.35 * mean_radius))
    scaled = ellipsoid_distance(shape, centre, lesion.radii_mm)
    return np.asarray(
        mean_radius * (scaled * (1.0 + lesion.irregularity * noise) - 1.0), dtype=np.float32
    )


def _box(centre: Centre, reach_mm: float, shape: tuple[int, ...]) -> Box:
    reach = int(np.ceil(reach_mm))
    x, y, z = (
        slice(max(0, c - reach), min(n, c + reach + 1)) for c, n in zip(centre, shape, strict=True)
    )
    return x, y, z
