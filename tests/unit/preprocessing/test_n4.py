"""N4 on a coarse grid: against that of ANTs, and where an image is thin, flat or empty."""

from __future__ import annotations

import ants
import numpy as np
import pytest

from clinica_gado.preprocessing.images import Volume, to_ants
from clinica_gado.preprocessing.n4 import estimate_log_field, sharpen

DISTANCE_MM = 100


def shaded_head(shape=(28, 32, 26), spacing=(5.0, 5.0, 6.0)):
    """Return an ellipsoid of two tissues under a smooth field, in air, on oblique axes."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    radius = np.sqrt((grid**2).sum(axis=0))
    tissue = np.where(radius < 0.6, 120, 60) * np.exp(0.3 * grid[0] - 0.2 * grid[2])
    noise = np.random.default_rng(2).normal(scale=3, size=shape)
    affine = np.array([[0, spacing[1], 0, 3], [-spacing[0], 0, 0, 9], [0, 0, spacing[2], 0]])
    data = np.where(radius < 0.9, tissue + noise, 0)
    return Volume(data.astype(np.float32), np.vstack([affine, [0, 0, 0, 1]]))


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((28, 32, 26), (5.0, 5.0, 6.0)),
        ((28, 32, 26), (5.0, 5.0, 5.0)),
        ((40, 39, 9), (3.5, 3.5, 5.5)),
    ],
)
def test_the_field_is_that_of_ants(shape, spacing):
    volume = shaded_head(shape, spacing)
    expected = ants.n4_bias_field_correction(
        to_ants(volume), spline_param=DISTANCE_MM, return_bias_field=True
    ).numpy()
    found = np.exp(estimate_log_field(volume, DISTANCE_MM))
    inside = volume.data > 0
    assert np.ptp(expected[inside]) > 0.1
    np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-3)


def test_an_image_in_other_units_has_the_same_field_in_the_head():
    volume = shaded_head()
    head = Volume(np.maximum(volume.data, 1), volume.affine)
    other = Volume(16 * head.data, volume.affine)
    fields = [estimate_log_field(image, DISTANCE_MM) for image in (head, other)]
    np.testing.assert_allclose(*fields, atol=1e-3)


def test_rounding_of_an_oblique_spacing_does_not_change_the_spline():
    volume = shaded_head((26, 32, 26), (4.0, 4.0, 4.0))
    other = volume.affine.copy()
    other[:3, :3] *= 1 + 1e-12
    fields = [estimate_log_field(Volume(volume.data, a), 100) for a in (volume.affine, other)]
    np.testing.assert_allclose(*fields, atol=1e-6)


def test_an_image_of_one_value_has_no_field():
    volume = Volume(np.full((16, 16, 16), 7, dtype=np.float32), np.diag([4.0, 4.0, 4.0, 1.0]))
    np.testing.assert_array_equal(estimate_log_field(volume, DISTANCE_MM), 0)


def test_sharpening_draws_values_towards_the_peaks_they_were_blurred_from():
    rng = np.random.default_rng(3)
    blurred = np.concatenate([rng.normal(peak, 0.06, 5000) for peak in (3.0, 4.0)])
    sharp = sharpen(blurred)
    for part, peak in zip(np.split(sharp, 2), (3.0, 4.0), strict=True):
        assert np.median(np.abs(part - peak)) < 0.02
