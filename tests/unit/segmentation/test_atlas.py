"""The shipped tissue atlas and the regions that enhance."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.errors import ResourceError
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.segmentation import atlas
from clinica_gado.segmentation.segmenter import TISSUES

X, Y, Z = (
    origin + np.arange(size) for origin, size in zip(CROP_GRID.origin, CROP_GRID.shape, strict=True)
)


@pytest.fixture
def unread():
    """Have the files read again."""
    loaders = (atlas.load_tissue_priors, atlas.load_enhancing_regions)
    for loader in loaders:
        loader.cache_clear()
    yield
    for loader in loaders:
        loader.cache_clear()


def test_priors_are_symmetric_probabilities_that_fill_the_brain():
    maps = [getattr(atlas.load_tissue_priors(), tissue) for tissue in TISSUES]
    total = sum(maps)
    assert total.shape == CROP_GRID.shape
    assert all(map_.min() >= 0 for map_ in maps)
    assert total.max() <= 1.02
    for map_ in maps:
        np.testing.assert_array_equal(map_, map_[::-1])
    assert total[template_brain()].mean() > 0.9
    assert total[~template_brain()].mean() < 0.05


def test_each_tissue_is_where_it_belongs():
    priors = atlas.load_tissue_priors()

    def at(tissue, x, y, z):
        return getattr(priors, tissue)[int(x + 84), int(y + 119), int(z + 78)]

    assert at("whitematter", 26, -20, 30) > 0.8  # corona radiata
    assert at("graymatter", 12, -18, 8) > 0.8  # thalamus
    assert at("csf", 8, 8, 12) > 0.5  # lateral ventricle
    assert at("csf", 0, 0, -75) < 0.1


def test_each_enhancing_region_is_where_it_belongs():
    regions = atlas.load_enhancing_regions()
    assert regions.shape == CROP_GRID.shape
    assert set(np.unique(regions)) == {0, *atlas.ENHANCING_REGIONS.values()}
    centre = {
        name: np.argwhere(regions == label).mean(axis=0) + CROP_GRID.origin
        for name, label in atlas.ENHANCING_REGIONS.items()
    }
    assert all(abs(place[0]) < 1 for place in centre.values())
    assert centre["sinuses"][1] < -40
    assert -60 < centre["choroid"][1] < -18
    assert 0 < centre["choroid"][2] < 30
    assert centre["vessels"][2] < -20


@pytest.mark.parametrize("name", list(atlas.SHA256))
def test_an_altered_resource_is_refused(name, unread, monkeypatch):
    monkeypatch.setitem(atlas.SHA256, name, "0" * 64)
    loaders = {
        "tissue_priors.nii.gz": atlas.load_tissue_priors,
        "enhancing_regions.nii.gz": atlas.load_enhancing_regions,
    }
    with pytest.raises(ResourceError, match="missing or altered"):
        loaders[name]()
