"""What is said of visits without a reference, on made-up heads."""

from __future__ import annotations

import json

import numpy as np
import pytest

from clinica_gado.evaluation.contrast_index import (
    DEFINITIONS,
    LESION_CM3,
    change_statistics,
    enhancement_index,
    lesion_volume,
    measure_contrast,
    segmentation_plausibility,
)
from clinica_gado.segmentation.segmenter import TissueMaps
from clinica_gado.segmentation.volumes import TissueVolumes

SIZE = 44


def head(radius=0.0, centre=(22, 22, 22)):
    """Return a brain of 100 before, with a ball of 200 that is 100 after, and its brain."""
    before = np.full((SIZE,) * 3, 100, np.float32)
    after = before.copy()
    offsets = np.indices(before.shape) - np.reshape(centre, (3, 1, 1, 1))
    distance = np.sqrt((offsets**2).sum(axis=0))
    before[distance < radius] = 200
    return before, after, np.ones(before.shape, dtype=bool)


def atlas():
    regions = np.zeros((SIZE,) * 3, np.uint8)
    regions[:, :, 0], regions[:, :, 1], regions[:, :, 2] = 1, 2, 3
    white = np.zeros(regions.shape, np.float32)
    white[:, :, -4:] = 1
    return regions, TissueMaps(1 - white, white, 0 * white)


def test_index_is_one_without_enhancement_and_has_no_gain():
    before, after, brain = head()
    regions, priors = atlas()
    before[:, :, 0] = 180
    found = measure_contrast(before * 3, after, regions, priors, brain).numbers
    assert list(found) == list(DEFINITIONS)
    assert found["sinuses_index_before"] == pytest.approx(1.8)
    assert found["sinuses_index_after"] == found["choroid_index_before"] == 1
    json.dumps(found, allow_nan=False)


def test_index_is_the_90th_percentile_over_the_median():
    image = np.arange(1.0, 201).reshape(10, 20, 1).astype(np.float32)
    region, white = image <= 101, image > 100
    expected = np.percentile(np.arange(1, 102), 90) / 150.5
    assert enhancement_index(image, region, white) == pytest.approx(expected, abs=1e-4)
    assert enhancement_index(image, image < 10, white) is None


def test_a_region_that_was_cut_away_has_no_index():
    before, after, brain = head()
    regions, priors = atlas()
    before[:, :, 0] = after[:, :, 0] = 0
    found = measure_contrast(before, after, regions, priors, brain).numbers
    assert found["sinuses_index_before"] is None
    assert found["choroid_index_before"] == 1


def test_change_is_counted_in_shares_of_the_median_before():
    before = np.full(100, 50, np.float32)
    after = before.copy()
    after[:30] -= 5.5  # 11 %
    after[30:40] -= 4.5  # 9 %
    after[40:45] += 10
    found = change_statistics(before, after, np.ones(100, dtype=bool))
    assert found["darkened_percent"] == pytest.approx(30)
    assert found["brightened_percent"] == pytest.approx(5)
    assert found["mean_change_percent"] == pytest.approx((-165 - 45 + 50) / 50)


def test_a_large_changed_ball_is_a_lesion_in_words():
    before, after, brain = head(radius=12)
    found = measure_contrast(before, after, *atlas(), brain)
    assert found.numbers["lesion_like_cm3"] == pytest.approx(4 / 3 * np.pi * 1.2**3, rel=0.08)
    assert len(found.flags) == 1
    assert "lesion?" in found.flags[0]


def test_vessels_meninges_and_small_lesions_are_none():
    before, after, brain = head(radius=8)
    small = lesion_volume(before, after, brain)
    assert 0 < small < LESION_CM3
    vessel, without, _ = head()
    vessel[20:25, 20:25, :] = 200
    assert lesion_volume(vessel, without, brain) == 0
    surface, without, _ = head()
    surface[:8] = 200
    assert lesion_volume(surface, without, brain) == 0
    assert measure_contrast(vessel, without, *atlas(), brain).flags == ()


def test_an_image_without_signal_is_said_so():
    before, after, brain = head()
    found = measure_contrast(before * 0, after, *atlas(), brain)
    assert found.flags == ("no signal in the template's brain",)
    assert set(found.numbers.values()) == {None}


@pytest.mark.parametrize(
    "volumes",
    [(623, 501, 388), (520, 440, 357), (900, 640, 460), (650, 480, 90)],
)
def test_plausible_volumes_raise_no_flag(volumes):
    assert segmentation_plausibility(TissueVolumes(*volumes)) == ()


def test_implausible_volumes_are_named():
    assert segmentation_plausibility(TissueVolumes(0, 0, 0)) == (
        "the segmentation found no tissue",
    )
    small = segmentation_plausibility(TissueVolumes(300, 250, 200))
    assert small == ("TIV of 750 cm³ is outside 900–2300",)
    shares = segmentation_plausibility(TissueVolumes(1000, 150, 50))
    assert shares == (
        "GM is 0.83 of TIV, outside 0.25–0.65",
        "WM is 0.12 of TIV, outside 0.18–0.53",
    )
