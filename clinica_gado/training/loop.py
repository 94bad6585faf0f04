"""The training loop."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from clinica_gado.errors import TrainingError
from clinica_gado.training.checkpoint import CHECKPOINT_NAME, TrainingState, average_of
from clinica_gado.training.logs import RunLog
from clinica_gado.training.losses import measure_losses
from clinica_gado.training.patches import PatchDataset, Turns, as_batch, load_batches

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from clinica_gado.training.config import LossConfig, OptimisationConfig, TrainingConfig

logger = logging.getLogger(__name__)

MAX_LEFT_OUT = 10
"""Steps in a row without a finite gradient that end a run."""
Validate = Callable[[TrainingState], Mapping[str, float]]
"""Judges the average of the weights, keeps it if it is the best, and returns what to log."""


@dataclass(frozen=True)
class Course:
    """A run: what decides its numbers, and where it leaves its state.

    Attributes
    ----------
    n_steps : optimiser steps.
    folder : of the checkpoint and the logs.
    workers : processes that draw patches ahead; they do not change the numbers.
    data : names of what is learned from; a run goes on with the same ones only.
    """

    config: TrainingConfig
    n_steps: int
    folder: Path
    workers: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def request(self) -> dict[str, Any]:
        """What an interrupted run and the one that goes on must agree on."""
        return {"config": asdict(self.config), "n_steps": self.n_steps, "data": dict(self.data)}


def train(
    network: nn.Module, dataset: PatchDataset, course: Course, fabric: Fabric, validate: Validate
) -> nn.Module:
    """Fit a network and return the running average of its weights.

    A run that was interrupted goes on from its last checkpoint to the numbers that it would have
    reached.
    """
    config, accumulate = course.config, course.config.optimisation.accumulate
    prepare_to_learn(network, config.optimisation.norm_statistics)
    optimiser = make_optimiser(network, config.optimisation)
    model, fitted = fabric.setup(network, optimiser)
    average = average_of(network, config.optimisation.ema_decay)
    state = TrainingState(network, optimiser, average)
    state.resume(course.folder / CHECKPOINT_NAME, course.request)
    batches = iter(_loader(dataset, course, state.step, fabric))
    log = RunLog(course.folder, state.step, course.n_steps) if fabric.is_global_zero else None
    guard = GradientGuard()
    while state.step < course.n_steps:
        buffers = [buffer.clone() for buffer in network.buffers()]
        loss, rate = stage_of(config, state.step, course.n_steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        for part in range(1, accumulate + 1):
            batch = as_batch(
                next(batches), t1w=config.t1w_channel, adds_contrast=config.adds_contrast
            )
            with fabric.no_backward_sync(model, enabled=part < accumulate):
                predicted = model(batch.source.contiguous(memory_format=torch.channels_last_3d))
                losses = measure_losses(predicted.float(), batch, loss)
                fabric.backward(losses["loss"] / accumulate)
        if guard.let_pass(_clip(fabric, model, fitted, config.optimisation.clip_norm)):
            fitted.step()
            average.update_parameters(network)
        else:
            restore(network, buffers)
        fitted.zero_grad()
        state.step += 1
        if log is not None:
            numbers = {name: value.item() for name, value in losses.items()}
            log.record(state.step, {"learning_rate": rate, **numbers})
        if state.step % config.validation.validate_every == 0 or state.step == course.n_steps:
            _keep(state, course, log, validate)
            fabric.barrier()
    return average.module.eval()


class GradientGuard:
    """Leaves out a step whose gradient is not finite, as mixed precision now and then has one."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def let_pass(self, norm: float) -> bool:
        """Tell whether to make a step whose gradient has this norm.

        Raises
        ------
        TrainingError
            `MAX_LEFT_OUT` steps in a row had none that is finite.
        """
        if math.isfinite(norm):
            self._in_a_row = 0
            return True
        self._in_a_row += 1
        if self._in_a_row == MAX_LEFT_OUT:
            raise TrainingError(
                f"The gradient was not finite in {MAX_LEFT_OUT} steps in a row: the run diverged, "
                "or an image has no scale. Try a lower --learning-rate, or --precision fp32."
            )
        logger.warning("A step is left out: its gradient is not finite.")
        return False


def restore(network: nn.Module, buffers: Iterable[torch.Tensor]) -> None:
    """Give a network the buffers kept from before a step: batch norms have seen what it saw."""
    for buffer, kept in zip(network.buffers(), buffers, strict=True):
        buffer.copy_(kept)


def _clip(
    fabric: Fabric, model: nn.Module, optimiser: torch.optim.Optimizer, max_norm: float
) -> float:
    """Shorten the gradient to a norm, of any length if 0; return the norm that it had."""
    norm = fabric.clip_gradients(
        model, optimiser, max_norm=max_norm or math.inf, error_if_nonfinite=False
    )
    return math.nan if norm is None else float(norm)  # None is of clipping by value


def prepare_to_learn(network: nn.Module, norm_statistics: str) -> None:
    """Set a network to training, channels last; batch norms go by what `OptimisationConfig` says.

    A batch of two patches tells little of whole images: going by it, a network that is refined
    briefly learns another scale than the one it is used with.
    """
    network.train().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    if norm_statistics == "running":
        for module in network.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eval()


def _keep(state: TrainingState, course: Course, log: RunLog | None, validate: Validate) -> None:
    """Validate, and leave a state that can be resumed; by the first process alone."""
    if log is None:
        return
    log.add(validate(state))
    state.save(course.folder / CHECKPOINT_NAME, course.request)
    log.write()


def _loader(dataset: PatchDataset, course: Course, step: int, fabric: Fabric) -> Any:
    accumulate = course.config.optimisation.accumulate
    turns = Turns(
        first=step * accumulate,
        last=course.n_steps * accumulate,
        batch_size=course.config.data.batch_size,
        rank=fabric.global_rank,
        world=fabric.world_size,
    )
    loader = load_batches(dataset, turns, course.workers)
    return fabric.setup_dataloaders(loader, use_distributed_sampler=False)


def make_optimiser(network: nn.Module, config: OptimisationConfig) -> torch.optim.Optimizer:
    """Return the optimiser of a configuration."""
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[config.optimiser](
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )


def stage_of(config: TrainingConfig, step: int, n_steps: int) -> tuple[LossConfig, float]:
    """Return the losses and the learning rate of a step, of the first stage or the second.

    The schedule of the learning rate is that of the first stage.
    """
    tuning = config.fine_tuning
    n_first = n_steps - round(tuning.fine_tuning_share * n_steps)
    if step < n_first:
        return config.loss, learning_rate(config.optimisation, step, n_first)
    loss = replace(
        config.loss,
        l1=tuning.fine_tuning_l1,
        l2=tuning.fine_tuning_l2,
        ssim=tuning.fine_tuning_ssim,
        local=tuning.fine_tuning_local,
    )
    return loss, tuning.fine_tuning_rate


def learning_rate(config: OptimisationConfig, step: int, n_steps: int) -> float:
    """Return the learning rate of a step, the first being 0: it depends on nothing else."""
    if config.schedule == "constant":
        return config.learning_rate
    n_warm_up = round(config.warm_up * n_steps)
    if step < n_warm_up:
        return config.learning_rate * (step + 1) / n_warm_up
    share = (step - n_warm_up) / max(n_steps - n_warm_up, 1)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
