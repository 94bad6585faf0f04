"""Matching intensities carries over the style of a sequence and no contrast agent."""

from __future__ import annotations

import numpy as np

from clinica_gado.preprocessing.intensity import match_intensity


def test_a_monotone_relation_is_recovered_although_some_voxels_enhance():
    rng = np.random.default_rng(0)
    image = rng.uniform(20, 100, (24, 24, 24)).astype(np.float32)
    reference = 3 * np.sqrt(image) + 5
    enhancing = rng.random(image.shape) < 0.1
    observed = np.where(enhancing, reference + 30, reference).astype(np.float32)
    matched = match_intensity(image, observed, np.ones(image.shape, dtype=bool))
    assert np.abs(matched - reference).max() < 0.03 * np.ptp(reference)


def test_zero_stays_zero():
    image = np.zeros((12, 12, 12), np.float32)
    image[3:9, 3:9, 3:9] = np.random.default_rng(0).uniform(1, 2, (6, 6, 6))
    matched = match_intensity(image, image + 10, image > 0)
    assert (matched[image == 0] == 0).all()
    np.testing.assert_allclose(matched[image > 0], image[image > 0] + 10, atol=0.05)
