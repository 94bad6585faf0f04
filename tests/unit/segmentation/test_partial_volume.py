"""Sharpening, and the voxels between two tissues, on images small enough to check by hand."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from clinica_gado.preprocessing.images import Volume
from clinica_gado.segmentation.partial_volume import share_with_csf, share_with_white, sharpen
from clinica_gado.segmentation.segmenter import TissueMaps


def half_and_half(grey_level, csf_level):
    """Return 400 voxels: grey matter, CSF, a mix of both taken for grey matter, white matter."""
    kinds = np.repeat(np.arange(4), 100).reshape(20, 20, 1)
    image = np.select(
        [kinds == 0, kinds == 1, kinds == 2], [grey_level, csf_level, 0.4 * grey_level], 100.0
    )
    grey = np.select([kinds == 0, kinds == 2], [0.95, 0.8], 0.0)
    csf = np.select([kinds == 1, kinds == 2], [0.95, 0.1], 0.0)
    white = np.where(kinds == 3, 1.0, 0.0)
    maps = TissueMaps(*(map_.astype(np.float32) for map_ in (grey, white, csf)))
    return Volume(image.astype(np.float32), np.eye(4)), maps, kinds


def test_what_is_darker_than_half_way_becomes_csf():
    volume, maps, kinds = half_and_half(grey_level=80.0, csf_level=20.0)
    shared = share_with_csf(volume, maps, sure=0.9)
    mixed = kinds == 2
    np.testing.assert_allclose(shared.graymatter[mixed], 0.9 * (32 - 20) / 60, rtol=1e-5)
    np.testing.assert_allclose(shared.csf[mixed], 0.9 * (80 - 32) / 60, rtol=1e-5)
    np.testing.assert_allclose(
        shared.graymatter + shared.csf, maps.graymatter + maps.csf, rtol=1e-5
    )
    np.testing.assert_array_equal(shared.whitematter, maps.whitematter)


def test_nothing_is_shared_where_csf_is_not_darker():
    volume, maps, _ = half_and_half(grey_level=50.0, csf_level=60.0)
    assert share_with_csf(volume, maps, sure=0.9) is maps
    assert share_with_csf(volume, maps, sure=0.99) is maps


def test_grey_matter_brighter_than_half_way_becomes_white_where_the_atlas_has_white():
    kinds = np.repeat(np.arange(4), 200).reshape(20, 40, 1)
    image = np.array([60.0, 100.0, 92.0, 70.0])[kinds].astype(np.float32)
    grey = np.array([0.95, 0.0, 0.8, 0.8])[kinds].astype(np.float32)
    white = np.array([0.0, 0.95, 0.1, 0.1])[kinds].astype(np.float32)
    maps = TissueMaps(grey, white, np.zeros_like(grey))
    may_be_white = np.broadcast_to(np.arange(40)[None, :, None] < 20, kinds.shape)
    shared = share_with_white(Volume(image, np.eye(4)), maps, may_be_white, sure=0.9)
    changed = (kinds == 2) & may_be_white
    np.testing.assert_allclose(shared.whitematter[changed], 0.9 * 0.8, rtol=1e-5)
    np.testing.assert_allclose(shared.graymatter[changed], 0.9 * 0.2, rtol=1e-5)
    np.testing.assert_array_equal(shared.graymatter[~changed], grey[~changed])
    np.testing.assert_array_equal(shared.whitematter[~changed], white[~changed])


def test_sharpening_undoes_a_part_of_a_blur_and_keeps_what_is_zero_or_even():
    sulcus = np.full((20, 20, 20), 80.0, dtype=np.float32)
    sulcus[10] = 20.0
    blurred = ndimage.gaussian_filter(sulcus, 0.6)
    blurred[:2] = 0.0
    sharp = sharpen(Volume(blurred, np.eye(4)), 1.5, 0.7).data
    assert abs(sharp[10] - 20.0).max() < 0.5 * abs(blurred[10] - 20.0).min()
    assert not sharp[:2].any()
    assert (sharp[2:] > 0).all()
    np.testing.assert_allclose(sharp[16:], 80.0, rtol=1e-3)
