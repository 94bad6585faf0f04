"""Whole-head label maps: reading them, and the tissue each label stands for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from clinica_gado.errors import InputImageError

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float32]


class Tissue(IntEnum):
    """What a voxel or a layer is made of; the value indexes tables of tissue parameters."""

    AIR = 0
    GREY = 1
    WHITE = 2
    CSF = 3
    CEREBELLAR_GREY = 4
    CEREBELLAR_WHITE = 5
    THALAMUS = 6
    CAUDATE = 7
    PUTAMEN = 8
    PALLIDUM = 9
    BRAINSTEM = 10
    WHITE_LESION = 11
    BLOOD = 12
    DURA = 13
    CHOROID_PLEXUS = 14
    PITUITARY = 15
    MUCOSA = 16
    MUSCLE = 17
    OCULAR_MUSCLE = 18
    FAT = 19
    SKIN = 20
    CORTICAL_BONE = 21
    MARROW = 22
    VITREOUS = 23
    OPTIC_NERVE = 24
    SPINAL_CORD = 25
    ENHANCING_TUMOUR = 26
    NECROSIS = 27
    OEDEMA = 28
    ARTERIAL_BLOOD = 29
    DIFFUSE_TUMOUR = 30
    MENINGIOMA = 31
    METASTASIS = 32
    CAVITY = 33


# FreeSurfer numbers for the brain; numbers from 500 on are extra-cerebral. 514 (dark on T1w,
# hence often counted with bone) lies where the dural sinuses and jugular veins are.
LABELS_OF_TISSUE: dict[Tissue, tuple[int, ...]] = {
    Tissue.AIR: (0,),
    Tissue.GREY: (3, 42, 17, 53, 18, 54, 26, 58, 136, 137, 163, 164),
    Tissue.WHITE: (2, 41),
    Tissue.CSF: (4, 43, 5, 44, 14, 15, 24, 72),
    Tissue.CEREBELLAR_GREY: (8, 47),
    Tissue.CEREBELLAR_WHITE: (7, 46),
    Tissue.THALAMUS: (10, 49),
    Tissue.CAUDATE: (11, 50),
    Tissue.PUTAMEN: (12, 51),
    Tissue.PALLIDUM: (13, 52),
    Tissue.BRAINSTEM: (16, 28, 60),
    Tissue.WHITE_LESION: (25, 57),
    Tissue.BLOOD: (30, 62, 514),
    Tissue.ARTERIAL_BLOOD: (502,),
    Tissue.MUCOSA: (509,),
    Tissue.MUSCLE: (507,),
    Tissue.OCULAR_MUSCLE: (508,),
    Tissue.SKIN: (511,),
    Tissue.CORTICAL_BONE: (515,),
    Tissue.MARROW: (516,),
    Tissue.VITREOUS: (506,),
    Tissue.OPTIC_NERVE: (85, 530),
    Tissue.SPINAL_CORD: (512,),
}

VOXEL_MM, VOXEL_TOLERANCE = 1.0, 0.01
"""Of label maps: vessels, lesions and blur are drawn in voxels of this size."""
FIRST_EXTRACEREBRAL_LABEL = 500
BRAIN = tuple(
    label
    for labels in LABELS_OF_TISSUE.values()
    for label in labels
    if 0 < label < FIRST_EXTRACEREBRAL_LABEL
)
CORTEX_LEFT, CORTEX_RIGHT = (3,), (42,)
CORTEX = CORTEX_LEFT + CORTEX_RIGHT
CEREBRUM, CEREBELLUM = (2, 3, 41, 42), (7, 8, 46, 47)
WHITE_MATTER = (2, 41)
VENTRICLES = (4, 43, 5, 44, 14, 15)
LATERAL_VENTRICLES = (4, 43, 5, 44)
SUBARACHNOID = (24,)
CHOROIDAL_FISSURE = (10, 49, 17, 53)
ARTERIES, SINUSES = (502,), (514,)
BONE = (515, 516)


@dataclass(frozen=True)
class LabelMap:
    """Labels (X, Y, Z) in RAS order, 1 mm, and their affine to world coordinates in mm."""

    labels: NDArray[np.int16]
    affine: NDArray[np.float64]

    def mask(self, labels: tuple[int, ...]) -> BoolArray:
        """Return where any of `labels` is, as (X, Y, Z)."""
        chosen = np.zeros(int(self.labels.max(initial=0)) + 1, dtype=bool)
        chosen[[label for label in labels if label < chosen.size]] = True
        return chosen[self.labels]


def load_label_map(path: Path) -> LabelMap:
    """Read a whole-head label map and turn it to RAS order.

    Raises
    ------
    InputImageError
        The file cannot be read, is not 3D, has voxels of another size than 1 mm, or holds labels
        without a tissue.
    """
    try:
        image = nib.as_closest_canonical(nib.load(path))
        labels = np.asarray(image.dataobj).astype(np.int16)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise InputImageError(f"Cannot read the label map {path}: {error}") from error
    if labels.ndim != 3:
        raise InputImageError(f"{path} has {labels.ndim} dimensions; a label map has three.")
    sizes_mm = nib.affines.voxel_sizes(image.affine)
    if np.abs(sizes_mm - VOXEL_MM).max() > VOXEL_TOLERANCE * VOXEL_MM:
        sizes = " × ".join(f"{size:.3g}" for size in sizes_mm)
        raise InputImageError(
            f"{path} has voxels of {sizes} mm; those of a label map must be of 1 mm: resample it, "
            "nearest neighbour."
        )
    unknown = sorted(set(np.unique(labels).tolist()) - set(_tissue_of_label()))
    if unknown:
        raise InputImageError(f"{path} holds labels of no known tissue: {unknown}.")
    return LabelMap(labels, np.asarray(image.affine, dtype=np.float64))


def tissue_map(labels: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return the tissue of each voxel, (X, Y, Z)."""
    lookup = np.zeros(max(_tissue_of_label()) + 1, dtype=np.uint8)
    for label, tissue in _tissue_of_label().items():
        lookup[label] = tissue
    return lookup[labels]


def _tissue_of_label() -> dict[int, Tissue]:
    return {label: tissue for tissue, labels in LABELS_OF_TISSUE.items() for label in labels}
