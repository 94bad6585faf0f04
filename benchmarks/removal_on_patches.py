"""How much of the agent a network leaves in simulated patches, beside how much there is.

    python benchmarks/removal_on_patches.py [LABEL_MAPS] [--model ID] [--heads 15 16] [--patches 12]

The patches are those that networks learn from, of heads that none did: no registration, no bias
correction and no other sequence lies between what was learned and what is asked. What is left here,
more or better training could take away. Each row is a part of the patches, chosen by the image
without agent (white matter is 1) and by the excess of the one with agent: mean excess, what is left
of it (below 0: too much is taken), that as a share of the excess, and the mean absolute error.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from segmentation import LABEL_MAPS

from clinica_gado.gado_removal import PIPELINE as REMOVAL
from clinica_gado.models.bundle import default_bundle, find_bundle, load_bundle
from clinica_gado.simulation.stream import PairStream
from clinica_gado.training.heads import WHITE_MATTER

LEVEL = float(np.mean(WHITE_MATTER))
"""White matter on the scale of a network."""
ANY = (-np.inf, np.inf)
PARTS = {
    "CSF": ((0.15, 0.4), ANY),
    "grey matter": ((0.55, 0.85), ANY),
    "white matter": ((0.9, 1.1), ANY),
    "excess .02 to .1": (ANY, (0.02, 0.1)),
    "excess .1 to .3": (ANY, (0.1, 0.3)),
    "excess from .3": (ANY, (0.3, np.inf)),
    "CSF, excess from .3": ((0.15, 0.4), (0.3, np.inf)),
}
"""Ranges of the image without agent, and of the excess."""
Values = NDArray[np.float32]


class Voxels(NamedTuple):
    """What counts of all patches, (n,) each, white matter at 1: with agent, without, and made."""

    source: Values
    target: Values
    made: Values


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("label_maps", type=Path, nargs="?", default=LABEL_MAPS)
    parser.add_argument("--model", action="append", help="id or folder; repeatable [the default]")
    parser.add_argument("--heads", nargs="+", type=int, default=[15, 16], help="[15 16]")
    parser.add_argument("--patches", type=int, default=12, help="[12]")
    parser.add_argument("--seed", type=int, default=77, help="of the patches [77]")
    options = parser.parse_args()
    if not options.label_maps.is_dir():
        print(f"skipped: there is no {options.label_maps}")
        return
    for model in options.model or [default_bundle(REMOVAL).name]:
        network = load_bundle(find_bundle(model)).load_network().eval()
        parts = [np.concatenate(part) for part in zip(*run(network, options), strict=True)]
        print(f"{model}\n{'':20}{'excess':>8}{'left':>8}{'share':>8}{'error':>8}")
        for name, ranges in PARTS.items():
            tell(name, Voxels(*parts), ranges)


def run(network: torch.nn.Module, options: argparse.Namespace) -> Iterator[Voxels]:
    """Let a network treat each patch."""
    paths = [options.label_maps / f"head_{head:02d}_dseg.nii.gz" for head in options.heads]
    stream = PairStream(paths, seed=options.seed)
    for number in range(options.patches):
        patch = stream.patch(number)
        with torch.inference_mode():
            made = network(LEVEL * patch.source[None, None])[0, 0] / LEVEL
        seen = patch.mask > 0
        yield Voxels(*(image[seen].numpy() for image in (patch.source, patch.target, made)))


def tell(name: str, voxels: Voxels, ranges: Sequence[tuple[float, float]]) -> None:
    """Print the row of a part."""
    excess, error = voxels.source - voxels.target, voxels.made - voxels.target
    within = np.ones(excess.shape, dtype=bool)
    for values, (low, high) in zip((voxels.target, excess), ranges, strict=True):
        within &= (values > low) & (values < high)
    there, left = float(excess[within].mean()), float(error[within].mean())
    wrong = float(np.abs(error[within]).mean())
    print(f"{name:20}{there:8.3f}{left:8.3f}{left / there:8.2f}{wrong:8.3f}")


if __name__ == "__main__":
    main()
