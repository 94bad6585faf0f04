"""Each image is segmented once for an engine's settings, whoever asks."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.evaluation.tissue_cache import BATCH, TissueCache


def test_an_image_is_segmented_once_whatever_is_compared(tmp_path, segmenter, make_case):
    case = make_case()
    first = TissueCache(tmp_path, segmenter)
    digests = [first.add(image) for image in (case.reference, case.source, case.reference)]
    first.finish()
    assert segmenter.batches == [2]
    assert digests[0] == digests[2] != digests[1]

    again = TissueCache(tmp_path, segmenter)
    assert [again.add(case.reference), again.add(case.target)][0] == digests[0]
    again.finish()
    assert segmenter.batches == [2, 1]


def test_volumes_and_maps_are_those_of_the_image(tmp_path, segmenter, make_case):
    case = make_case()
    cache = TissueCache(tmp_path, segmenter)
    digest = cache.add(case.source)
    assert cache.volumes(digest) is None
    cache.finish()
    bright = case.source > 110
    assert cache.volumes(digest).gm_cm3 == pytest.approx(bright.sum() / 1000)
    np.testing.assert_array_equal(cache.maps(digest).graymatter > 0.5, bright)


def test_other_settings_are_another_result(tmp_path, segmenter, make_case, monkeypatch):
    case = make_case()
    for version in (1, 2):
        monkeypatch.setattr(segmenter, "describe", lambda version=version: {"Version": version})
        cache = TissueCache(tmp_path, segmenter)
        cache.add(case.source)
        cache.finish()
    assert segmenter.batches == [1, 1]


def test_images_wait_for_one_start_of_the_engine(tmp_path, segmenter, make_case):
    cache = TissueCache(tmp_path, segmenter)
    for number in range(BATCH + 1):
        cache.add(make_case().source + number)
    assert segmenter.batches == [BATCH]
    cache.finish()
    cache.finish()
    assert segmenter.batches == [BATCH, 1]


def test_a_failure_is_told_and_not_tried_twice(tmp_path, failing_segmenter, make_case):
    cache = TissueCache(tmp_path, failing_segmenter)
    digest = cache.add(make_case().source)
    cache.finish()
    assert (cache.volumes(digest), cache.failures) == (None, {digest: "it broke."})
    cache.add(make_case().source)
    cache.finish()
    assert failing_segmenter.batches == [1]
