"""The training loop: patches of real pairs, change mode, L1, Adam, an average of the weights."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from clinica_gado.training.patches import Arrays, PatchSampler

if TYPE_CHECKING:
    from clinica_gado.training.pairs import ScaledPair

logger = logging.getLogger(__name__)

LOG_EVERY_STEPS = 50


@dataclass(frozen=True)
class TrainingConfig:
    """What a run does.

    Attributes
    ----------
    steps, batch_size : optimiser steps, and patches in each.
    patch_size : voxels a side, a multiple of 16.
    learning_rate : its highest value; it warms up and decays by one cosine cycle.
    enhancement_weight : weight of an enhancing voxel against any other in the L1 loss.
    ema_decay : share of the running average of the weights kept at each step.
    """

    steps: int = 3000
    batch_size: int = 2
    patch_size: int = 96
    learning_rate: float = 2e-3
    enhancement_weight: float = 4.0
    ema_decay: float = 0.98
    seed: int = 0


def train(
    network: nn.Module,
    pairs: Sequence[ScaledPair],
    config: TrainingConfig,
    on_progress: Callable[[nn.Module], None] = lambda average: None,
) -> nn.Module:
    """Fit a network to pairs and return the running average of its weights.

    `on_progress` is given that average now and then, to keep it should the run be interrupted.
    """
    torch.manual_seed(config.seed)
    sampler = PatchSampler(pairs, config.patch_size, np.random.default_rng(config.seed))
    network.train()
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=config.learning_rate, total_steps=config.steps, pct_start=0.1
    )
    average = AveragedModel(
        network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True
    )
    started, losses = time.monotonic(), []
    for step, batch in enumerate(draw_ahead(sampler, config), start=1):
        source, target, mask = (torch.from_numpy(array) for array in batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            predicted = network(source.to(memory_format=torch.channels_last_3d))
        loss = weighted_l1(predicted.float(), source, target, mask, config.enhancement_weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        losses.append(loss.item())
        if step % LOG_EVERY_STEPS == 0:
            _log_progress(step, config.steps, losses, time.monotonic() - started)
            losses.clear()
            on_progress(average.module)
    return average.module.eval()


def draw_ahead(sampler: PatchSampler, config: TrainingConfig) -> Iterator[Arrays]:
    """Yield one batch a step, the next being drawn meanwhile; the order of draws is fixed."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = pool.submit(sampler.batch, config.batch_size)
        for _ in range(config.steps):
            batch = waiting.result()
            waiting = pool.submit(sampler.batch, config.batch_size)
            yield batch


def weighted_l1(
    predicted: torch.Tensor,
    source: torch.Tensor,
    target: torch.Tensor,
    mask: torch.Tensor,
    enhancement_weight: float,
) -> torch.Tensor:
    """Return the weighted mean absolute error in the mask; (B, 1, D, H, W) each."""
    weight = mask * torch.where(source > target, enhancement_weight, 1.0)
    return (weight * (predicted - target).abs()).sum() / weight.sum().clamp(min=1.0)


def _log_progress(step: int, steps: int, losses: Sequence[float], seconds: float) -> None:
    left_min = seconds / step * (steps - step) / 60
    logger.info(
        "step %d/%d: loss %.5f, %.2f s a step, %.0f min left",
        *(step, steps, float(np.mean(losses)), seconds / step, left_min),
    )
