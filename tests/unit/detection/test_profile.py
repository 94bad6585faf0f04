"""The profile of an image: relative to its white matter, whatever its scale and its coil."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from clinica_gado.detection import profile as module
from clinica_gado.detection.profile import profile
from clinica_gado.preprocessing.grids import Grid

SMALL = Grid((16, 16, 16), (0.0, 0.0, 0.0))


@pytest.fixture(autouse=True)
def small_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the lower half for white matter, the rest for sinuses."""
    index = np.arange(16**3).reshape(SMALL.shape)
    found = {"white": index[:, :, :8].ravel(), "sinuses": index[:, :, 8:].ravel()}
    monkeypatch.setattr(module, "CROP_GRID", SMALL)
    monkeypatch.setattr(module, "regions", lambda: found)


@pytest.fixture
def image() -> NDArray[np.float32]:
    """Make white matter of 100 with noise, and sinuses of 150."""
    data = np.random.default_rng(0).normal(100.0, 2.0, SMALL.shape)
    data[:, :, 8:] *= 1.5
    return data.astype(np.float32)


def test_levels_are_relative_to_white_matter(image: NDArray[np.float32]) -> None:
    numbers = profile(image)
    assert numbers["white_p50"] == pytest.approx(1.0, abs=0.01)
    assert numbers["sinuses_p50"] == pytest.approx(1.5, abs=0.15)


def test_the_scale_does_not_matter(image: NDArray[np.float32]) -> None:
    assert profile(7 * image) == pytest.approx(profile(image), rel=1e-4)


def test_a_smooth_sensitivity_does_not_matter(image: NDArray[np.float32]) -> None:
    x = np.linspace(-1, 1, 16, dtype=np.float32)
    field = np.exp(0.3 * x[:, None, None] - 0.2 * x[None, :, None] ** 2 + 0.1 * x)
    assert profile(image * field) == pytest.approx(profile(image), rel=0.01)


def test_lesions_in_white_matter_do_not_move_the_yardstick(image: NDArray[np.float32]) -> None:
    with_lesion = image.copy()
    with_lesion[:5, :5, :8] *= 1.8
    assert profile(with_lesion)["sinuses_p50"] == pytest.approx(
        profile(image)["sinuses_p50"], rel=0.02
    )


def test_a_region_that_was_cut_away_is_nan(image: NDArray[np.float32]) -> None:
    image[:, :, 8:] = 0.0
    numbers = profile(image)
    assert np.isnan(numbers["sinuses_p90"])
    assert numbers["sinuses_share"] == 0.0


def test_an_image_without_white_matter_is_nan() -> None:
    assert np.isnan(profile(np.zeros(SMALL.shape, dtype=np.float32))["white_p50"])


def test_atria_reach_to_the_outer_sides_of_the_choroid_plexus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CROP_GRID", Grid((61, 12, 12), (-30.0, 0.0, 0.0)))
    choroid = np.zeros((61, 12, 12), dtype=bool)
    choroid[[8, 52], 6, 6] = True  # 22 mm from the middle
    atria = module._atria(choroid)
    assert atria[choroid].all()
    assert np.array_equal(atria, atria[::-1])
    x = np.abs(np.flatnonzero(atria.any(axis=(1, 2))) - 30)
    assert (x.min(), x.max()) == (module.ATRIA_LEAST_X_MM, 22 + module.ATRIA_MM)


def test_atria_stay_below_the_arteries_over_the_ventricles(monkeypatch: pytest.MonkeyPatch) -> None:
    lowest = module.ATRIA_HIGHEST_Z_MM
    monkeypatch.setattr(module, "CROP_GRID", Grid((61, 12, 12), (-30.0, 0.0, lowest)))
    choroid = np.zeros((61, 12, 12), dtype=bool)
    choroid[8, 6, 6] = True
    assert np.array_equal(module._atria(choroid), choroid)


def test_a_bright_speck_shows_in_the_highest_percentile_alone(image: NDArray[np.float32]) -> None:
    speck = image.copy()
    speck[:4, 0, 8] = 300.0
    before, after = profile(image), profile(speck)
    assert after["sinuses_p99.9"] > before["sinuses_p99.9"] + 0.5
    assert after["sinuses_p99"] == pytest.approx(before["sinuses_p99"], abs=0.05)
