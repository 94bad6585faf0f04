"""Tissue segmentation of simulated heads against their labels: built-in and SPM side by side.

    python benchmarks/segmentation.py [LABEL_MAPS] [--heads 17 18] [--sequence mprage spgr]
        [--tpm TPM.nii] [--keep FOLDER]

Each head is simulated without contrast on its label map's voxels (1 mm), by each sequence, brought
to the template by t1-linear as the pipeline does, and segmented by each engine that is there. Only
the sequence differs between two images of a head: tissue, noise, field and sharpness are the same.
The labels follow by the same affine, nearest neighbour. Heads 17-20 are in no atlas and chose no
parameter; 15 and 16 chose. Preparing a head takes some minutes: `--keep` has the images kept, and
found there the next time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from clinica_gado.errors import SegmentationError
from clinica_gado.evaluation.overlap import dice
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.preprocessing.linear import run_linear
from clinica_gado.preprocessing.templates import load_template
from clinica_gado.segmentation.atlas import LABELS_OF_TISSUE
from clinica_gado.segmentation.choice import choose_segmenter
from clinica_gado.segmentation.segmenter import TISSUES, Segmenter, TissueMaps
from clinica_gado.segmentation.volumes import THRESHOLD
from clinica_gado.simulation.acquisition import Grid
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.dataset import scan_head
from clinica_gado.simulation.labels import load_label_map
from clinica_gado.simulation.parameters import Geometry, Scan
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


def prepare(label_maps: Path, number: int, folder: Path, sequence: str = "spgr") -> None:
    """Write the image and the labels of a head on the template grid, unless they are there."""
    image, labels = files(folder, number, sequence)
    if image.is_file() and labels.is_file():
        return
    path = label_maps / f"head_{number:02d}_dseg.nii.gz"
    linear = run_linear(simulate(path, number, sequence), load_template("head").volume)
    label_map = load_label_map(path)
    to_voxels = np.linalg.inv(label_map.affine) @ linear.mni_to_native @ CROP_GRID.affine
    moved = ndimage.affine_transform(
        label_map.labels, to_voxels, output_shape=CROP_GRID.shape, order=0
    )
    nib.save(nib.Nifti1Image(moved.astype(np.int16), CROP_GRID.affine), labels)
    save_volume(linear.cropped, image)


def files(folder: Path, number: int, sequence: str = "spgr") -> tuple[Path, Path]:
    """Return where the image and the labels of a head are."""
    stem = f"head{number:02d}_{sequence}"
    return folder / f"{stem}_nce.nii.gz", folder / f"{stem}_labels.nii.gz"


def simulate(path: Path, seed: int, sequence: str = "spgr") -> Volume:
    """Scan a head at 1 mm without contrast, on the very voxels whose tissue is known."""
    rng = np.random.default_rng(seed)
    parameters = sample_head(rng, field_strength_t=1.5 if seed % 2 else 3.0)
    scan = Scan(SEQUENCES[sequence], 0.0, sample_acquisition(rng, Geometry((1.0, 1.0, 1.0))))
    head = build_head(load_label_map(path), parameters)
    grid = Grid(tuple(head.tissue.shape), head.affine)
    values = scan_head(head, parameters, scan, grid, (seed,))
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
        labels = np.asarray(nib.load(image.with_name(image.name.replace("nce", "labels"))).dataobj)
        scores[image] = overlaps(maps, labels)

    images = [files(folder, number, sequence)[0] for number in heads]
    begin = time.perf_counter()
    failures = engine.segment(images, score)
    seconds = (time.perf_counter() - begin) / len(images)
    print(f"\n{engine.name} {sequence}".ljust(16) + "".join(f"{tissue:>13}" for tissue in TISSUES))
    for image in images:
        print(f"{image.name[:6]:15}" + (failures.get(image) or row(scores[image])))
    if scores:
        mean = {t: float(np.mean([s[t] for s in scores.values()])) for t in TISSUES}
        print(f"{'mean':15}{row(mean)}   {seconds:.0f} s an image")


def overlaps(maps: TissueMaps, labels: np.ndarray) -> dict[str, float]:
    """Return the Dice of each tissue; vessels are in no tissue."""
    return {
        tissue: dice(getattr(maps, tissue) > THRESHOLD, np.isin(labels, LABELS_OF_TISSUE[tissue]))
        for tissue in TISSUES
    }


def row(values: Mapping[str, float]) -> str:
    """Return the values of the tissues in columns."""
    return "".join(f"{values[tissue]:13.3f}" for tissue in TISSUES)


if __name__ == "__main__":
    main()
