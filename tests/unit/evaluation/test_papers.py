"""Each paper's metrics against fixed values and scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from clinica_gado.evaluation.papers import global_ssim, p1_metrics, p2_metrics, p3_metrics


def images():
    rng = np.random.default_rng(0)
    reference = ndimage.gaussian_filter(rng.uniform(0, 1, (20, 20, 10)), 1)
    reference = (reference - reference.min()) / np.ptp(reference)
    noisy = np.clip(reference + rng.normal(0, 0.05, reference.shape), 0, 1)
    mask = np.zeros(reference.shape, dtype=bool)
    mask[2:17, 3:18, 1:9] = True
    return noisy, reference, mask


def in_mask_psnr(first, second, mask):
    return 10 * math.log10(1 / np.mean((first - second)[mask] ** 2))


def test_p1_averages_over_the_whole_grid():
    """A grid of 8 with 2 voxels of brain, off by .1 and .3; what is outside does not count."""
    first = np.array([0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]).reshape(2, 2, 2)
    second = np.array([0.5, 0.5, 0, 0, 0, 0, 0, 0]).reshape(2, 2, 2)
    mask = second > 0
    found = p1_metrics(first, second, mask)
    assert found["p1_mae"] == pytest.approx(0.4 / 8)
    assert found["p1_mse"] == pytest.approx(0.1 / 8)
    assert found["p1_psnr_db"] == pytest.approx(10 * math.log10(80))


@pytest.mark.parametrize("fraction", [0.05, 0.30, 0.62])
def test_p1_psnr_is_higher_by_the_brain_fraction(fraction):
    first, second, _ = images()
    mask = np.zeros(first.shape, dtype=bool)
    mask.flat[: round(fraction * mask.size)] = True
    gain = p1_metrics(first, second, mask)["p1_psnr_db"] - in_mask_psnr(first, second, mask)
    assert gain == pytest.approx(10 * math.log10(1 / fraction))
    if fraction == 0.30:
        assert gain == pytest.approx(5.23, abs=0.005)


def test_p1_ssim_is_one_window_with_unsquared_constants():
    """Means .5 and .25, variances .25 and .0625, covariance .125."""
    first = np.array([0.0, 1, 0, 1, 0, 1, 0, 1]).reshape(2, 2, 2)
    second = first / 2
    expected = (2 * 0.125 + 0.01) / (0.3125 + 0.01) * (2 * 0.125 + 0.03) / (0.3125 + 0.03)
    found = p1_metrics(first, second, np.ones(first.shape, dtype=bool))
    assert found["p1_ssim"] == pytest.approx(expected)
    squared = global_ssim(first.ravel(), second.ravel(), (0.01**2, 0.03**2), first.size)
    assert squared < found["p1_ssim"]


def test_p1_ssim_is_higher_than_in_the_mask_alone():
    first, second, mask = images()
    in_mask = global_ssim(first[mask], second[mask], (0.01, 0.03), int(mask.sum()))
    assert p1_metrics(first, second, mask)["p1_ssim"] > in_mask


def test_p2_counts_in_its_units():
    first, second = np.full((2, 2, 2), 0.6), np.full((2, 2, 2), 0.5)
    first[0, 0, 0] = 0.9
    lesion = np.zeros(first.shape, dtype=bool)
    lesion[0, 0, :] = True
    found = p2_metrics(first, second, np.ones(first.shape, dtype=bool), lesion)
    mse = (7 * 0.01 + 0.16) / 8
    assert found["p2_l2_e5"] == pytest.approx(mse * 1e5)
    assert found["p2_tumour_l2_e4"] == pytest.approx((0.01 + 0.16) / 2 * 1e4)
    assert found["p2_psnr_db"] == pytest.approx(10 * math.log10(1 / mse))
    assert math.isnan(p2_metrics(first, second, lesion, lesion & False)["p2_tumour_l2_e4"])


def test_p3_is_two_dimensional_and_without_background_slices():
    first, second, mask = images()
    found = p3_metrics(first, second, mask)
    assert found["p3_mae"] == pytest.approx(np.abs(first - second)[mask].mean())
    assert found["p3_psnr_db"] == pytest.approx(in_mask_psnr(first, second, mask))
    slices = [
        structural_similarity(
            (first * mask)[..., k], (second * mask)[..., k], win_size=7, data_range=1, K1=0.01,
            K2=0.03,
        )
        for k in range(1, 9)
    ]  # fmt: skip
    assert found["p3_ssim"] == pytest.approx(np.mean(slices), abs=1e-12)


def test_equal_images_are_perfect_by_every_paper():
    _, reference, mask = images()
    papers = p1_metrics(reference, reference, mask) | p3_metrics(reference, reference, mask)
    papers |= p2_metrics(reference, reference, mask, mask)
    assert {papers[f"p{n}_psnr_db"] for n in (1, 2, 3)} == {math.inf}
    assert papers["p1_ssim"] == pytest.approx(1)
    assert papers["p3_ssim"] == pytest.approx(1)
    assert papers["p2_l2_e5"] == papers["p2_tumour_l2_e4"] == 0
