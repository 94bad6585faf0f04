"""The brain mask of simulated heads against their labels: the template's, and the one found.

    python benchmarks/brain_mask.py [LABEL_MAPS] [--heads 17 18] [--keep FOLDER]

Heads as in `benchmarks/segmentation.py`. The true brain is every label of the brain, its sulcal
CSF included. The plain reference is the template's brain where the affine leaves it.
"""

from __future__ import annotations

import time

import nibabel as nib
import numpy as np
from segmentation import files, head_options, kept_folder, prepare

from clinica_gado.evaluation.overlap import dice
from clinica_gado.preprocessing.brain import find_brain
from clinica_gado.preprocessing.images import read_volume
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.simulation.labels import BRAIN


def main() -> None:
    """Print the Dice of each head."""
    options = head_options(__doc__.splitlines()[0]).parse_args()
    with kept_folder(options) as folder:
        if folder is None:
            return
        print(f"{'head':8}{'template':>10}{'found':>10}{'seconds':>9}  method")
        for number in options.heads:
            prepare(options.label_maps, number, folder)
            image, labels = files(folder, number)
            truth = np.isin(np.asarray(nib.load(labels).dataobj), BRAIN)
            begin = time.perf_counter()
            found = find_brain(read_volume(image))
            seconds = time.perf_counter() - begin
            scores = dice(template_brain(), truth), dice(found.mask, truth)
            print(
                f"{number:<8}{scores[0]:10.3f}{scores[1]:10.3f}{seconds:9.0f}  {found.method}",
                flush=True,
            )


if __name__ == "__main__":
    main()
