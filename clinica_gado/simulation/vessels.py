"""Cortical veins and arteries: trees of tubes along shortest paths through the CSF."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from clinica_gado.simulation.labels import (
    ARTERIES,
    CEREBELLUM,
    CEREBRUM,
    LATERAL_VENTRICLES,
    SINUSES,
    SUBARACHNOID,
    VENTRICLES,
    BoolArray,
    FloatArray,
    LabelMap,
)
from clinica_gado.simulation.morphology import within
from clinica_gado.simulation.parameters import VesselParameters
from clinica_gado.simulation.texture import smooth_noise

_NO_PREDECESSOR = -9999
_REACH_MM = 3
_PIAL_SPREAD = 0.7
Indices = NDArray[np.int64]


def vessel_fractions(head: LabelMap, parameters: VesselParameters) -> tuple[FloatArray, FloatArray]:
    """Return the fractions of small veins and small arteries in voxels, (X, Y, Z) in 0..1.

    Both start on the surface of the brain; veins also on the walls of the lateral ventricles, from
    where they run along the third ventricle and the cisterns to the straight sinus.
    """
    rng = np.random.default_rng(parameters.seed)
    surface = head.mask(SUBARACHNOID)
    pial = surface & ndimage.binary_dilation(head.mask(CEREBRUM + CEREBELLUM))
    walls = _walls(head.mask(VENTRICLES))
    space = surface | walls
    graph, rank = _travel_graph(space, rng), _rank(space)
    deep = rank[walls & head.mask(LATERAL_VENTRICLES)]
    starts = (
        (SINUSES, ((rank[pial], parameters.veins), (deep, parameters.deep_veins))),
        (ARTERIES, ((rank[pial], parameters.arteries),)),
    )
    trees = []
    for roots, origins in starts:
        reached = within(head.mask(roots), _REACH_MM) & surface
        tips = [rng.choice(places, count) for places, count in origins if places.size]
        fraction = np.zeros(space.shape, dtype=np.float32)
        if tips:
            load = _tree_load(graph, space, reached, np.concatenate(tips))
            _paint_tubes(fraction, load, parameters)
        trees.append(fraction)
    return np.maximum(trees[0], _capillaries(pial, parameters)), trees[1]


def _walls(ventricles: BoolArray) -> BoolArray:
    """Return the outermost voxels of the ventricles."""
    return np.asarray(ventricles & ~ndimage.binary_erosion(ventricles))


def _capillaries(pial: BoolArray, parameters: VesselParameters) -> FloatArray:
    """Return the share of veins too thin to be drawn in the voxels on the brain, (X, Y, Z)."""
    noise = smooth_noise(pial.shape, parameters.seed, sigma_mm=2.0)
    share = parameters.pial_fraction * np.maximum(1.0 + _PIAL_SPREAD * noise, 0.0)
    return np.asarray(share * pial, dtype=np.float32)


def _rank(space: BoolArray) -> Indices:
    """Number the voxels of `space` from 0 in C order; -1 elsewhere."""
    rank = np.full(space.shape, -1, dtype=np.int64)
    rank[space] = np.arange(int(space.sum()))
    return rank


def _travel_graph(space: BoolArray, rng: np.random.Generator) -> csr_matrix:
    """Join neighbouring voxels of `space`; uneven lengths make the paths wind like vessels."""
    rank = _rank(space)
    cost = rng.uniform(0.6, 1.6, size=int(space.sum()))
    rows, columns, lengths = [], [], []
    for offset in _half_neighbourhood():
        here, there = _shifted(rank, offset)
        joined = (here >= 0) & (there >= 0)
        start, end = here[joined], there[joined]
        rows.append(start)
        columns.append(end)
        lengths.append(np.linalg.norm(offset) * (cost[start] + cost[end]) / 2)
    entries = (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns)))
    return csr_matrix(entries, shape=(cost.size, cost.size))


def _half_neighbourhood() -> list[tuple[int, ...]]:
    return [offset for offset in product((-1, 0, 1), repeat=3) if offset > (0, 0, 0)]


def _shifted(rank: Indices, offset: tuple[int, ...]) -> tuple[Indices, Indices]:
    """Return views of `rank` such that the second is the neighbour of the first at `offset`."""
    here = tuple(slice(max(0, -o), min(n, n - o)) for o, n in zip(offset, rank.shape, strict=True))
    there = tuple(slice(max(0, o), min(n, n + o)) for o, n in zip(offset, rank.shape, strict=True))
    return rank[here], rank[there]


def _tree_load(graph: csr_matrix, space: BoolArray, roots: BoolArray, tips: Indices) -> FloatArray:
    """Count for each voxel the tips whose shortest path to a root runs through it, (X, Y, Z)."""
    load = np.zeros(space.shape, dtype=np.float32)
    if not roots.any():
        return load
    _, parents, _ = dijkstra(
        graph,
        directed=False,
        indices=_rank(space)[roots],
        min_only=True,
        return_predecessors=True,
    )
    count = np.zeros(parents.size, dtype=np.float32)
    for tip in tips:
        node = int(tip)
        if parents[node] == _NO_PREDECESSOR:  # no way from here to a root
            continue
        while node != _NO_PREDECESSOR:
            count[node] += 1
            node = int(parents[node])
    load[space] = count
    return load


def _paint_tubes(fraction: FloatArray, load: FloatArray, parameters: VesselParameters) -> None:
    """Draw round tubes whose radius follows Murray's law: its cube grows with the load."""
    centres = np.argwhere(load > 0)
    radius = parameters.twig_radius_mm * np.cbrt(load[load > 0])
    radius = np.minimum(radius, parameters.largest_radius_mm)
    section = np.minimum(1.0, np.pi * radius**2)
    last = np.array(fraction.shape) - 1
    for offset in product(range(-2, 3), repeat=3):
        inside = np.clip(radius + 0.5 - np.linalg.norm(offset), 0.0, 1.0) * section
        voxels = np.clip(centres + offset, 0, last)
        np.maximum.at(fraction, tuple(voxels.T), inside.astype(np.float32))
