"""How the priors of an atlas lie on an image: an affine and a smooth deformation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

MEMBRANE, BENDING, COMPRESSION = 0.001, 0.5, 0.25
"""Costs of a deformation: of its slope, its curvature (1/mm²) and its divergence, as SPM12's."""
_SHIFT_UNIT = 10.0
"""Samples of a shift of 1, so that turns and shifts have like effects on the likelihood."""
_FLOOR = 1e-6
_TINY = 1e-30


@dataclass(frozen=True)
class Movement:
    """Where the atlas is looked up for a voxel of the image, in samples of the coarse grid.

    Attributes
    ----------
    affine : (3, 4), what is added: a matrix around the grid's middle, and a shift.
    displacement : (3, X, Y, Z), added to that.
    """

    affine: Tensor
    displacement: Tensor

    def places(self, grid: Tensor) -> Tensor:
        """Return where to look, (…, 3), for places of the grid, without the displacement."""
        shape = torch.tensor(self.displacement.shape[1:])
        middle = (shape - 1) / 2
        return grid + (grid - middle) @ self.affine[:, :3].T + self.affine[:, 3] * _SHIFT_UNIT


def no_movement(shape: tuple[int, ...]) -> Movement:
    """Return the movement that leaves the atlas where it is."""
    return Movement(torch.zeros(3, 4), torch.zeros(3, *shape))


def grid_of(shape: tuple[int, ...]) -> Tensor:
    """Return the place of each voxel, (X, Y, Z, 3)."""
    axes = (torch.arange(length, dtype=torch.float32) for length in shape)
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def look_up(volumes: Tensor, places: Tensor) -> Tensor:
    """Interpolate volumes (T, X, Y, Z) at places (A, B, C, 3) of their voxels; (T, A, B, C)."""
    unit = 2 * places / (torch.tensor(volumes.shape[1:]) - 1) - 1
    return functional.grid_sample(
        volumes[None],
        unit.flip(-1)[None],
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )[0]


def move_priors(priors: Tensor, movement: Movement, grid: Tensor, mask: Tensor) -> Tensor:
    """Return the moved priors (T, N) of the voxels of a mask (X, Y, Z); they sum to 1."""
    places = movement.places(grid) + movement.displacement.movedim(0, -1)
    moved = look_up(priors, places)[:, mask].clamp(min=_FLOOR)
    return moved / moved.sum(0)


def move_priors_finely(priors: Tensor, movement: Movement, step: int, mask: Tensor) -> Tensor:
    """Do the same for priors and mask of a grid `step` times as fine, one slab after the other."""
    coarse = torch.tensor(movement.displacement.shape[1:])
    slabs = []
    for start in range(0, mask.shape[0], 16):
        inside = mask[start : start + 16]
        grid = grid_of(inside.shape)
        grid[..., 0] += start
        grid /= step
        unit = 2 * grid / (coarse - 1) - 1
        displacement = functional.grid_sample(
            movement.displacement[None],
            unit.flip(-1)[None],
            padding_mode="border",
            align_corners=True,
        )[0]
        places = (movement.places(grid) + displacement.movedim(0, -1)) * step
        slabs.append(look_up(priors, places)[:, inside])
    moved = torch.cat(slabs, dim=1).clamp(min=_FLOOR)
    return moved / moved.sum(0)


def improve_affine(
    movement: Movement, weighted: Callable[[Movement], Tensor], iterations: int
) -> Movement:
    """Move the affine to a greater likelihood.

    Parameters
    ----------
    weighted : gives the likelihood of each voxel under a movement, (N,).
    """

    def cost(affine: Tensor) -> Tensor:
        return -torch.log(weighted(replace(movement, affine=affine)) + _TINY).mean()

    return replace(movement, affine=_descend(movement.affine, cost, iterations, history=8))


def improve_displacement(
    movement: Movement,
    weighted: Callable[[Movement], Tensor],
    iterations: int,
    step_mm: float,
    correlated: float,
) -> Movement:
    """Move the displacement to a greater likelihood, less the cost of deforming."""

    def cost(displacement: Tensor) -> Tensor:
        likelihood = weighted(replace(movement, displacement=displacement))
        stiffness = 0.5 * correlated * deformation_cost(displacement * step_mm, step_mm)
        return stiffness * step_mm**3 - torch.log(likelihood + _TINY).sum()

    return replace(
        movement, displacement=_descend(movement.displacement, cost, iterations, history=5)
    )


def _descend(
    start: Tensor, cost: Callable[[Tensor], Tensor], iterations: int, history: int
) -> Tensor:
    point = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [point], max_iter=iterations, history_size=history, line_search_fn="strong_wolfe"
    )

    def evaluate() -> Tensor:
        optimiser.zero_grad()
        value = cost(point)
        value.backward()
        return value

    optimiser.step(evaluate)
    return point.detach()


def deformation_cost(displacement_mm: Tensor, step_mm: float) -> Tensor:
    """Return what a displacement (3, X, Y, Z) in mm costs, summed over its samples."""
    slopes = [displacement_mm.diff(dim=axis + 1) for axis in range(3)]
    membrane = torch.stack([(slope**2).sum() for slope in slopes]).sum()
    curvatures = [displacement_mm.diff(n=2, dim=axis + 1) for axis in range(3)]
    bending = torch.stack([(curvature**2).sum() for curvature in curvatures]).sum() / step_mm**2
    common = [length - 1 for length in displacement_mm.shape[1:]]
    divergence = sum(slopes[axis][axis][: common[0], : common[1], : common[2]] for axis in range(3))
    compression = (torch.as_tensor(divergence) ** 2).sum()
    return MEMBRANE * membrane + BENDING * bending + COMPRESSION * compression
