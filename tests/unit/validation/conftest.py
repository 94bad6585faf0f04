"""A visit as t1-gado-removal leaves it in CAPS, with images of a few voxels."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.bids import NO_EVIDENCE, Job, Visit
from clinica_gado.caps import reference_paths, removal_paths
from clinica_gado.files import write_json
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.segmentation.segmenter import TissueMaps

SHAPE = (8, 9, 10)


class CountingSegmenter:
    """Calls a third of each image each tissue, and remembers what it was given."""

    name = "counting"

    def __init__(self, failing=()):
        self.seen, self.failing = [], failing

    def describe(self):
        return {"Version": 1, "Regularisation": (0, 0.5)}

    def segment(self, images, save):
        self.seen += images
        for image in images:
            if image not in self.failing:
                save(image, TissueMaps(*(np.full(SHAPE, p, np.float32) for p in (0.6, 0.3, 0.1))))
        return {image: f"{image.name} broke." for image in images if image in self.failing}


@pytest.fixture
def segmenter():
    return CountingSegmenter()


@pytest.fixture
def make_visit(tmp_path):
    """Return a function that writes the images of a visit and returns its job."""

    def make(participant="sub-01", with_reference=True):
        visit = Visit(participant, "ses-M000")
        anat = tmp_path / "bids" / participant / "ses-M000" / "anat"
        source = anat / f"{participant}_ses-M000_ce-gadolinium_T1w.nii.gz"
        reference = anat / f"{participant}_ses-M000_T1w.nii.gz" if with_reference else None
        job = Job(visit, source, NO_EVIDENCE, reference=reference)
        paths = removal_paths(tmp_path / "caps", source, visit)
        images = [source, paths.linear, paths.image]
        if reference is not None:
            images += [reference, reference_paths(tmp_path / "caps", job).image]
        for number, path in enumerate(images):
            values = np.random.default_rng(number).random(SHAPE, dtype=np.float32)
            save_volume(Volume(values, CROP_GRID.affine), path)
        write_json(paths.sidecar, {"Registration": {"flags": []}})
        return job

    return make


@pytest.fixture
def caps(tmp_path):
    return tmp_path / "caps"
