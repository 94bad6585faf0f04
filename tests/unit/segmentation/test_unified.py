"""Unified segmentation of a phantom whose atlas is off, in a bias field."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from clinica_gado.errors import SegmentationError
from clinica_gado.evaluation.overlap import dice
from clinica_gado.segmentation.segmenter import TISSUES, TissueMaps
from clinica_gado.segmentation.unified import (
    UnifiedModel,
    UnifiedParameters,
    segment_unified,
    smooth_priors,
)

SIDE = 40
LEVELS = (90.0, 110.0, 50.0)
FIELD = np.exp(0.25 * np.linspace(-1, 1, SIDE))[:, None, None]


def shells(centre, scale=1.0):
    """Return grey matter, white matter and CSF: shells around white matter."""
    distance = np.sqrt(((np.mgrid[:SIDE, :SIDE, :SIDE].T - centre) ** 2).sum(-1)).T / scale
    white, brain, all_ = distance < 9, distance < 13, distance < 16
    return np.stack([brain & ~white, white, all_ & ~brain])


@pytest.fixture(scope="module")
def atlas():
    return TissueMaps(*shells(np.array([19.5, 19.5, 19.5])).astype(np.float32))


@pytest.fixture(scope="module")
def brain():
    truth = shells(np.array([20.5, 19.5, 18.9]))
    clean = np.einsum("t,txyz->xyz", LEVELS, truth)
    noise = np.random.default_rng(0).normal(0, 4, clean.shape)
    return truth, np.where(clean > 0, (clean + noise) * FIELD, 0).astype(np.float32)


PARAMETERS = UnifiedParameters(step=2, prior_sigma_mm=1.0, bias_fwhm_mm=20.0)


def test_tissues_are_found_in_a_field_with_an_atlas_that_is_off(atlas, brain):
    truth, image = brain
    maps = segment_unified(image, atlas, PARAMETERS)
    assert dice(maps.graymatter > 0.5, truth[0]) > 0.95
    assert dice(maps.whitematter > 0.5, truth[1]) > 0.95
    # What is no tissue has no brightness of its own here, and takes the layers at the atlas's rim.
    deep = ndimage.binary_erosion(truth.any(0), iterations=2)
    assert (maps.csf > 0.5)[truth[2] & deep].mean() > 0.95
    assert (maps.csf > 0.5)[truth[0] | truth[1]].mean() < 0.02


def test_the_field_is_found(atlas, brain):
    model = UnifiedModel(brain[1], smooth_priors(atlas, 1.0), PARAMETERS)
    model.fit()
    left = (model.bias.everywhere.numpy() * FIELD)[brain[1] > 0]
    before = np.broadcast_to(FIELD, brain[1].shape)[brain[1] > 0]
    assert before.std() / before.mean() > 0.09
    assert left.std() / left.mean() < 0.03


def test_the_scale_of_intensities_does_not_matter(atlas, brain):
    # A power of two is exact: anything else would follow another path of rounding.
    one, other = (segment_unified(s * brain[1], atlas, PARAMETERS) for s in (1.0, 64.0))
    np.testing.assert_array_equal(one.graymatter, other.graymatter)


def test_the_number_of_threads_does_not_matter(atlas, brain):
    before = torch.get_num_threads()
    maps = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            maps.append(segment_unified(brain[1], atlas, PARAMETERS))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for tissue in TISSUES:
        np.testing.assert_array_equal(getattr(maps[0], tissue), getattr(maps[1], tissue))


def test_a_brain_without_contrast_is_refused(atlas, brain):
    flat = (brain[1] > 0).astype(np.float32)
    with pytest.raises(SegmentationError, match="told apart"):
        segment_unified(flat, atlas, PARAMETERS)
