"""The strength of a trained change, set on whole images.

Patches are normalised by the statistics of their batch, whole images by running averages: a
network trained for a short time finds the right voxels there and changes them too little.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from clinica_gado.inference import Predictor
    from clinica_gado.training.config import AgentIn
    from clinica_gado.training.validation import Trial

logger = logging.getLogger(__name__)

GAINS = (0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
CASE_GAINS = (0.25, 0.5, *GAINS)
"""On cases that were not learned from: what a network is unsure of there is better done by halves,
while those that it learned from would have it in full."""
HEAD = ("head.weight", "head.bias", "head.conv.weight", "head.conv.bias")
"""The last layer of a change-mode network, by its names in both; scaling it scales the change."""


def best_gain(
    predictor: Predictor,
    trials: Iterable[Trial],
    enhancement_weight: float,
    *,
    gains: Sequence[float] = GAINS,
    agent_in: AgentIn = "source",
) -> float:
    """Return the gain on the change that makes the weighted L1 error smallest over the trials.

    Parameters
    ----------
    trials : what is wanted on the scale of the first image, as the change is (`on_one_scale`).
    enhancement_weight : of a voxel that the agent brightens, against another.
    agent_in : which has it, the `source` (the first image) or the `target` (what is wanted).
    """
    errors = np.array(
        [_errors(predictor, trial, enhancement_weight, gains, agent_in) for trial in trials]
    )
    mean = errors.mean(axis=0)
    for gain, error in zip(gains, mean, strict=True):
        logger.info("gain %.2f: error %.5f", gain, error)
    return gains[int(mean.argmin())]


def _errors(
    predictor: Predictor,
    trial: Trial,
    enhancement_weight: float,
    gains: Sequence[float],
    agent_in: AgentIn,
) -> list[float]:
    predicted = predictor.predict(trial.images, region=trial.region).array
    source, wanted, change = (
        image[trial.mask] for image in (trial.first, trial.wanted, predicted - trial.first)
    )
    agent = {"source": source - wanted, "target": wanted - source, "neither": 0 * source}[agent_in]
    weight = np.where(agent > 0, enhancement_weight, 1.0)
    median = float(np.median(source))
    return [
        float(np.average(np.abs(source + gain * change - wanted), weights=weight)) / median
        for gain in gains
    ]


def on_one_scale(trial: Trial) -> Trial:
    """Give what is wanted the median of the first image: two scans have each their own gain.

    A trial that is on one scale already stays as it is: there the agent alone moves the median.
    """
    if trial.same_scale:
        return trial
    medians = (float(np.median(image[trial.mask])) for image in (trial.first, trial.wanted))
    return replace(trial, wanted=trial.wanted * np.float32(next(medians) / next(medians)))


def scale_change(weights: Mapping[str, torch.Tensor], gain: float) -> dict[str, torch.Tensor]:
    """Return weights whose change is `gain` times as strong."""
    return {name: gain * tensor if name in HEAD else tensor for name, tensor in weights.items()}
