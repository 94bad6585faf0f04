"""One simulated head as a figure: doses of gadolinium in rows, sequences in columns.

    python benchmarks/simulation_figure.py [HEAD_DSEG.nii.gz] [OUTPUT.webp] [--seed 4]

Rows: no agent, 0.025 and 0.1 mmol/kg, and the change by the full dose (red brighter, blue darker,
full colour at the signal of white matter). The last column holds FLAIR, T2w and ADC without agent,
and the true labels. Scans are made by the functions that `clinica-gado simulate` uses, of five
slices of which the middle one is shown.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray

from clinica_gado.simulation.acquisition import Grid
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.dataset import scan_head, true_labels
from clinica_gado.simulation.labels import Tissue, load_label_map
from clinica_gado.simulation.layers import FULL, Head
from clinica_gado.simulation.parameters import Geometry, HeadParameters, Scan
from clinica_gado.simulation.rendering import tissue_signal
from clinica_gado.simulation.sampling import (
    sample_acquisition,
    sample_head,
    sample_lesion,
    sample_sequence,
)

LABEL_MAP = Path(__file__).parents[2] / "shared" / "labelmaps" / "head_01_dseg.nii.gz"
FIELD_STRENGTH_T = 3.0
DOSES = {"no agent": 0.0, "0.025 mmol/kg": 0.025, "0.1 mmol/kg": 0.1}
OTHERS = ("flair", "t2w", "adc")
WHITE_LEVEL = {"flair": 0.45, "t2w": 0.3, "adc": 0.25}
T1_LEVEL = 0.5
HALF = 2
Image = NDArray[np.float32]


class Photographer:
    """Scans thin parts of one person with one scanner; white matter without agent is 1."""

    def __init__(self, head: Head, parameters: HeadParameters, seed: int) -> None:
        self._head, self._parameters, self._seed = head, parameters, seed
        rng = np.random.default_rng(seed)
        drawn = sample_acquisition(rng, Geometry((1.0, 1.0, 1.0)))
        self._acquisition = replace(drawn, gain=1.0, signal_to_noise=40.0)
        names = ("mprage", "spgr", "t1-se", *OTHERS)
        self._sequences = {name: sample_sequence(rng, name, FIELD_STRENGTH_T) for name in names}

    def photograph(self, name: str, dose: float, axis: int, place: int) -> Image:
        """Return one slice of a scan, upright."""
        part, grid = self._part(axis, place)
        scan = Scan(self._sequences[name], dose, self._acquisition)
        values = scan_head(part, self._parameters, scan, grid, (self._seed,))
        white = float(tissue_signal(self._parameters, scan.sequence, 0.0)[Tissue.WHITE])
        return upright(values / white, axis)

    def labels(self, axis: int, place: int) -> Image:
        """Return the true labels of a slice, upright."""
        part, grid = self._part(axis, place)
        scan = Scan(self._sequences["mprage"], 0.0, self._acquisition)
        return upright(true_labels(part, scan, grid).float(), axis)

    def _part(self, axis: int, place: int) -> tuple[Head, Grid]:
        box = [slice(0, n) for n in self._head.tissue.shape]
        box[axis] = slice(place - HALF, place + HALF + 1)
        part = self._head.crop((box[0], box[1], box[2]))
        x, y, z = part.tissue.shape
        return part, Grid((x, y, z), part.affine)


def upright(volume: torch.Tensor, axis: int) -> Image:
    """Return the middle slice with the front, or the top, of the head above."""
    return np.rot90(volume.select(axis, HALF).numpy())


def main() -> None:
    """Simulate, and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("label_map", type=Path, nargs="?", default=LABEL_MAP)
    parser.add_argument("output", type=Path, nargs="?", default=Path("build/simulation.webp"))
    parser.add_argument("--seed", type=int, default=4)
    options = parser.parse_args()
    if not options.label_map.is_file():
        print(f"skipped: there is no label map {options.label_map}")
        return
    options.output.parent.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    lesions = (sample_lesion(rng, "ring"), sample_lesion(rng, "meningioma"))
    parameters = sample_head(rng, FIELD_STRENGTH_T, lesions)
    head = build_head(load_label_map(options.label_map), parameters)
    tumour, middle = places(head)
    camera = Photographer(head, parameters, options.seed)
    columns = {
        "MPRAGE": doses(camera, "mprage", 2, tumour),
        "MPRAGE, sagittal": doses(camera, "mprage", 0, middle),
        "spoiled gradient echo": doses(camera, "spgr", 2, tumour),
        "T1 spin echo": doses(camera, "t1-se", 2, tumour),
    }
    others = [camera.photograph(name, 0.0, 2, tumour) * WHITE_LEVEL[name] for name in OTHERS]
    draw(columns, [*others, camera.labels(2, tumour)], options.output)


def places(head: Head) -> tuple[int, int]:
    """Return the axial slice with most enhancing tumour, and a sagittal one by the middle."""
    tumour = next(layer for layer in head.layers if layer.tissue == Tissue.ENHANCING_TUMOUR)
    across = np.flatnonzero((head.brain > FULL // 2).any(dim=2).any(dim=1).numpy())
    return int(tumour.fraction.float().sum(dim=(0, 1)).argmax()), int(across.mean())


def doses(camera: Photographer, name: str, axis: int, place: int) -> list[Image]:
    """Return a slice at each dose, and the change by the largest."""
    images = [camera.photograph(name, dose, axis, place) for dose in DOSES.values()]
    return [*(T1_LEVEL * image for image in images), images[-1] - images[0]]


def draw(columns: dict[str, list[Image]], others: list[Image], path: Path) -> None:
    """Draw the columns, and beside them the images without agent."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import LinearSegmentedColormap

    change = LinearSegmentedColormap.from_list("change", ["deepskyblue", "black", "orangered"])
    figure, axes = plt.subplots(4, len(columns) + 1, figsize=(10.5, 9.6), layout="constrained")
    figure.patch.set_facecolor("black")
    for column, (title, images) in zip(axes.T, columns.items(), strict=False):
        column[0].set_title(title, color="white", fontsize=9)
        for axis, image in zip(column[:3], images[:3], strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1)
        column[3].imshow(images[3], cmap=change, vmin=-1, vmax=1)
    for axis, image, title in zip(
        axes[:, -1], others, ("FLAIR", "T2w", "ADC", "true labels"), strict=True
    ):
        is_labels = title == "true labels"
        axis.imshow(
            image, cmap="viridis" if is_labels else "gray", vmin=0, vmax=4 if is_labels else 1
        )
        axis.set_title(title, color="white", fontsize=9)
    for axis, title in zip(axes[:, 0], (*DOSES, "change"), strict=True):
        axis.text(
            -0.04,
            0.5,
            title,
            color="white",
            fontsize=9,
            rotation=90,
            va="center",
            ha="right",
            transform=axis.transAxes,
        )
    for axis in axes.flat:
        axis.set_axis_off()
    figure.savefig(path, dpi=95, pil_kwargs={"quality": 82})


if __name__ == "__main__":
    main()
