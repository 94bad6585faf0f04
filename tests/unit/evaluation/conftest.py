"""Cases of a few voxels, and a segmenter that counts what it is given."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from clinica_gado.bids import Visit
from clinica_gado.evaluation.cases import Case
from clinica_gado.evaluation.lesions import Lesions
from clinica_gado.inference import Prediction
from clinica_gado.segmentation.segmenter import TissueMaps

SHAPE = (20, 22, 24)


def _arrays(seed=0):
    """Return source, reference and target with one enhancing cube in a noisy brain."""
    rng = np.random.default_rng(seed)
    brain = np.zeros(SHAPE, dtype=bool)
    brain[3:17, 3:19, 3:21] = True
    tissue = 100 + 30 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 1) * 4
    target = np.where(brain, np.clip(tissue, 20, None), 0).astype(np.float32)
    noise = rng.normal(0, 2, SHAPE)
    reference = np.where(brain, np.sqrt(np.abs(target + noise)) * 7, 0).astype(np.float32)
    source = target.copy()
    source[8:12, 8:12, 8:12] += 120
    return source, reference, target, brain


def _case(participant="sub-01", seed=0, labelled=True):
    source, reference, target, brain = _arrays(seed)
    whole = np.zeros(SHAPE, dtype=bool)
    whole[6:12, 8:12, 8:12] = True
    enhancing = np.zeros(SHAPE, dtype=bool)
    enhancing[9:12, 8:12, 8:12] = True
    lesions = Lesions(whole, enhancing) if labelled else None
    return Case(Visit(participant, "ses-M000"), source, reference, target, brain, lesions)


class CountingSegmenter:
    """Tissue by thresholds of brightness; remembers how many images it was given, and when."""

    name = "counting"

    def __init__(self, failing=False):
        self.batches, self.failing = [], failing

    def describe(self):
        return {"Version": 1, "Regularisation": (0, 0.5)}

    def segment(self, images, save):
        from clinica_gado.preprocessing.images import read_volume

        self.batches.append(len(images))
        if self.failing:
            return dict.fromkeys(images, "it broke.")
        for image in images:
            data = read_volume(image).data
            classes = (data > 110, (data > 80) & (data <= 110), (data > 0) & (data <= 80))
            save(image, TissueMaps(*(mask.astype(np.float32) for mask in classes)))
        return {}


class FakePredictor:
    """A model that scales its input, or breaks."""

    def __init__(self, gain=1.0, broken=False):
        self.gain, self.broken = gain, broken

    def predict(self, images, region=None):
        if self.broken:
            raise RuntimeError("out of memory\nand a traceback")
        return Prediction(images[0] * np.float32(self.gain), None, "cpu", "fp32", 1)


@pytest.fixture
def segmenter():
    return CountingSegmenter()


@pytest.fixture(scope="session")
def make_arrays():
    """Return a function that makes source, reference, target and brain of a seed."""
    return _arrays


@pytest.fixture(scope="session")
def make_case():
    """Return a function that makes a case."""
    return _case


@pytest.fixture
def failing_segmenter():
    return CountingSegmenter(failing=True)


@pytest.fixture(scope="session")
def make_predictor():
    """Return a function that makes a model of a gain, or one that breaks."""
    return FakePredictor
