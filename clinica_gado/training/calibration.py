"""The strength of a trained change, set on whole training images.

Patches are normalised by the statistics of their batch, whole images by running averages: a
network trained for a short time finds the right voxels there and changes them too little.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.preprocessing.templates import template_brain

if TYPE_CHECKING:
    import torch

    from clinica_gado.inference import Predictor
    from clinica_gado.training.pairs import Pair

logger = logging.getLogger(__name__)

GAINS = (0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
HEAD = ("head.weight", "head.bias", "head.conv.weight", "head.conv.bias")
"""The last layer of a change-mode network, by its names in both; scaling it scales the change."""


def best_gain(predictor: Predictor, pairs: Iterable[Pair], enhancement_weight: float) -> float:
    """Return the gain on the change that makes the weighted L1 error smallest over the pairs."""
    errors = np.array([_errors(predictor, pair, enhancement_weight) for pair in pairs])
    mean = errors.mean(axis=0)
    for gain, error in zip(GAINS, mean, strict=True):
        logger.info("gain %.2f: error %.5f", gain, error)
    return GAINS[int(mean.argmin())]


def _errors(predictor: Predictor, pair: Pair, enhancement_weight: float) -> list[float]:
    predicted = predictor.predict([pair.source], region=template_brain()).array
    source, target, change = (
        image[pair.mask] for image in (pair.source, pair.target, predicted - pair.source)
    )
    weight = np.where(source > target, enhancement_weight, 1.0)
    median = float(np.median(source))
    return [
        float(np.average(np.abs(source + gain * change - target), weights=weight)) / median
        for gain in GAINS
    ]


def scale_change(weights: Mapping[str, torch.Tensor], gain: float) -> dict[str, torch.Tensor]:
    """Return weights whose change is `gain` times as strong."""
    return {name: gain * tensor if name in HEAD else tensor for name, tensor in weights.items()}
