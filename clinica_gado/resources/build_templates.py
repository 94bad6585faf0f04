"""Build the two registration templates shipped with the package from whole-head label maps.

Each head is painted with the mean T1w intensity of its tissues, brought to MNI152NLin2009cSym by
the affine that takes its brain onto the brain-only ICBM 152 2009a symmetric T1w image of nilearn's
wheel, and averaged with the others and with its mirror image. Run from the project's root:

    python clinica_gado/resources/build_templates.py ../shared/labelmaps
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import ants
import nibabel as nib
import nilearn.datasets
import numpy as np

from clinica_gado.preprocessing.grids import MNI_GRID
from clinica_gado.preprocessing.images import Volume, load_image, read_volume, to_ants
from clinica_gado.simulation.labels import BRAIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

HEADS = range(1, 15)
"""Heads 15–20 choose and test, and must stay unseen here (README of the label maps)."""
MAX_INTENSITY = 200.0
REGISTRATION_SEED = 1


def icbm_brain() -> Volume:
    """Return the brain-only ICBM 152 2009a symmetric T1w image that nilearn carries, at 1 mm."""
    folder = Path(nilearn.datasets.__file__).parent / "data"
    return read_volume(folder / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")


def paint(labels: NDArray[np.int16], folder: Path) -> NDArray[np.float32]:
    """Give each voxel the mean T1w intensity of its label over subjects (`prior_means_t1.npy`)."""
    means = np.load(folder / "prior_means_t1.npy")[0]
    classes = np.load(folder / "generation_classes_contrast_specific.npy")
    table = np.zeros(1000, dtype=np.float32)
    table[np.load(folder / "generation_labels.npy")] = means[classes]
    table[0] = 0.0
    return table[labels]


def bring_to_mni(path: Path, target: ants.ANTsImage) -> list[NDArray[np.float32]]:
    """Return head, brain and field of view of one label map on the MNI grid."""
    label_map = load_image(path)
    labels = np.asarray(label_map.dataobj, dtype=np.int16)
    head = paint(labels, path.parent)
    in_brain = np.isin(labels, BRAIN)
    affine = label_map.affine
    registered = ants.registration(
        fixed=target,
        moving=to_ants(Volume(head * in_brain, affine)),
        type_of_transform="antsRegistrationSyNQuick[a]",
        random_seed=REGISTRATION_SEED,
    )
    grid = to_ants(Volume(np.zeros(MNI_GRID.shape, dtype=np.float32), MNI_GRID.affine))
    return [
        ants.apply_transforms(
            grid, to_ants(Volume(volume.astype(np.float32), affine)), registered["fwdtransforms"]
        ).numpy()
        for volume in (head, in_brain, np.ones_like(head))
    ]


def average(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean whole head and the mean brain on the MNI grid, both left-right symmetric."""
    target = to_ants(icbm_brain())
    sums = [np.zeros(MNI_GRID.shape, dtype=np.float32) for _ in range(3)]
    for number in HEADS:
        path = folder / f"head_{number:02d}_dseg.nii.gz"
        for total, volume in zip(sums, bring_to_mni(path, target), strict=True):
            total += volume + volume[::-1]
        logger.info("%s is in", path.name)
    head, brain, seen = sums
    mean_head = head / np.maximum(seen, 1.0)
    brain_probability = brain / (2 * len(HEADS))
    return mean_head, mean_head * (brain_probability > 0.5)


def save(volume: NDArray[np.float32], path: Path) -> None:
    """Write a template as 8-bit integers."""
    scaled = np.clip(volume / MAX_INTENSITY * 255, 0, 255).round().astype(np.uint8)
    nib.save(nib.Nifti1Image(scaled, MNI_GRID.affine), path)


def main() -> None:
    """Build both templates into the folder of this script."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelmaps", type=Path, help="Folder of head_XX_dseg.nii.gz.")
    head, brain = average(parser.parse_args().labelmaps)
    folder = Path(__file__).parent
    save(head, folder / "template_head_T1w.nii.gz")
    save(brain, folder / "template_brain_T1w.nii.gz")


if __name__ == "__main__":
    main()
