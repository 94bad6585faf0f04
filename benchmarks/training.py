"""What makes a training step fast: layout, precision, normalisation layer, patch and width.

    python benchmarks/training.py [--network attention_unet] [--width 16] [--patch 64]
    python benchmarks/training.py --device cuda --patch 96

The plain loop is fp32 in the default layout, with the network's own batch norm. Everything else is
given as a ratio against it, of voxels learned from per second, measured in the same run: a step is
forward, L1, backward and Adam on one random patch that is already there. The variants take turns,
so that a busy machine slows them all alike; each has the median of its steps but for the first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import nn

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "instance": lambda channels: nn.InstanceNorm3d(channels, affine=True),
    "group(C, C)": lambda channels: nn.GroupNorm(channels, channels),
    "group(8)": lambda channels: nn.GroupNorm(min(8, channels), channels),
}


@dataclass(frozen=True)
class Variant:
    """One way of training."""

    width: int
    patch: int
    bf16: bool = False
    channels_last: bool = False
    norm: str = "batch"

    def __str__(self) -> str:
        layout = "channels-last" if self.channels_last else "contiguous"
        precision = "bf16" if self.bf16 else "fp32"
        return f"{precision}, {layout}, {self.norm} norm, width {self.width}, patch {self.patch}"


def main() -> None:
    """Time every variant and print one table."""
    options = parse_options()
    plain = Variant(options.width, options.patch)
    variants = variants_around(plain)
    steps = {variant: make_step(options.network, variant, options.device) for variant in variants}
    seconds: dict[Variant, list[float]] = {variant: [] for variant in variants}
    for _ in range(options.repeats + 1):
        for variant, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[variant].append(time.perf_counter() - started)
    report({variant: median(times[1:]) for variant, times in seconds.items()}, plain)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    networks = ("attention_unet", "residual_unet")
    parser.add_argument("--network", choices=networks, default=networks[0])
    parser.add_argument("--width", type=int, default=8, help="of the plain loop [8]")
    parser.add_argument("--patch", type=int, default=64, help="voxels a side, plain loop [64]")
    parser.add_argument("--device", default="cpu", help="cpu or cuda [cpu]")
    parser.add_argument("--repeats", type=int, default=5, help="steps that count [5]")
    return parser.parse_args()


def variants_around(plain: Variant) -> list[Variant]:
    """Return the plain loop, what can be changed about it, and what the fast one scales like."""
    fast = replace(plain, bf16=True, channels_last=True)
    smaller, larger = (max(32, round(plain.patch * f / 32) * 32) for f in (0.5, 1.5))
    return [
        plain,
        replace(plain, channels_last=True),
        replace(plain, bf16=True),
        fast,
        *(replace(fast, norm=norm) for norm in NORMS),
        *(replace(fast, patch=patch) for patch in (smaller, larger)),
        *(replace(fast, width=width) for width in (plain.width // 2, plain.width * 2)),
    ]


def make_step(network_name: str, variant: Variant, device: str) -> Callable[[], None]:
    """Return a function that does one training step and waits for its end."""
    network = build(network_name, variant).to(device)
    patch = torch.rand(1, 1, *(3 * [variant.patch]), device=device)
    target = torch.rand_like(patch)
    if variant.channels_last:
        network.to(memory_format=torch.channels_last_3d)
        patch = patch.contiguous(memory_format=torch.channels_last_3d)
    optimiser = torch.optim.Adam(network.parameters())

    def step() -> None:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=variant.bf16):
            predicted = network(patch)
        loss = (predicted.float() - target).abs().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        loss.item()

    return step


def build(network_name: str, variant: Variant) -> nn.Module:
    """Build the network, its norms replaced."""
    from clinica_gado.models.registry import build_network

    torch.manual_seed(0)
    network = build_network({"name": network_name, "width": variant.width, "output": "change"})
    if variant.norm in NORMS:
        replace_norms(network, NORMS[variant.norm])
    return network.train()


def replace_norms(module: nn.Module, make: Callable[[int], nn.Module]) -> None:
    """Put another layer in the place of every batch norm of more than one map, and group norm."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm3d) and child.num_features > 1:
            setattr(module, name, make(child.num_features))
        elif isinstance(child, nn.GroupNorm):
            setattr(module, name, make(child.num_channels))
        else:
            replace_norms(child, make)


def report(seconds: dict[Variant, float], plain: Variant) -> None:
    """Print steps and voxels per second, and the ratio against the plain loop."""
    print(f"{'steps/s':>9}{'ratio':>8}   variant (ratio: voxels per second against the first)")
    for variant, one in seconds.items():
        ratio = variant.patch**3 / one / (plain.patch**3 / seconds[plain])
        print(f"{1 / one:9.2f}{ratio:8.2f}   {variant}")


if __name__ == "__main__":
    main()
