"""The brain mask of heads whose brain is known: the template's, and the one found.

    python benchmarks/brain_mask.py [LABEL_MAPS] [--heads 17 18] [--keep FOLDER] [--caps CAPS]

Simulated heads as in `benchmarks/segmentation.py`, their true brain being every label of the brain,
sulcal CSF included. With `--caps`, instead of them, the real skull-stripped images that
t1-gado-removal brought to the template in CAPS, each put into the template's head: the true brain
is what is not zero. The plain reference is the template's brain where the affine leaves it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from segmentation import files, head_options, kept_folder, prepare

from clinica_gado.evaluation.overlap import dice
from clinica_gado.preprocessing.brain import find_brain
from clinica_gado.preprocessing.grids import CROP_SLICES
from clinica_gado.preprocessing.images import Volume, read_volume
from clinica_gado.preprocessing.templates import is_brain_only, load_template, template_brain
from clinica_gado.simulation.labels import BRAIN

CSF_LEVEL = 0.35
"""Of the brain's median: what fills the template's skull around a smaller brain."""


def main() -> None:
    """Print the Dice of each head."""
    parser = head_options(__doc__.splitlines()[0])
    parser.add_argument("--caps", type=Path, help="outputs of t1-gado-removal with real brains")
    options = parser.parse_args()
    print(f"{'head':12}{'template':>10}{'found':>10}{'seconds':>9}  method")
    for name, image, truth in cases(options):
        begin = time.perf_counter()
        found = find_brain(image)
        seconds = time.perf_counter() - begin
        scores = dice(template_brain(), truth), dice(found.mask, truth)
        line = f"{name:12}{scores[0]:10.3f}{scores[1]:10.3f}{seconds:9.0f}  {found.method}"
        print(line, flush=True)


def cases(options: argparse.Namespace) -> Iterator[tuple[str, Volume, np.ndarray]]:
    """Give the name, the image on the template's grid and the true brain of each head."""
    if options.caps is not None:
        yield from real_brains(options.caps)
        return
    with kept_folder(options) as folder:
        for number in options.heads if folder is not None else ():
            prepare(options.label_maps, number, folder)
            made = files(folder, number)
            truth = np.isin(np.asarray(nib.load(made.labels).dataobj), BRAIN)
            yield f"head {number}", read_volume(made.image), truth


def real_brains(caps: Path) -> Iterator[tuple[str, Volume, np.ndarray]]:
    """Give each real image without contrast that is skull-stripped, put into a head."""
    for path in sorted(caps.glob("subjects/*/*/*/preprocessing/*desc-Reference*_T1w.nii.gz")):
        brain = read_volume(path)
        if is_brain_only(brain):
            truth = np.asarray(ndimage.binary_fill_holes(brain.data > 0))
            yield path.name.split("_")[0], put_into_head(brain, truth), truth


def put_into_head(brain: Volume, truth: np.ndarray) -> Volume:
    """Replace the brain of the template's head, at one brightness; CSF fills what is left."""
    template, own = load_template("head").volume.data[CROP_SLICES], template_brain()
    level = float(np.median(brain.data[truth]))
    head = template * (level / float(np.median(template[own])))
    head[own & ~truth] = CSF_LEVEL * level
    return Volume(np.where(truth, np.maximum(brain.data, 1), head).astype(np.float32), brain.affine)


if __name__ == "__main__":
    main()
