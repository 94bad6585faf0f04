"""Each image is segmented once for each engine, whatever is tried around it."""

from __future__ import annotations

import pytest

from clinica_gado.caps import read_sidecar, segmentation_paths
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.validation.measures import image_paths
from clinica_gado.validation.tissue import read_maps, segment_images


@pytest.fixture
def images(make_visit, caps):
    return list(image_paths(make_visit(), caps).values())


def test_maps_and_volumes_lie_beside_the_image(images, segmenter):
    assert segment_images(images, segmenter) == {}
    for image in images:
        sidecar = read_sidecar(segmentation_paths(image).sidecar)
        assert sidecar["Engine"] == "counting"
        assert sidecar["VolumesCm3"]["gm_cm3"] == pytest.approx(8 * 9 * 10 / 1000)
        assert sidecar["VolumesCm3"]["tiv_cm3"] == pytest.approx(8 * 9 * 10 / 1000)
        assert read_maps(image).graymatter.max() == pytest.approx(0.6, abs=0.002)


def test_an_image_is_not_segmented_twice(images, segmenter):
    segment_images(images, segmenter)
    segment_images(images, segmenter)
    assert segmenter.seen == images


def test_an_image_that_changed_is_segmented_again(images, segmenter):
    segment_images(images, segmenter)
    volume = read_volume(images[1])
    save_volume(Volume(volume.data + 1, volume.affine), images[1])
    segment_images(images, segmenter)
    assert segmenter.seen == [*images, images[1]]


def test_other_settings_segment_again(images, segmenter, monkeypatch):
    segment_images(images, segmenter)
    monkeypatch.setattr(segmenter, "describe", lambda: {"Version": 2})
    segment_images(images, segmenter)
    assert segmenter.seen == images * 2


def test_maps_that_cannot_be_saved_fail_their_own_image(make_visit, caps, segmenter):
    ours, others = (
        list(image_paths(make_visit(name), caps).values()) for name in ("sub-1", "sub-2")
    )
    segmentation_paths(ours[0]).sidecar.parent.touch()
    failures = segment_images([*ours, *others], segmenter)
    assert set(failures) == set(ours)
    assert all(read_maps(image) is not None for image in others)


def test_what_failed_is_told_and_tried_again(images, segmenter):
    segmenter.failing = [images[0]]
    assert segment_images(images, segmenter) == {images[0]: f"{images[0].name} broke."}
    assert read_maps(images[0]) is None
    segmenter.failing = []
    assert segment_images(images, segmenter) == {}
    assert segmenter.seen == [*images, images[0]]
