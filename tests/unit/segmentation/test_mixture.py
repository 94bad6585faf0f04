"""Mixtures of Gaussians with priors, against scipy and known mixtures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from clinica_gado.segmentation.mixture import (
    class_likelihoods,
    fit_mixture,
    likelihoods,
    responsibilities,
    split_classes,
    start_mixture,
)

MEANS, SDS = (1.0, 1.5, 0.4, 2.5), (0.05, 0.04, 0.1, 0.3)
N_EACH = 400


@pytest.fixture
def sample():
    """Return values of four classes, priors that know them half, and the classes."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(4), N_EACH)
    values = rng.normal(np.take(MEANS, classes), np.take(SDS, classes))
    priors = np.full((4, len(classes)), 0.1)
    priors[classes, np.arange(len(classes))] = 0.7
    return torch.tensor(values).float(), torch.tensor(priors).float(), classes


def test_densities_are_those_of_scipy(sample):
    values, priors, _ = sample
    mixture = start_mixture(values, priors)
    mixture = replace(mixture, shares=torch.tensor([0.5, 1.0, 1.0, 1.0]))
    expected = [
        share * stats.norm.pdf(values.numpy(), float(mean), float(variance) ** 0.5)
        for share, mean, variance in zip(
            mixture.shares.tolist(), mixture.means, mixture.variances, strict=True
        )
    ]
    np.testing.assert_allclose(likelihoods(mixture, values).numpy(), expected, rtol=1e-4, atol=1e-7)


def test_the_classes_of_a_known_mixture_are_found(sample):
    values, priors, classes = sample
    mixture, _ = fit_mixture(start_mixture(values, priors), values, priors, tolerance=1e-6)
    np.testing.assert_allclose(mixture.means.numpy(), MEANS, atol=0.03)
    np.testing.assert_allclose(mixture.variances.sqrt().numpy(), SDS, atol=0.03)
    shares, _ = responsibilities(mixture, values, priors)
    np.testing.assert_allclose(shares.sum(0).numpy(), 1.0, atol=1e-5)
    assert (shares.argmax(0).numpy() == classes).mean() > 0.97


def test_each_iteration_makes_the_values_likelier(sample):
    values, priors, _ = sample
    mixture, gains = start_mixture(values, priors), []
    for _ in range(5):
        mixture, gained = fit_mixture(mixture, values, priors, 0.0, max_iterations=1)
        gains.append(gained)
    assert gains == sorted(gains)
    assert gains[-1] > gains[0] + 0.1


def test_a_class_that_is_rarer_than_its_prior_gets_less_weight(sample):
    values, _, classes = sample
    keep = torch.tensor((classes != 3) | (np.arange(len(classes)) % 10 == 0))
    priors = torch.full((4, int(keep.sum())), 0.25)
    mixture = replace(
        start_mixture(values[keep], priors),
        means=torch.tensor(MEANS),
        variances=torch.tensor(SDS) ** 2,
    )
    mixture, _ = fit_mixture(mixture, values[keep], priors, tolerance=1e-6)
    assert float(mixture.weights.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(mixture.weights[3]) < 0.5 * float(mixture.weights[:3].min())


def test_split_classes_keep_their_mass_and_middle(sample):
    values, priors, _ = sample
    whole = start_mixture(values, priors)
    parts = split_classes(whole, (2, 1, 3, 4))
    assert parts.classes.tolist() == [0, 0, 1, 2, 2, 2, 3, 3, 3, 3]
    for each, n in enumerate((2, 1, 3, 4)):
        members = parts.classes == each
        assert float(parts.shares[members].sum()) == pytest.approx(1.0)
        assert float(parts.means[members].mean()) == pytest.approx(float(whole.means[each]))
        assert (n == 1) == bool((parts.variances[members] == whole.variances[each]).all())
    assert class_likelihoods(parts, values).shape == (4, len(values))
