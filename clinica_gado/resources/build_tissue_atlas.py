"""Build the tissue atlas shipped with the package from whole-head label maps.

The labels of each head are brought to MNI152NLin2009cSym by the affine that takes its brain onto
the brain-only ICBM 152 2009a symmetric T1w image, as for the templates beside, and averaged with
those of the other heads and with their mirror images. Run from the project's root:

    python clinica_gado/resources/build_tissue_atlas.py ../shared/labelmaps
"""

from __future__ import annotations

import argparse
import gzip
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from scipy import ndimage

from clinica_gado.files import atomic_path
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.linear import estimate_affine, resample_to_grid
from clinica_gado.resources.build_templates import HEADS, icbm_brain, paint
from clinica_gado.segmentation.atlas import ENHANCING_REGIONS, LABELS_OF_TISSUE
from clinica_gado.segmentation.segmenter import TISSUES
from clinica_gado.simulation.labels import BRAIN, LabelMap, load_label_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

STEPS = 51
"""Probabilities are stored as multiples of 1/51, which compress well."""
SOURCES = {
    **LABELS_OF_TISSUE,
    "sinuses": (514,),
    "ventricles": (4, 43, 5, 44),
    "vessels": (502, 30, 62),
}
"""Labels that are averaged; 514 lies where the dural sinuses and jugular veins are, 502 where the
internal carotid and the vertebral arteries are, 30 and 62 near the middle cerebral arteries."""
SINUS_PROBABILITY = 0.25
VENTRICLE_PROBABILITY = 0.35
VESSEL_PROBABILITY = 0.15
POSTERIOR_LIMIT_MM = -18.0
"""MNI y behind which the choroid plexus is thick: the atria of the lateral ventricles."""
LOWEST_Z_MM = -55.0
"""Below it the jugular veins and the arteries of the neck vary too much in place."""


def bring_to_mni(path: Path, cache: Path | None) -> tuple[LabelMap, NDArray[np.float64]]:
    """Return a label map and the matrix from MNI to its world, kept in `cache` if that is given."""
    label_map = load_label_map(path)
    kept = cache / f"affine_{path.name[5:7]}.npy" if cache else None
    if kept is not None and kept.is_file():
        return label_map, np.load(kept)
    brain = paint(label_map.labels, path.parent) * label_map.mask(BRAIN)
    matrix = estimate_affine(Volume(brain, label_map.affine), icbm_brain())
    if kept is not None:
        np.save(kept, matrix)
    return label_map, matrix


def average(folder: Path, cache: Path | None) -> dict[str, NDArray[np.float32]]:
    """Return how often each of `SOURCES` is at a voxel, left-right symmetric, (X, Y, Z)."""
    means = {name: np.zeros(CROP_GRID.shape, dtype=np.float32) for name in SOURCES}
    for number in HEADS:
        path = folder / f"head_{number:02d}_dseg.nii.gz"
        label_map, matrix = bring_to_mni(path, cache)
        for name, labels in SOURCES.items():
            mask = Volume(label_map.mask(labels).astype(np.float32), label_map.affine)
            there = resample_to_grid(mask, CROP_GRID, matrix).data
            means[name] += (there + there[::-1]) / (2 * len(HEADS))
        logger.info("%s is in", path.name)
    return means


def enhancing_regions(means: dict[str, NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Return where sinuses, choroid plexus and vessels of the base mostly are, (X, Y, Z)."""
    regions = np.zeros(CROP_GRID.shape, dtype=np.uint8)
    behind = _world(1)[None, :, None] < POSTERIOR_LIMIT_MM
    above = _world(2)[None, None, :] > LOWEST_Z_MM
    choroid = ndimage.binary_dilation((means["ventricles"] > VENTRICLE_PROBABILITY) & behind)
    masks = {
        "vessels": (means["vessels"] > VESSEL_PROBABILITY) & above,
        "choroid": choroid,
        "sinuses": (means["sinuses"] > SINUS_PROBABILITY) & above,
    }
    for name, mask in masks.items():
        regions[mask] = ENHANCING_REGIONS[name]
    return regions


def _world(axis: int) -> NDArray[np.float64]:
    return CROP_GRID.origin[axis] + np.arange(CROP_GRID.shape[axis], dtype=np.float64)


def save(volume: NDArray[np.uint8], path: Path, slope: float = 1.0) -> None:
    """Write a resource, 3D or 4D, as 8-bit integers."""
    image = nib.Nifti1Image(volume, CROP_GRID.affine)
    image.header.set_slope_inter(slope, 0)
    image.header.set_xyzt_units("mm")
    with atomic_path(path) as partial:
        partial.write_bytes(gzip.compress(image.to_bytes(), mtime=0))


def main() -> None:
    """Build both files into the folder of this script."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelmaps", type=Path, help="Folder of head_XX_dseg.nii.gz.")
    parser.add_argument("--transforms", type=Path, help="Folder that keeps the affines.")
    options = parser.parse_args()
    means = average(options.labelmaps, options.transforms)
    priors = np.stack([means[tissue] for tissue in TISSUES], axis=-1)
    folder = Path(__file__).parent
    save((priors * STEPS).round().astype(np.uint8), folder / "tissue_priors.nii.gz", 1 / STEPS)
    save(enhancing_regions(means), folder / "enhancing_regions.nii.gz")


if __name__ == "__main__":
    main()
