"""How priors are moved to an image: look-up, cost and the search for both movements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from clinica_gado.segmentation.prior_movement import (
    BENDING,
    COMPRESSION,
    MEMBRANE,
    deformation_cost,
    grid_of,
    improve_affine,
    improve_displacement,
    look_up,
    move_priors,
    move_priors_finely,
    no_movement,
)

SHAPE = (14, 13, 12)


def blob(centre):
    places = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), -1)
    inside = np.exp(-((places - centre) ** 2).sum(-1) / 18)
    return torch.tensor(np.stack([inside, 1 - inside])).float()


def test_volumes_are_interpolated_as_scipy_does():
    volume = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    places = np.random.default_rng(1).uniform(0, 10, (5, 4, 3, 3)).astype(np.float32)
    found = look_up(torch.tensor(volume)[None], torch.tensor(places))[0].numpy()
    expected = ndimage.map_coordinates(volume, np.moveaxis(places, -1, 0), order=1)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_priors_that_are_not_moved_stay():
    priors = blob((6, 6, 6))
    mask = torch.tensor(np.random.default_rng(0).random(SHAPE) > 0.5)
    movement = no_movement(SHAPE)
    still = move_priors(priors, movement, grid_of(SHAPE), mask)
    np.testing.assert_allclose(still.numpy(), priors[:, mask].numpy(), atol=1e-5)
    finely = move_priors_finely(priors, movement, 1, mask)
    np.testing.assert_allclose(finely.numpy(), still.numpy(), atol=1e-5)


def test_a_movement_found_on_a_coarse_grid_moves_fine_priors_as_far():
    movement = no_movement((6, 6, 6))
    movement.affine[0, 3] = 0.1  # a sample, which is 2 fine voxels
    movement.displacement[1] = 0.5
    fine = torch.tensor(np.random.default_rng(0).random((1, 12, 12, 12))).float()
    two = torch.cat([fine, 1 - fine])
    mask = torch.zeros(12, 12, 12, dtype=torch.bool)
    mask[:8, :8] = True
    moved = move_priors_finely(two, movement, 2, mask)
    np.testing.assert_allclose(moved[0].numpy(), two[0, 2:10, 1:9].reshape(-1).numpy(), atol=1e-4)


def test_a_shift_costs_nothing_and_a_parabola_what_it_bends():
    shift = torch.ones(3, *SHAPE)
    assert float(deformation_cost(shift, 3.0)) == 0
    parabola = torch.zeros(3, *SHAPE)
    parabola[1] = torch.arange(SHAPE[0]).float()[:, None, None] ** 2
    n_x, n_y, n_z = SHAPE
    slopes = ((2 * np.arange(n_x - 1) + 1) ** 2).sum() * n_y * n_z
    bending = 4 * (n_x - 2) * n_y * n_z / 3.0**2
    expected = MEMBRANE * slopes + BENDING * bending
    assert float(deformation_cost(parabola, 3.0)) == pytest.approx(expected, rel=1e-5)
    stretch = torch.zeros(3, *SHAPE)
    stretch[2] = 0.1 * torch.arange(n_z).float()
    compression = COMPRESSION * 0.01 * (n_x - 1) * (n_y - 1) * (n_z - 1)
    membrane = MEMBRANE * 0.01 * n_x * n_y * (n_z - 1)
    assert float(deformation_cost(stretch, 3.0)) == pytest.approx(compression + membrane, rel=1e-4)


@pytest.mark.parametrize("way", ["affine", "displacement"])
def test_the_atlas_goes_where_the_image_is_likeliest(way):
    priors, truth = blob((6, 6, 6)), blob((8, 6, 6))
    everywhere = torch.ones(SHAPE, dtype=torch.bool)
    densities = torch.where(truth.reshape(2, -1) > 0.5, 1.0, 0.1)

    def likelihood(movement):
        return (move_priors(priors, movement, grid_of(SHAPE), everywhere) * densities).sum(0)

    still = no_movement(SHAPE)
    if way == "affine":
        found = improve_affine(still, likelihood, 20)
        middle = found.places(grid_of(SHAPE))[8, 6, 6]
        np.testing.assert_allclose(middle.numpy(), [6, 6, 6], atol=0.4)
    else:
        found = improve_displacement(still, likelihood, 20, 1.0, 0.01)
        assert float(found.displacement[0, 7:10, 5:8, 5:8].mean()) == pytest.approx(-2, abs=0.8)
    assert likelihood(found).log().mean() > likelihood(still).log().mean()
    stiff = improve_displacement(replace(still), likelihood, 20, 1.0, 1e6)
    assert float(stiff.displacement.std()) < 0.05
