"""Each number of a comparison against its definition or the standard library."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import (
    mean_squared_error,
    normalized_mutual_information,
    normalized_root_mse,
    peak_signal_noise_ratio,
    structural_similarity,
)

from clinica_gado.evaluation.enhancement import (
    classify_tissue,
    measure_enhancement,
    tissue_contrast,
)
from clinica_gado.evaluation.papers import psnr_db
from clinica_gado.evaluation.similarity import (
    DEFINITIONS,
    compare,
    gaussian_ssim,
    on_common_scale,
    sharpness,
    similarity_row,
)
from clinica_gado.preprocessing.intensity import match_intensity


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
    assert compare(image, reference, mask).ssim == pytest.approx(full[mask].mean(), abs=1e-6)


def test_the_box_around_a_mask_at_the_border_changes_no_ssim():
    image, reference, _ = images()
    first, second = (a.astype(np.float64) for a in on_common_scale(image, reference, image > 0))
    _, full = structural_similarity(
        first, second, data_range=1, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    mask = np.zeros(image.shape, dtype=bool)
    mask[:2, 10:12, -3:] = True
    assert gaussian_ssim(first, second, mask) == pytest.approx(full[mask].mean(), abs=1e-12)
    assert np.isnan(gaussian_ssim(first[:8], second[:8], mask[:8]))


def test_mse_nrmse_and_nmi_are_those_of_scikit_image_over_the_voxels_of_the_mask():
    image, reference, mask = images()
    first, second = (a[mask].astype(np.float64) for a in on_common_scale(image, reference, mask))
    found = compare(image, reference, mask)
    assert found.mse == pytest.approx(mean_squared_error(second, first))
    assert found.nrmse == pytest.approx(normalized_root_mse(second, first))
    assert found.nmi == pytest.approx(normalized_mutual_information(first, second, bins=100))


def test_blur_is_the_ratio_of_the_variances_of_the_laplacian():
    _, reference, mask = images()
    assert compare(reference * 2, reference, mask).blur == pytest.approx(1, abs=1e-5)
    ramp = np.add.outer(np.arange(8.0) ** 2, np.zeros((8, 8)).ravel()).reshape(8, 8, 8)
    # The Laplacian of x^2 is 2 everywhere inside; of x^3, on integers, it is 6 x.
    inside = np.zeros(ramp.shape, dtype=bool)
    inside[2:6, 2:6, 2:6] = True
    assert sharpness(ramp, inside) == 0
    assert sharpness(ramp**1.5, inside) == pytest.approx(36 * np.var([2, 3, 4, 5]))
    blurred = ndimage.gaussian_filter(reference, 1)
    assert compare(blurred, reference, mask).blur < 0.5


def test_a_row_has_every_column_with_its_definition_and_agrees_with_compare():
    image, reference, mask = images()
    row = similarity_row(image, reference, mask)
    assert list(row) == list(DEFINITIONS)
    as_is = compare(image, reference, mask)._asdict()
    assert {name: row[f"{name}_as_is"] for name in as_is} == as_is
    matched = compare(match_intensity(image, reference, mask), reference, mask)
    assert row["psnr_db_matched"] == matched.psnr_db
    assert row["p3_psnr_db"] == row["p2_psnr_db"] == pytest.approx(row["psnr_db_as_is"])
    assert np.isnan(row["p2_tumour_l2_e4"])
    assert not np.isnan([v for name, v in row.items() if "tumour" not in name]).any()


def test_the_match_takes_away_a_difference_of_sequence_but_no_lesion():
    _, reference, mask = images()
    other_sequence = np.sqrt(reference) * 7
    row = similarity_row(other_sequence, reference, mask)
    assert row["psnr_db_matched"] > row["psnr_db_as_is"] + 5
    other_sequence[8:12, 8:12, 8:12] *= 1.6
    with_lesion = similarity_row(other_sequence, reference, mask)
    assert with_lesion["psnr_db_matched"] < row["psnr_db_matched"] - 1


def test_no_signal_or_no_mask_gives_nan_not_an_error(caplog):
    image, reference, mask = images()
    assert np.isnan(list(similarity_row(image * 0, reference, mask).values())).all()
    assert np.isnan(list(similarity_row(image, reference, mask & False).values())).all()
    assert "no signal" in caplog.text


def test_a_blank_image_is_no_perfect_one():
    image, reference, mask = images()
    assert np.isnan(compare(image * 0, reference, mask)).all()
    assert np.isnan(psnr_db(float("nan")))
    assert psnr_db(0.0) == np.inf


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
