"""Each number of a comparison against its definition or the standard library."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from clinica_gado.evaluation.enhancement import (
    classify_tissue,
    measure_enhancement,
    tissue_contrast,
)
from clinica_gado.evaluation.similarity import compare, on_common_scale


def images():
    rng = np.random.default_rng(0)
    reference = ndimage.gaussian_filter(rng.uniform(0, 100, (24, 24, 24)), 1).astype(np.float32)
    noisy = (reference + rng.normal(0, 4, reference.shape)).astype(np.float32)
    mask = np.zeros(reference.shape, dtype=bool)
    mask[4:20, 5:21, 6:22] = True
    return noisy, reference, mask


def test_an_image_equals_itself_whatever_its_gain():
    _, reference, mask = images()
    found = compare(reference * 3, reference, mask)
    assert found.mae == pytest.approx(0, abs=1e-6)
    assert found.psnr_db > 100
    assert found.ssim == pytest.approx(1, abs=1e-6)


def test_psnr_and_mae_are_those_of_the_voxels_of_the_mask():
    image, reference, mask = images()
    first, second = on_common_scale(image, reference, mask)
    found = compare(image, reference, mask)
    expected = peak_signal_noise_ratio(second[mask], first[mask], data_range=1)
    assert found.psnr_db == pytest.approx(expected, rel=1e-5)
    assert found.mae == pytest.approx(np.abs(first - second)[mask].mean(), rel=1e-5)


def test_ssim_is_the_gaussian_map_of_scikit_image_averaged_in_the_mask():
    image, reference, mask = images()
    first, second = (a.astype(np.float64) for a in on_common_scale(image, reference, mask))
    _, full = structural_similarity(
        first, second, data_range=1, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    assert compare(image, reference, mask).ssim == pytest.approx(full[mask].mean(), abs=1e-5)


def test_enhancement_left_is_one_for_the_input_and_zero_for_the_target():
    image, reference, mask = images()
    source = reference.copy()
    source[8:12, 8:12, 8:12] += 50
    as_is = measure_enhancement(source, source, reference, mask)
    perfect = measure_enhancement(reference, source, reference, mask)
    assert (as_is.left, as_is.side_change) == (pytest.approx(1), 0)
    assert (perfect.left, perfect.side_change) == (pytest.approx(0, abs=1e-6), 0)
    assert measure_enhancement(image, source, reference, mask).side_change > 0


def test_contrast_of_known_tissues():
    image = np.repeat(np.array([20.0, 60.0, 100.0]), 9 * 9 * 3).reshape(9, 9, 9).astype(np.float32)
    mask = np.ones(image.shape, dtype=bool)
    classes = classify_tissue(image, mask)
    found = tissue_contrast(image, classes, mask)
    assert found["gm_csf"] == pytest.approx(0.5)
    assert found["wm_gm"] == pytest.approx(0.25)
