"""The fast preprocessing beside the standard one: seconds of a processor, and how far apart.

    python benchmarks/preprocessing.py [BIDS] [LABEL_MAPS] [--subjects val06 …] [--heads 15 …]
                                       [--caps CAPS] [--keep FOLDER] [--another-seed]

Real T1w (contrast-enhanced where there is one) and simulated heads as in
`benchmarks/segmentation.py`. Both routes run on each image, one after the other in one process.
The standard one takes minutes: `--keep` has its results kept, with its seconds, and found there the
next time; `--caps` takes what `clinica run t1-gado-removal` made, without its seconds.

mm: how far the two affines carry the voxels of the template's brain from each other, mean and
largest. %: how far the two corrected images differ there, after their ratio's median, both
resampled by the standard affine, 95th percentile and largest. `--another-seed` finds the standard
affine a second time with another seed and prints how far that moves it, and the mutual information
with the template, at 2 mm, of the two and of the fast one: a flat optimum is nobody's error.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from segmentation import LABEL_MAPS, simulate

from clinica_gado.preprocessing.fast import FINE_MM, run_linear_fast
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume, shrink
from clinica_gado.preprocessing.linear import (
    RANDOM_SEED,
    LinearResult,
    estimate_affine,
    read_itk_affine,
    resample_to_grid,
    run_linear,
)
from clinica_gado.preprocessing.rigid import mutual_information
from clinica_gado.preprocessing.t1_linear import LinearOptions, choose_template, save_affine
from clinica_gado.preprocessing.templates import template_brain

BIDS = Path(__file__).parents[2] / "shared" / "real"
MAX_MEAN_MM, MAX_DIFFERENCE = 1.0, 0.02


@dataclass(frozen=True)
class Standard:
    """What the standard route made of an image; its seconds where it ran for this."""

    cropped: Volume
    matrix: np.ndarray
    seconds: float | None


def main() -> None:
    """Print a line for each image, and which of them miss a limit."""
    options = read_options()
    print(
        f"{'case':10}{'standard s':>11}{'fast s':>8}{'ratio':>7}"
        f"{'mean mm':>9}{'max mm':>8}{'p95 %':>7}{'max %':>7}",
        flush=True,
    )
    missed = [name for name, image in cases(options) if not compare(name, image, options)]
    print(f"over a limit: {', '.join(missed) or 'none'}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bids", nargs="?", type=Path, default=BIDS)
    parser.add_argument("label_maps", nargs="?", type=Path, default=LABEL_MAPS)
    parser.add_argument("--subjects", nargs="*", default=["val01", "val06"])
    parser.add_argument("--heads", nargs="*", type=int, default=[17])
    parser.add_argument(
        "--caps", type=Path, help="outputs of t1-gado-removal by the standard route"
    )
    parser.add_argument("--keep", type=Path, help="folder of standard results, for the next time")
    parser.add_argument("--another-seed", action="store_true", help="how flat is the optimum?")
    return parser.parse_args()


def cases(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Volume]]]:
    """Give the name of each image and what reads or makes it."""
    for subject in options.subjects:
        found = sorted(options.bids.glob(f"sub-{subject}/ses-*/anat/*_T1w.nii.gz"))
        if not found:
            print(f"{subject}: skipped: no T1w in {options.bids}")
            continue
        path = next((one for one in found if "_ce-" in one.name), found[0])
        yield subject, lambda path=path: read_volume(path)
    for number in options.heads:
        path = options.label_maps / f"head_{number:02d}_dseg.nii.gz"
        if not path.is_file():
            print(f"head {number}: skipped: there is no {path}")
            continue
        yield f"head{number:02d}", lambda path=path, seed=number: simulate(path, seed)


def compare(name: str, make: Callable[[], Volume], options: argparse.Namespace) -> bool:
    """Run both routes on an image, print how they compare and tell whether they agree."""
    image = make()
    template = choose_template(image, LinearOptions()).volume
    standard = find_standard(name, image, template, options)
    fast, seconds = timed(lambda: run_linear_fast(image, template))
    distances = displacement(fast.mni_to_native, standard.matrix)
    differences = difference(fast, standard)
    taken, ratio = "-", "-"
    if standard.seconds is not None:
        taken, ratio = f"{standard.seconds:.1f}", f"{standard.seconds / seconds:.1f}"
    print(
        f"{name:10}{taken:>11}{seconds:8.1f}{ratio:>7}"
        f"{distances.mean():9.2f}{distances.max():8.2f}"
        f"{100 * np.percentile(differences, 95):7.2f}{100 * differences.max():7.2f}",
        flush=True,
    )
    if options.another_seed:
        tell_flatness(fast, standard.matrix, template)
    return bool(distances.mean() < MAX_MEAN_MM and differences.max() < MAX_DIFFERENCE)


def tell_flatness(fast: LinearResult, standard: np.ndarray, template: Volume) -> None:
    """Print how far another seed moves the standard affine, and what each affine shares."""
    other = estimate_affine(fast.corrected, template, seed=RANDOM_SEED + 1)
    images = shrink(fast.corrected, FINE_MM), shrink(template, FINE_MM)
    shared = [mutual_information(*images, m) for m in (standard, other, fast.mni_to_native)]
    print(
        f"{'':10}another seed moves the standard one by {displacement(standard, other).mean():.2f} "
        f"mm; information: {shared[0]:.4f}, {shared[1]:.4f}, fast {shared[2]:.4f}",
        flush=True,
    )


def timed(run: Callable[[], LinearResult]) -> tuple[LinearResult, float]:
    """Return what a function returns and the seconds of processor it took."""
    begin = time.process_time()
    return run(), time.process_time() - begin


def find_standard(
    name: str, image: Volume, template: Volume, options: argparse.Namespace
) -> Standard:
    """Take the standard result of an image from CAPS or what was kept, or make it."""
    if options.caps is not None:
        pattern = f"sub-{name}/ses-*/t1_gado_removal/preprocessing/*_from-*_to-T1w_*xfm.mat"
        for affine in (options.caps / "subjects").glob(pattern):
            (cropped,) = affine.parent.glob("*_ce-*_desc-N4_*_T1w.nii.gz")
            return Standard(read_volume(cropped), read_itk_affine(affine), None)
    kept = options.keep and options.keep / f"{name}_T1w.nii.gz"
    if kept and kept.is_file():
        seconds = float(kept.with_name(f"{name}_seconds.txt").read_text())
        return Standard(
            read_volume(kept), read_itk_affine(kept.with_name(f"{name}_xfm.mat")), seconds
        )
    result, seconds = timed(lambda: run_linear(image, template))
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_affine(result.mni_to_native, kept.with_name(f"{name}_xfm.mat"))
        kept.with_name(f"{name}_seconds.txt").write_text(f"{seconds:.2f}")
        save_volume(result.cropped, kept)
    return Standard(result.cropped, result.mni_to_native, seconds)


def displacement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how far two matrices (4, 4) carry each voxel of the template's brain apart, in mm."""
    voxels = np.argwhere(template_brain())
    world = np.c_[voxels + CROP_GRID.origin, np.ones(len(voxels))]
    return np.linalg.norm((world @ (first - second).T)[:, :3], axis=1)


def difference(fast: LinearResult, standard: Standard) -> np.ndarray:
    """Return the relative difference of the corrected images in the template's brain."""
    moved = resample_to_grid(fast.corrected, CROP_GRID, standard.matrix).data
    shown = template_brain() & (moved > 0) & (standard.cropped.data > 0)
    ratio = moved[shown] / standard.cropped.data[shown]
    return np.abs(ratio / np.median(ratio) - 1)


if __name__ == "__main__":
    main()
