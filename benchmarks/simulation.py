"""Simulated pairs per second, against plain numpy and scipy and against whole heads, in one run.

    python benchmarks/simulation.py [HEAD_DSEG.nii.gz] [--patch 96] [--patches 12] [--device cpu]

The variants take the same draws and alternate patch by patch, so that they see the same machine.
`stream` is what training uses. `plain` does the same to the same patch with numpy and scipy.
`whole head` renders the head with torch and cuts the patch out, as a dataset of files would. The
anatomy (vessels, lesions) is made once, and its time is given apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from scipy import ndimage
from segmentation import FIRST_HEAD

from clinica_gado.simulation.artefacts import draw_noise
from clinica_gado.simulation.labels import Tissue
from clinica_gado.simulation.layers import FULL, Head
from clinica_gado.simulation.rendering import tissue_signal
from clinica_gado.simulation.stream import (
    PatchDraw,
    StreamSettings,
    draw_patch,
    make_anatomy,
    render_patch,
)

FWHM_TO_SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))
Images = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Measure every variant and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("label_map", nargs="?", type=Path, default=FIRST_HEAD)
    parser.add_argument("--patch", type=int, default=96, help="voxels a side [96]")
    parser.add_argument("--patches", type=int, default=12, help="patches that count [12]")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if not options.label_map.is_file():
        print(f"skipped: there is no label map {options.label_map}")
        return
    rng = np.random.default_rng(0)
    started = time.perf_counter()
    anatomy = make_anatomy(options.label_map, rng, options.device)
    print(f"anatomy: {time.perf_counter() - started:.1f} s, once in some hundred patches")
    settings = StreamSettings(patch_size=options.patch, brain_only_share=0.0, thick_share=0.0)
    draws = [plain_draw(draw_patch(rng, anatomy, settings)) for _ in range(options.patches + 1)]
    host = anatomy.head.to("cpu")
    variants: dict[str, Callable[[PatchDraw], Images]] = {
        "stream": lambda draw: streamed(anatomy.head, draw),
        "plain": lambda draw: plain(host, draw),
        "whole head": lambda draw: cut_from_whole(anatomy.head, draw),
    }
    report(measure(variants, draws))


def plain_draw(draw: PatchDraw) -> PatchDraw:
    """Leave out what `plain` does not do."""
    acquisition = replace(draw.scan.acquisition, ghosting=None, motion=None)
    return replace(draw, scan=replace(draw.scan, acquisition=acquisition), mirrored=())


def measure(
    variants: dict[str, Callable[[PatchDraw], Images]], draws: list[PatchDraw]
) -> dict[str, list[float]]:
    """Return the seconds of each patch by variant; the first patch is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for draw in draws:
        images = {}
        for name, render in variants.items():
            started = time.perf_counter()
            images[name] = render(draw)
            seconds[name].append(time.perf_counter() - started)
        apart = np.abs(images["stream"][0] - images["plain"][0]).max()
        assert apart < 1e-3, f"the variants differ by {apart}"
    return {name: times[1:] for name, times in seconds.items()}


def streamed(head: Head, draw: PatchDraw) -> Images:
    """Render a patch as training does."""
    patch = render_patch(head, draw)
    return patch.source.cpu().numpy(), patch.target.cpu().numpy()


def cut_from_whole(head: Head, draw: PatchDraw) -> Images:
    """Render the whole head and cut the patch out."""
    box = tuple(slice(0, n) for n in head.tissue.shape)
    whole = render_patch(head, replace(draw, box=box))
    return whole.source[draw.box].cpu().numpy(), whole.target[draw.box].cpu().numpy()


def plain(head: Head, draw: PatchDraw) -> Images:
    """Render a patch with numpy and scipy."""
    part, acquisition, scan = head.crop(draw.box), draw.scan.acquisition, draw.scan
    white = tissue_signal(draw.parameters, scan.sequence, 0.0)[Tissue.WHITE]
    x, y, z = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in part.tissue.shape)]
    terms = (x, y, z, x * x, y * y, z * z, x * y, x * z, y * z)
    field = np.exp(sum(c * term for c, term in zip(acquisition.bias, terms, strict=True))) / white
    generator = torch.Generator().manual_seed(draw.noise_seed)
    shape, noise_std = tuple(part.tissue.shape), 1 / acquisition.signal_to_noise
    noise = draw_noise(shape, noise_std, generator).numpy()
    sigma = acquisition.blur_mm * FWHM_TO_SIGMA
    images = []
    for dose in (scan.dose_mmol_per_kg, 0.0):
        table = tissue_signal(draw.parameters, scan.sequence, dose, acquisition.inflow)
        values = table[part.tissue.numpy()]
        for layer in part.layers:
            values += layer.fraction.numpy() / FULL * (table[layer.tissue] - values)
        radius = int(np.ceil(3 * sigma))
        values = ndimage.gaussian_filter(
            values * part.texture.float().numpy(), sigma, mode="nearest", radius=radius
        )
        images.append(np.hypot(values * field + noise[0], noise[1]))
    return images[0], images[1]


def report(seconds: dict[str, list[float]]) -> None:
    """Print pairs per second and their ratio to the plain version."""
    print(f"{'':12}{'s a pair':>10}{'pairs/s':>10}{'x plain':>10}")
    for name, times in seconds.items():
        one = median(times)
        ratio = median(seconds["plain"]) / one
        print(f"{name:12}{one:10.3f}{1 / one:10.2f}{ratio:10.2f}")


if __name__ == "__main__":
    main()
