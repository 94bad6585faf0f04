"""Tissue of simulated heads after removal: volumes and Dice beside those without contrast.

    python benchmarks/removal_on_heads.py [LABEL_MAPS] --model ID [--engine spm] [--keep FOLDER]

Heads 17-20, which no model learned from, are simulated without and with 0.1 mmol/kg on one grid,
several draws each with their own tissue, vessels, lesions and T1w sequence, and brought to the
template as t1-gado-removal does, the labels by the same affine. The engine segments the image
without contrast (nce), the one with (ce) and what each model makes of it.

|dV| is |V / TIV - V_x / TIV_x| × mean TIV, against the segmentation of the nce and against the true
labels; `ratio` is its mean over that of the ce. Dice is with the true labels; lesions and vessels
belong to no tissue. `--keep` has images and segmentations kept: another model costs its own only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from segmentation import head_options, kept_folder

from clinica_gado.bids import Visit
from clinica_gado.evaluation.lesions import labels_on_grid
from clinica_gado.evaluation.overlap import dice
from clinica_gado.evaluation.paired import IDENTITY, IDS, measure_tissue, tissue_differences
from clinica_gado.evaluation.run import EvaluationRequest, load_predictors
from clinica_gado.evaluation.tissue_cache import TissueCache
from clinica_gado.files import atomic_path, write_tsv
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.linear import correct_bias, resample_to_grid, run_linear
from clinica_gado.preprocessing.templates import load_template, template_brain
from clinica_gado.segmentation.choice import choose_segmenter
from clinica_gado.segmentation.segmenter import TISSUES, TissueMaps
from clinica_gado.segmentation.volumes import THRESHOLD, measure_volumes
from clinica_gado.simulation.acquisition import Grid
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.dataset import TRUTH_LABELS, scan_head, true_labels
from clinica_gado.simulation.labels import load_label_map
from clinica_gado.simulation.planning import SubjectSpec, plan_subject
from clinica_gado.simulation.protocol import T1_SEQUENCES, SimulationRequest, subjects

NCE, LABELS = "nce", "labels"
DOSES_MMOL_PER_KG = (0.0, 0.1)
TRUTH = {"graymatter": "grey matter", "whitematter": "white matter", "csf": "CSF"}
SHORT = {"graymatter": "gm", "whitematter": "wm", "csf": "csf"}


def main() -> None:
    """Prepare the draws, segment every image and print one table."""
    options = parse_options()
    with kept_folder(options) as folder:
        if folder is None:
            return
        draws = {
            Visit(spec.participant_id, "draw"): prepare(spec, folder / "heads")
            for spec in planned_draws(options)
        }
        segmenter = choose_segmenter(options.engine, options.tpm)
        cases, volumes = measure(draws, options.model, TissueCache(folder / "tissue", segmenter))
        if options.keep:
            write_tsv(folder / f"cases_{segmenter.name}.tsv", cases)
    print(f"{len(draws)} draws, tissue by {segmenter.name}")
    print(summary(cases, volumes).to_string(index=False, float_format="%.3f"))


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = head_options(__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", default=[], help="id or folder; repeatable")
    parser.add_argument("--engine", choices=("builtin", "spm", "auto"), default="builtin")
    parser.add_argument("--draws", type=int, default=3, help="of each head [3]")
    return parser.parse_args()


def planned_draws(options: argparse.Namespace) -> Iterator[SubjectSpec]:
    """Yield every draw of every head; the T1w sequences take turns."""
    for draw in range(options.draws):
        request = SimulationRequest(
            label_maps=options.label_maps,
            output=Path(),
            heads=tuple(options.heads),
            seed=1000 + draw,
            doses_mmol_per_kg=DOSES_MMOL_PER_KG,
            sequences=(T1_SEQUENCES[draw % len(T1_SEQUENCES)],),
        )
        for spec in subjects(request):
            name = spec.participant_id.partition("draw")[0]
            yield replace(spec, participant_id=f"{name}draw{draw + 1:02d}")


def prepare(spec: SubjectSpec, folder: Path) -> Path:
    """Write both images and the true labels of a draw on the template grid, unless there."""
    path = folder / f"{spec.participant_id}.npz"
    if path.is_file():
        return path
    planned = plan_subject(spec)
    head = build_head(load_label_map(spec.label_map), planned.parameters)
    grid = Grid(tuple(head.tissue.shape), head.affine)
    plain, enhanced = sorted(planned.images, key=lambda item: item.scan.dose_mmol_per_kg)
    nce, ce = (
        Volume(
            np.asarray(
                scan_head(head, planned.parameters, item.scan, grid, item.noise_seed), np.float32
            ),
            head.affine,
        )
        for item in (plain, enhanced)
    )
    linear = run_linear(ce, load_template("head").volume)
    reference = resample_to_grid(correct_bias(nce), CROP_GRID, linear.mni_to_native)
    truth = np.asarray(true_labels(head, enhanced.scan, grid))
    labels = labels_on_grid(truth, head.affine, linear.mni_to_native).astype(np.uint8)
    with atomic_path(path) as partial:
        arrays = {"source": linear.cropped.data, "reference": reference.data, "labels": labels}
        np.savez_compressed(partial, **arrays)
    return path


def measure(
    draws: dict[Visit, Path], models: list[str], tissue: TissueCache
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the Dice of each image of each draw, and the volumes with those of the labels."""
    predictors = load_predictors(EvaluationRequest(Path(), Path(), models=models))
    segmented: dict[tuple[Visit, str], str] = {}
    for visit, path in draws.items():
        with np.load(path, allow_pickle=False) as arrays:
            source, reference = arrays["source"], arrays["reference"]
        segmented[visit, NCE] = tissue.add(reference)
        segmented[visit, IDENTITY] = tissue.add(source)
        for name, predictor in predictors.items():
            image = predictor.predict([source], region=template_brain()).array
            segmented[visit, name] = tissue.add(image)
    volumes = measure_tissue(segmented, tissue)
    rows, true_volumes = [], []
    for visit, path in draws.items():
        truth = true_maps(path)
        ids = dict(zip(IDS, visit, strict=True))
        known = measure_volumes(truth, CROP_GRID.affine)
        true_volumes.append({**ids, "image": LABELS, "engine": tissue.engine, **known._asdict()})
        for (other, name), digest in segmented.items():
            if other == visit and tissue.volumes(digest) is not None:
                rows.append({**ids, "image": name, **overlaps(tissue.maps(digest), truth)})
    return pd.DataFrame(rows), pd.concat([volumes, pd.DataFrame(true_volumes)])


def true_maps(path: Path) -> TissueMaps:
    """Return the true labels of a draw as maps of 0 and 1."""
    with np.load(path, allow_pickle=False) as arrays:
        labels = arrays["labels"]
    maps = {tissue: (labels == TRUTH_LABELS[TRUTH[tissue]]) for tissue in TISSUES}
    return TissueMaps(**{tissue: mask.astype(np.float32) for tissue, mask in maps.items()})


def overlaps(maps: TissueMaps, truth: TissueMaps) -> dict[str, float]:
    """Return the Dice of each tissue with the true labels."""
    return {
        f"{SHORT[tissue]}_dice": dice(
            getattr(maps, tissue) > THRESHOLD, getattr(truth, tissue) > THRESHOLD
        )
        for tissue in TISSUES
    }


def summary(cases: pd.DataFrame, volumes: pd.DataFrame) -> pd.DataFrame:
    """Return a row an image and tissue: ratios of |dV| to the ce's, Dice beside the nce's."""
    against = {"nce": volumes[volumes["image"] != LABELS], "labels": _with_labels(volumes)}
    rows = []
    for image in dict.fromkeys(cases["image"]):
        for tissue in SHORT.values():
            row: dict[str, object] = {"image": image, "tissue": tissue}
            for name, table in against.items():
                row |= _ratio(table, image, tissue, name)
            overlap = cases.pivot(index=IDS, columns="image", values=f"{tissue}_dice")
            row["dice"] = overlap[image].mean()
            row["dice - nce's"] = (overlap[image] - overlap[NCE]).mean()
            rows.append(row)
    return pd.DataFrame(rows)


def _with_labels(volumes: pd.DataFrame) -> pd.DataFrame:
    """Let the true labels take the place of the nce, which becomes an image like the others."""
    names = {NCE: f"{NCE} ", LABELS: NCE}
    return volumes.assign(image=volumes["image"].replace(names))


def _ratio(volumes: pd.DataFrame, image: str, tissue: str, name: str) -> dict[str, float]:
    own = f"{NCE} " if image == NCE and name == "labels" else image
    if own == NCE:
        return {}
    found = tissue_differences(volumes, own)
    found = found[found["tissue"] == tissue]
    difference, of_ce = found["synthetic_cm3"].mean(), found["ce_cm3"].mean()
    return {f"|dV| {name}": difference, f"ratio {name}": difference / of_ce}


if __name__ == "__main__":
    main()
