"""Tissue segmentation of simulated heads against their labels: built-in and SPM side by side.

    python benchmarks/segmentation.py [LABEL_MAPS] [--heads 17 18] [--sequence mprage spgr]
        [--tpm TPM.nii] [--keep FOLDER]

Each head is simulated without contrast on its label map's voxels (1 mm), by each sequence, brought
to the template by the fast t1-linear of the pipelines, and segmented by each engine that is there.
Only the sequence differs between two images of a head: tissue, noise, field and sharpness are the
same. The labels follow by the same affine: a voxel is of the tissue that fills more than half of
it, as a probability above .5 says; vessels, dura, choroid plexus and pituitary, which the label map
counts to CSF, are in none. Heads 17-20 are in no atlas; 15 and 16 chose the parameters.

`thresholds` is what intensity alone can reach: the two thresholds, of each image, that agree best
with the labels, given the labels, and that the voxels are brain. Preparing a head takes some
minutes: `--keep` has the images kept, and found there the next time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

from clinica_gado.errors import SegmentationError
from clinica_gado.evaluation.lesions import labels_on_grid
from clinica_gado.evaluation.overlap import dice
from clinica_gado.preprocessing.fast import run_linear_fast
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.preprocessing.linear import resample_to_grid
from clinica_gado.preprocessing.templates import load_template
from clinica_gado.segmentation.atlas import LABELS_OF_TISSUE
from clinica_gado.segmentation.choice import choose_segmenter
from clinica_gado.segmentation.segmenter import TISSUES, Segmenter, TissueMaps
from clinica_gado.segmentation.volumes import THRESHOLD
from clinica_gado.simulation.acquisition import Grid
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.dataset import scan_head
from clinica_gado.simulation.labels import LabelMap, load_label_map
from clinica_gado.simulation.layers import Head, tissue_share
from clinica_gado.simulation.parameters import (
    AcquisitionParameters,
    Geometry,
    HeadParameters,
    Scan,
)
from clinica_gado.simulation.planning import VOLUME_SPGR
from clinica_gado.simulation.sampling import sample_acquisition, sample_head
from clinica_gado.simulation.signal import Mprage

LABEL_MAPS = Path(__file__).parents[2] / "shared" / "labelmaps"
FIRST_HEAD = LABEL_MAPS / "head_01_dseg.nii.gz"
TEST_HEADS = (17, 18, 19, 20)
SEQUENCES = {
    "mprage": Mprage(
        repetition_time_ms=2300.0,
        inversion_time_ms=900.0,
        echo_spacing_ms=7.0,
        echoes=176,
        echo_time_ms=3.0,
        flip_angle_deg=9.0,
    ),
    "spgr": VOLUME_SPGR,
}
"""The T1w in 3D of most studies, and the one with less contrast between grey and white matter."""


def main() -> None:
    """Prepare the heads, segment them with each engine and print one table."""
    parser = head_options(__doc__.splitlines()[0])
    parser.add_argument("--sequence", nargs="+", choices=SEQUENCES, default=list(SEQUENCES))
    options = parser.parse_args()
    with kept_folder(options) as folder:
        if folder is None:
            return
        scans = [(sequence, head) for sequence in options.sequence for head in options.heads]
        for sequence, number in scans:
            prepare(options.label_maps, number, folder, sequence)
        for sequence in options.sequence:
            report_thresholds(sequence, options.heads, folder)
        for engine in find_engines(options.tpm):
            for sequence in options.sequence:
                report(engine, sequence, options.heads, folder)


def head_options(description: str) -> argparse.ArgumentParser:
    """Return the options of what runs on simulated heads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("label_maps", nargs="?", type=Path, default=LABEL_MAPS)
    parser.add_argument("--heads", nargs="+", type=int, default=TEST_HEADS, help="[17 18 19 20]")
    parser.add_argument("--tpm", type=Path, help="tissue probability map for SPM [its own]")
    parser.add_argument("--keep", type=Path, help="folder of what is prepared, for the next time")
    return parser


@contextmanager
def kept_folder(options: argparse.Namespace) -> Iterator[Path | None]:
    """Give the folder of `--keep`, or one that goes away; None, said, without label maps."""
    if not options.label_maps.is_dir():
        print(f"skipped: there are no label maps in {options.label_maps}")
        yield None
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


class HeadFiles(NamedTuple):
    """A head on `CROP_GRID`: its image, its labels, and which of `TISSUES` they are, from 1."""

    image: Path
    labels: Path
    tissues: Path


def files(folder: Path, number: int, sequence: str = "spgr") -> HeadFiles:
    """Return where the image and the labels of a head are."""
    stem = f"head{number:02d}_{sequence}"
    return HeadFiles(*(folder / f"{stem}_{name}.nii.gz" for name in HeadFiles._fields))


def prepare(label_maps: Path, number: int, folder: Path, sequence: str = "spgr") -> None:
    """Write the image and the labels of a head on the template grid, unless they are there."""
    made = files(folder, number, sequence)
    if all(path.is_file() for path in made):
        return
    path = label_maps / f"head_{number:02d}_dseg.nii.gz"
    label_map, person = load_label_map(path), draw_person(number)
    head = build_head(label_map, person.parameters)
    linear = run_linear_fast(scan(head, person, sequence), load_template("head").volume)
    labels = labels_on_grid(label_map.labels, label_map.affine, linear.mni_to_native)
    tissues = tissues_on_grid(label_map, tissue_share(head).numpy(), linear.mni_to_native)
    nib.save(nib.Nifti1Image(labels, CROP_GRID.affine), made.labels)
    nib.save(nib.Nifti1Image(tissues, CROP_GRID.affine), made.tissues)
    save_volume(linear.cropped, made.image)


def tissues_on_grid(
    label_map: LabelMap, share: np.ndarray, mni_to_native: np.ndarray
) -> np.ndarray:
    """Return which of `TISSUES`, from 1, fills most of each voxel of `CROP_GRID`; 0 for none.

    `share` of a voxel of the label map is of its label, the rest of what is in no tissue.
    """
    moved = np.zeros(CROP_GRID.shape, dtype=np.uint8)
    for number, tissue in enumerate(TISSUES, start=1):
        filled = share * np.isin(label_map.labels, LABELS_OF_TISSUE[tissue])
        on_grid = resample_to_grid(Volume(filled, label_map.affine), CROP_GRID, mni_to_native)
        moved[on_grid.data > THRESHOLD] = number
    return moved


class Person(NamedTuple):
    """Whose head is scanned, and how: all but the sequence."""

    parameters: HeadParameters
    acquisition: AcquisitionParameters
    seed: int


def draw_person(seed: int) -> Person:
    """Draw a head and a scanner of 1 mm voxels."""
    rng = np.random.default_rng(seed)
    parameters = sample_head(rng, field_strength_t=1.5 if seed % 2 else 3.0)
    return Person(parameters, sample_acquisition(rng, Geometry((1.0, 1.0, 1.0))), seed)


def simulate(path: Path, seed: int, sequence: str = "spgr") -> Volume:
    """Scan a label map's head."""
    person = draw_person(seed)
    return scan(build_head(load_label_map(path), person.parameters), person, sequence)


def scan(head: Head, person: Person, sequence: str) -> Volume:
    """Scan a head at 1 mm without contrast, on the very voxels whose tissue is known."""
    request = Scan(SEQUENCES[sequence], 0.0, person.acquisition)
    grid = Grid(tuple(head.tissue.shape), head.affine)
    values = scan_head(head, person.parameters, request, grid, (person.seed,))
    return Volume(np.asarray(values, dtype=np.float32), head.affine)


def find_engines(tpm: Path | None) -> list[Segmenter]:
    """Return the engines that run here; say why one does not."""
    engines = []
    for name in ("builtin", "spm"):
        try:
            engine = choose_segmenter(name, tpm)
        except SegmentationError as error:
            print(f"{name}: skipped: {error}")
            continue
        if engine is not None:
            engines.append(engine)
    return engines


def report(engine: Segmenter, sequence: str, heads: list[int], folder: Path) -> None:
    """Segment all heads of a sequence with one engine and print the Dice of each tissue."""
    scores: dict[Path, dict[str, float]] = {}

    def score(image: Path, maps: TissueMaps) -> None:
        scores[image] = overlaps(maps, read_tissues(image))

    images = [files(folder, number, sequence).image for number in heads]
    begin = time.perf_counter()
    failures = engine.segment(images, score)
    seconds = (time.perf_counter() - begin) / len(images)
    print_table(f"{engine.name} {sequence}", scores, failures)
    print(f"{seconds:.0f} s an image", flush=True)


def report_thresholds(sequence: str, heads: list[int], folder: Path) -> None:
    """Print the Dice that two thresholds of the intensity reach, found with the labels."""
    images = [files(folder, number, sequence).image for number in heads]
    scores = {image: best_thresholds(load_values(image), read_tissues(image)) for image in images}
    print_table(f"thresholds {sequence}", scores)


def best_thresholds(image: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the Dice of CSF below, grey between and white matter above two thresholds.

    The mean over the tissues is the highest of all pairs of thresholds, in steps of 1/200 of the
    99.5th percentile.
    """
    brain = labels > 0
    edges = np.linspace(0, float(np.percentile(image[brain], 99.5)), 201)
    edges[-1] = np.inf
    counts = {
        tissue: np.cumsum(np.histogram(image[labels == number], edges)[0])
        for number, tissue in enumerate(TISSUES, start=1)
    }
    low, high = np.meshgrid(np.arange(200), np.arange(200), indexing="ij")
    total = sum(counts.values())

    def between(cumulated: np.ndarray, tissue: str) -> np.ndarray:
        below_low, below_high = cumulated[low], cumulated[high]
        parts = {"csf": below_low, "graymatter": below_high - below_low}
        return parts.get(tissue, cumulated[-1] - below_high)

    scores = {
        tissue: 2 * between(counts[tissue], tissue) / (between(total, tissue) + counts[tissue][-1])
        for tissue in TISSUES
    }
    mean = np.where(low < high, sum(scores.values()), 0)
    best = np.unravel_index(mean.argmax(), mean.shape)
    return {tissue: float(score[best]) for tissue, score in scores.items()}


def load_values(path: Path) -> np.ndarray:
    """Return the voxels of an image."""
    return np.asarray(nib.load(path).dataobj)


def read_tissues(image: Path) -> np.ndarray:
    """Return the tissues of an image, as `tissues_on_grid` numbers them."""
    return load_values(image.with_name(image.name.replace("_image", "_tissues")))


def print_table(
    title: str, scores: Mapping[Path, Mapping[str, float]], failures: Mapping[Path, str] = {}
) -> None:
    """Print a row an image, and the mean."""
    print(f"\n{title:18}" + "".join(f"{tissue:>13}" for tissue in TISSUES))
    for image in [*scores, *failures]:
        print(f"{image.name[:6]:18}" + (failures.get(image) or row(scores[image])))
    if scores:
        mean = {t: float(np.mean([s[t] for s in scores.values()])) for t in TISSUES}
        print(f"{'mean':18}{row(mean)}", flush=True)


def overlaps(maps: TissueMaps, labels: np.ndarray) -> dict[str, float]:
    """Return the Dice of each tissue."""
    return {
        tissue: dice(getattr(maps, tissue) > THRESHOLD, labels == number)
        for number, tissue in enumerate(TISSUES, start=1)
    }


def row(values: Mapping[str, float]) -> str:
    """Return the values of the tissues in columns."""
    return "".join(f"{values[tissue]:13.3f}" for tissue in TISSUES)


if __name__ == "__main__":
    main()
