"""The bias field of unified segmentation on a grid small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import fft

from clinica_gado.segmentation.bias_field import BiasField, _cosines
from clinica_gado.segmentation.mixture import Mixture

SHAPE = (24, 20, 22)


@pytest.fixture
def voxels():
    return torch.ones(SHAPE).nonzero()


def test_the_cosines_are_those_of_scipy():
    expected = fft.idct(np.eye(SHAPE[0]), axis=0, norm="ortho")[:, :4]
    np.testing.assert_allclose(_cosines(torch.arange(SHAPE[0]), SHAPE[0], 4), expected, atol=1e-5)


def test_it_is_one_before_anything_is_known(voxels):
    field = BiasField(SHAPE, voxels, 10.0, 1e-3, 1.0)
    assert (field.at_samples == 1).all()
    assert (field.everywhere == 1).all()


def test_a_known_field_is_taken_out(voxels):
    ramp = np.cos(np.pi * (np.arange(SHAPE[0]) + 0.5) / SHAPE[0])
    field = np.broadcast_to(np.exp(0.15 * ramp)[:, None, None], SHAPE)
    dark = np.indices(SHAPE).sum(0) % 2 == 0
    noise = np.random.default_rng(0).normal(0, 0.02, SHAPE)
    values = torch.tensor(((np.where(dark, 0.7, 1.2) + noise) * field).ravel()).float()
    priors = torch.tensor(np.stack([dark, ~dark]).reshape(2, -1)).float().clamp(0.01, 0.99)
    mixture = Mixture(
        means=torch.tensor([0.7, 1.2]),
        variances=torch.tensor([0.01, 0.01]),
        shares=torch.ones(2),
        classes=torch.arange(2),
        weights=torch.full((2,), 0.5),
        least_variance=torch.tensor(1e-4),
    )
    bias = BiasField(SHAPE, voxels, 10.0, 1e-3, 1.0)
    for _ in range(6):
        bias.improve(values, mixture, priors)
    left = bias.at_samples.numpy() * field.ravel()
    assert field.std() / field.mean() > 0.1
    assert left.std() / left.mean() < 0.01
    np.testing.assert_allclose(bias.everywhere.numpy().ravel(), bias.at_samples, rtol=1e-4)


def test_a_greater_penalty_leaves_more_of_it(voxels):
    ramp = np.exp(0.1 * np.linspace(-1, 1, SHAPE[1]))
    values = torch.tensor(np.broadcast_to(ramp[None, :, None], SHAPE).reshape(-1).copy()).float()
    one = torch.ones(1)
    mixture = Mixture(one, 0.01 * one, one, torch.zeros(1, dtype=torch.long), one, 1e-4 * one)
    spreads = []
    for penalty in (1e-3, 1e6):
        bias = BiasField(SHAPE, voxels, 10.0, penalty, 1.0)
        for _ in range(4):
            bias.improve(values, mixture, torch.ones(1, len(values)))
        spreads.append(float((values * bias.at_samples).std()))
    assert spreads[0] < 0.5 * spreads[1]
