"""How much simulated and real pairs enhance, region by region, in a table, a figure and a mosaic.

    python benchmarks/simulation_realism.py [BIDS] [LABEL_MAPS] [OUTPUT] [--heads 6]

BIDS holds skull-stripped pairs, T1w and ce-gadolinium_T1w on one 1 mm grid, of the participants
`sub-train*`; `derivatives/lesions` the labels of lesions, of which 3 and 4 enhance. Simulated pairs
are brain-only, of the heads 1, 2 and so on, and go through the same measurement. In real pairs the
two images often differ in sequence: enhancement is what the source has above the reference after
`match_intensity`, over the median of white matter in the source. `ratio` needs no match: (source /
reference) over the same in white matter. The rim, where dura is as far as the skull-strip left it,
is the outermost 2 mm of the mask.

The mosaic, a PNG, has a slice of each pair, with agent above, without below. Real people are in it:
it stays beside the data it was made of.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import matplotlib
import nibabel as nib
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import ndimage

from clinica_gado.files import write_tsv
from clinica_gado.preprocessing.intensity import match_intensity
from clinica_gado.simulation.acquisition import Grid
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.dataset import scan_head
from clinica_gado.simulation.labels import load_label_map
from clinica_gado.simulation.layers import FULL
from clinica_gado.simulation.masks import ENHANCING_LESION
from clinica_gado.simulation.planning import Realism, SubjectSpec, plan_subject
from clinica_gado.simulation.protocol import SimulationRequest, subjects

SHARED = Path(__file__).parents[2] / "shared"
SESSION = "ses-M000"
CE = "sub-train*_ce-gadolinium_T1w.nii.gz"
ENHANCING_LABELS = (3, 4)
SHELL_MM = 6
RIM_MM = 2
SLICES = 60
LEVELS = np.linspace(0.01, 0.99, 99)
ENHANCES = 0.25
VISIBLE = 0.2
REGIONS = ("grey matter", "white matter", "rim", "surface vessels", "deep vessels", "lesion")
Volume = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """One case: images on one grid, and where a lesion takes up agent."""

    name: str
    kind: str
    source: Volume
    reference: Volume
    lesion: NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """What was measured of a pair: numbers, enhancement at `LEVELS` in each region, and a slice.

    The slice is that of the source and of the reference, each over its median of white matter, with
    most of a lesion that enhances, or the middle one.
    """

    measures: dict[str, object]
    quantiles: dict[str, NDArray[np.float64]]
    slices: tuple[Volume, Volume]


def main() -> None:
    """Measure all pairs; write the table of cases, its summary and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bids", type=Path, nargs="?", default=SHARED / "real")
    parser.add_argument("label_maps", type=Path, nargs="?", default=SHARED / "labelmaps")
    parser.add_argument("output", type=Path, nargs="?", default=Path("build"))
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    if not (options.bids.is_dir() and options.label_maps.is_dir()):
        print(f"skipped: {options.bids} or {options.label_maps} is not there")
        return
    tasks = [
        *(partial(read_pair, path) for path in sorted(options.bids.glob(f"*/{SESSION}/anat/{CE}"))),
        *(partial(simulate_pair, spec) for spec in specs(options.label_maps, options.heads)),
    ]
    with ProcessPoolExecutor(options.workers) as pool:
        cases = []
        for case in pool.map(measure, tasks):
            print(case.measures, flush=True)
            cases.append(case)
    table = pd.DataFrame([case.measures for case in cases])
    write_tsv(options.output / "simulation_realism_cases.tsv", table.round(4))
    summary = table.drop(columns="case").groupby("kind").agg(["median", "min", "max"]).T
    print(summary.round(3).to_string())
    write_tsv(options.output / "simulation_realism.tsv", tidy(summary))
    draw(cases, options.output / "simulation_realism.webp")
    draw_mosaic(cases, options.output / "simulation_mosaic.png")


def tidy(summary: pd.DataFrame) -> pd.DataFrame:
    """Give the summary its measures and statistics as columns."""
    return summary.round(3).rename_axis(["measure", "statistic"]).reset_index()


def read_pair(path: Path) -> Pair:
    """Read a pair by the path of the image with agent, and where its lesion enhances."""
    participant_id = path.name.split("_")[0]
    labels = path.parents[3] / "derivatives" / "lesions" / path.relative_to(path.parents[3])
    labels = labels.with_name(path.name.replace("ce-gadolinium_T1w", "desc-lesion_dseg"))
    plain = path.with_name(path.name.replace("ce-gadolinium_", ""))
    source, reference = (load(name) for name in (path, plain))
    lesion = np.zeros(source.shape, dtype=bool)
    if labels.is_file():
        lesion = np.isin(load(labels), ENHANCING_LABELS)
    return Pair(participant_id, "real", source, reference, lesion)


def load(path: Path) -> Volume:
    """Read an image in RAS order."""
    image = nib.as_closest_canonical(nib.load(path))
    return np.asarray(image.get_fdata(dtype=np.float32))


def specs(label_maps: Path, heads: int) -> Iterator[SubjectSpec]:
    """Yield persons whose brain-only images may differ in sequence."""
    request = SimulationRequest(
        label_maps,
        Path(),
        heads=tuple(range(1, heads + 1)),
        doses_mmol_per_kg=(0.1, 0.0),
        realism=Realism(brain_only=True),
        style_change=True,
        lesions=("ring", "metastases"),
    )
    return subjects(request)


def simulate_pair(spec: SubjectSpec) -> Pair:
    """Simulate the axial slices that are measured, on the grid of the label map."""
    planned = plan_subject(spec)
    whole = build_head(load_label_map(spec.label_map), planned.parameters)
    heights = np.flatnonzero((whole.brain > FULL // 2).any(dim=0).any(dim=0).numpy())
    low = (heights[0] + heights[-1] + 1) // 2 - SLICES // 2
    head = whole.crop((slice(None), slice(None), slice(low, low + SLICES)))
    grid = Grid(tuple(head.tissue.shape), head.affine)
    source, reference = (
        scan_head(head, planned.parameters, image.scan, grid, image.noise_seed).numpy()
        for image in planned.images
    )
    lesion = torch.zeros_like(head.tissue, dtype=torch.bool)
    for layer in head.layers:
        if layer.tissue in ENHANCING_LESION:
            lesion |= layer.fraction > VISIBLE * FULL
        else:
            lesion &= layer.fraction <= FULL // 2
    return Pair(spec.participant_id, "simulated", source, reference, lesion.numpy())


def middle(pair: Pair) -> Pair:
    """Cut to the bounding box of the brain and to `SLICES` axial slices around its middle."""
    (x, y, z) = ndimage.find_objects((pair.source > 0).astype(np.uint8))[0]
    centre = (z.start + z.stop) // 2
    box = (x, y, slice(max(z.start, centre - SLICES // 2), centre + SLICES // 2))
    return replace(
        pair, source=pair.source[box], reference=pair.reference[box], lesion=pair.lesion[box]
    )


def measure(make: Callable[[], Pair]) -> Case:
    """Return the measures of a pair, and the quantiles of enhancement in each region."""
    torch.set_num_threads(1)
    pair = middle(make())
    mask = (pair.source > 0) & (pair.reference > 0)
    matched = match_intensity(pair.reference, pair.source, mask)
    regions = find_regions(pair, mask)
    white = regions["white matter"]
    level = float(np.median(pair.source[white]))
    enhancement = (pair.source - matched) / level
    ratio = pair.source / np.maximum(pair.reference, 1e-3)
    ratio = ratio / np.median(ratio[white])
    for name in ("surface vessels", "deep vessels"):
        regions[name] &= enhancement > ENHANCES
    values = {name: enhancement[where] for name, where in regions.items() if where.sum() > 20}
    measures: dict[str, object] = {"case": pair.name, "kind": pair.kind}
    measures["grey matter ratio"] = float(np.median(ratio[regions["grey matter"]]))
    measures["white matter noise"] = float(values["white matter"].std())
    measures["rim enhancement median"] = float(np.median(values["rim"]))
    measures["rim enhancement 95 %"] = float(np.quantile(values["rim"], 0.95))
    for name in ("surface vessels", "deep vessels"):
        measures[f"{name} % of brain"] = 100 * float(regions[name].sum() / mask.sum())
        chosen = values.get(name, np.array([np.nan]))
        measures[f"{name} enhancement median"] = float(np.median(chosen))
        measures[f"{name} enhancement 95 %"] = float(np.quantile(chosen, 0.95))
    if "lesion" in values:
        measures["lesion enhancement median"] = float(np.median(values["lesion"]))
        measures["lesion enhancement 95 %"] = float(np.quantile(values["lesion"], 0.95))
        measures["lesion ratio median"] = float(np.median(ratio[regions["lesion"]]))
    quantiles = {name: np.quantile(chosen, LEVELS) for name, chosen in values.items()}
    return Case(measures, quantiles, slices_of(pair, white))


def slices_of(pair: Pair, white: NDArray[np.bool_]) -> tuple[Volume, Volume]:
    """Return a slice of both images, upright."""
    extent = pair.lesion.sum(axis=(0, 1))
    place = int(extent.argmax()) if extent.any() else extent.size // 2
    source, reference = (
        np.rot90(image[..., place] / np.median(image[white]))
        for image in (pair.source, pair.reference)
    )
    return source, reference


def find_regions(pair: Pair, mask: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Split the brain by intensity of the reference and by depth; lesions and their rim apart."""
    around = ndimage.maximum_filter(pair.lesion, 7)
    deep = ndimage.minimum_filter(mask, 2 * SHELL_MM + 1)
    dark, bright = class_borders(pair.reference[deep][::7])
    healthy = mask & ~around
    return {
        "grey matter": healthy & deep & (pair.reference > dark) & (pair.reference < bright),
        "white matter": ndimage.minimum_filter(healthy & deep & (pair.reference > bright), 3),
        "rim": healthy & ~ndimage.minimum_filter(mask, 2 * RIM_MM + 1),
        "surface vessels": healthy & ~deep,
        "deep vessels": healthy & deep,
        "lesion": pair.lesion & mask,
    }


def class_borders(values: Volume) -> tuple[float, float]:
    """Return the borders between CSF and grey, and grey and white matter, by three means."""
    centres = np.quantile(values, (0.05, 0.4, 0.8))
    for _ in range(20):
        borders = (centres[1:] + centres[:-1]) / 2
        groups = np.digitize(values, borders)
        centres = np.array([values[groups == index].mean() for index in range(3)])
    return float(borders[0]), float(borders[1])


def draw(cases: list[Case], path: Path) -> None:
    """Draw the cumulative distributions of enhancement, one line a case."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(2, 3, figsize=(9, 5), sharey=True, layout="tight")
    axes = grid.ravel()
    colours = {"real": "tab:blue", "simulated": "tab:orange"}
    for axis, region in zip(axes, REGIONS, strict=True):
        for case in cases:
            if region in case.quantiles:
                colour = colours[str(case.measures["kind"])]
                axis.plot(case.quantiles[region], LEVELS, color=colour, alpha=0.6, linewidth=1)
        axis.set(title=region, xlabel="enhancement / white matter")
    for kind, colour in colours.items():
        axes[0].plot([], [], color=colour, label=kind)
    axes[0].legend(frameon=False, loc="lower right")
    for axis in grid[:, 0]:
        axis.set_ylabel("share of voxels")
    figure.savefig(path, dpi=90, pil_kwargs={"quality": 85})


def draw_mosaic(cases: list[Case], path: Path) -> None:
    """Draw the slices: a column a pair, real ones and simulated ones in rows of their own."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [
        [case.slices[number] for case in cases if case.measures["kind"] == kind]
        for kind in ("real", "simulated")
        for number in (0, 1)
    ]
    n_columns = max(map(len, rows))
    figure, axes = plt.subplots(4, n_columns, figsize=(2 * n_columns, 9), layout="constrained")
    figure.patch.set_facecolor("black")
    for axis in axes.flat:
        axis.set_axis_off()
    for line, images in zip(axes, rows, strict=True):
        for axis, image in zip(line, images, strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1.6)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
