"""What it costs to learn to add contrast from whole simulated heads, on one thread.

    python benchmarks/enhancement_training.py [HEAD_DSEG.nii.gz] [--inputs T1w,T2w,FLAIR] …

Prints seconds of a processor, which a busy machine hardly changes: to simulate a case on the
network's grid, to vary it anew, and of a training step of one case (forward, L1, backward, Adam),
the median of the steps but for the first; and the most memory held until then.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import torch
from segmentation import FIRST_HEAD

from clinica_gado.training.blueprint import blueprint_of
from clinica_gado.training.config import TrainingConfig, with_changes
from clinica_gado.training.heads import simulated_patches
from clinica_gado.training.loop import make_optimiser, prepare_to_learn
from clinica_gado.training.losses import measure_losses
from clinica_gado.training.patches import as_batch

Result = TypeVar("Result")


def main() -> None:
    """Measure a case and some steps, and print a line of each."""
    options = parse_options()
    if not options.label_map.is_file():
        print(f"skipped: there is no label map {options.label_map}")
        return
    torch.set_num_threads(1)
    config = config_of(options)
    blueprint = blueprint_of(config)
    network = blueprint.build()
    patches = simulated_patches((options.label_map,), config, blueprint, network)
    assert patches is not None
    case, simulating = timed(lambda: patches.patch(0, np.random.default_rng(0)))
    _, varying = timed(lambda: patches.patch(0, np.random.default_rng(1)))
    shape = "x".join(map(str, case.shape[1:]))
    report(f"a case of {options.inputs}, {shape}", simulating)
    report("the same, varied anew", varying)
    prepare_to_learn(network, config.optimisation.norm_statistics)
    step = make_step(network, case, config)
    seconds = [timed(step)[1] for _ in range(options.steps + 1)]
    report(f"a step of {config.network.architecture}, C = {options.width}", median(seconds[1:]))


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("label_map", nargs="?", type=Path, default=FIRST_HEAD)
    parser.add_argument("--inputs", default="T1w,T2w,FLAIR")
    parser.add_argument("--width", type=int, default=8, help="maps at full resolution [8]")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--steps", type=int, default=3, help="that count [3]")
    return parser.parse_args()


def config_of(options: argparse.Namespace) -> TrainingConfig:
    """Return the network of Bône 2021 on its grid, making a change, and the rest as by default."""
    network = {"architecture": "strided_residual_unet", "grid": "mni-160x192x160"}
    given = {"inputs": options.inputs, "width": options.width, "precision": options.precision}
    data = {"target": "enhanced", "patch_size": 0, "batch_size": 1, "heads_in_memory": 1}
    return with_changes(TrainingConfig(), {**network, **given, **data})


def make_step(
    network: torch.nn.Module, case: torch.Tensor, config: TrainingConfig
) -> Callable[[], None]:
    """Return a function that does one training step on a case."""
    optimiser = make_optimiser(network, config.optimisation)
    batch = as_batch(case[None], t1w=config.t1w_channel, adds_contrast=True)
    images = batch.source.contiguous(memory_format=torch.channels_last_3d)
    is_mixed = config.optimisation.precision == "bf16"

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_mixed):
            predicted = network(images)
        measure_losses(predicted.float(), batch, config.loss)["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return what a function returns and the seconds of a processor that it took."""
    started = time.process_time()
    return work(), time.process_time() - started


def report(what: str, seconds: float) -> None:
    """Print a line; Linux counts memory in KiB."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what}: {seconds:.1f} s, {held:.1f} GiB at most", flush=True)


if __name__ == "__main__":
    main()
