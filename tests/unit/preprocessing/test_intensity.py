"""Matching intensities carries over the style of a sequence and no contrast agent."""

from __future__ import annotations

import numpy as np

from clinica_gado.preprocessing.intensity import match_intensity, smooth_inside, transfer_style


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


def noisy_tissues(seed, levels):
    """Three tissues in blocks of 8 voxels, and noise as strong as their contrast."""
    tissue = np.random.default_rng(0).integers(0, 3, (6, 6, 6)).repeat(8, 0).repeat(8, 1)
    tissue = tissue.repeat(8, 2)
    noise = np.random.default_rng(seed).normal(0, levels[2] - levels[1], tissue.shape)
    return tissue, (np.array(levels)[tissue] + noise).astype(np.float32)


def test_style_keeps_the_contrast_that_the_best_match_flattens():
    tissue, image = noisy_tissues(1, (40.0, 90.0, 100.0))
    _, reference = noisy_tissues(2, (60.0, 180.0, 210.0))
    mask = np.ones(tissue.shape, dtype=bool)
    contrasts = [
        np.diff([mapped[tissue == index].mean() for index in range(3)])
        for mapped in (
            transfer_style(image, reference, mask),
            match_intensity(image, reference, mask),
        )
    ]
    np.testing.assert_allclose(contrasts[0], (120, 30), rtol=0.25)
    assert contrasts[1][1] < 0.6 * 30


def test_style_is_not_moved_by_what_enhances():
    tissue, image = noisy_tissues(1, (40.0, 90.0, 100.0))
    mask = np.ones(tissue.shape, dtype=bool)
    enhancing = np.zeros(tissue.shape, dtype=bool)
    enhancing[:16, :16] = True
    plain = 2 * image
    enhanced = np.where(enhancing, plain + 300, plain).astype(np.float32)
    styled = transfer_style(image, enhanced, mask)
    assert np.abs(styled - plain)[~enhancing].mean() < 0.06 * plain.mean()


def test_smoothing_inside_a_mask_knows_nothing_of_the_outside():
    image = np.full((12, 12, 12), 5.0, np.float32)
    mask = np.zeros(image.shape, dtype=bool)
    mask[4:9, 4:9, 4:9] = True
    image[~mask] = np.nan
    smooth = smooth_inside(image, mask, 2.0)
    np.testing.assert_allclose(smooth[mask], 5.0, rtol=1e-6)
    assert (smooth[~mask] == 0).all()
