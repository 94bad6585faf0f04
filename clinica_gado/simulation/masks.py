"""What is cut out of an image, all but the brain or the face; and where lesions enhance."""

from __future__ import annotations

import math

import torch

from clinica_gado.simulation.artefacts import blur
from clinica_gado.simulation.labels import Tissue
from clinica_gado.simulation.layers import FULL, Head
from clinica_gado.simulation.parameters import BrainMask

_SMOOTH_MM = 3.0
_FWHM = 2 * math.sqrt(2 * math.log(2))
_EXTRACEREBRAL = (
    Tissue.AIR,
    Tissue.CSF,
    Tissue.BLOOD,
    Tissue.ARTERIAL_BLOOD,
    Tissue.MUCOSA,
    Tissue.MUSCLE,
    Tissue.OCULAR_MUSCLE,
    Tissue.FAT,
    Tissue.SKIN,
    Tissue.CORTICAL_BONE,
    Tissue.MARROW,
    Tissue.VITREOUS,
    Tissue.OPTIC_NERVE,
    Tissue.SPINAL_CORD,
)
ENHANCING_LESION = (Tissue.ENHANCING_TUMOUR, Tissue.MENINGIOMA, Tissue.METASTASIS)
"""What of a lesion takes up agent."""
_FACE_SLOPE = 0.6
_FACE_MARGIN_MM = 5.0


def brain_region(head: Head, mask: BrainMask) -> torch.Tensor:
    """Return the voxels that a skull-strip keeps, (X, Y, Z) bool.

    The brain smoothed over 3 mm fills the sulci and falls with the distance from its surface as
    the normal distribution does; the margin is a level of that slope.
    """
    noise = torch.randn(
        tuple(-(-n // 8) for n in head.tissue.shape),
        generator=torch.Generator().manual_seed(mask.seed),
    ).to(head.tissue.device)
    rough = torch.nn.functional.interpolate(
        noise[None, None], head.tissue.shape, mode="trilinear", align_corners=True
    )[0, 0]
    margin = mask.margin_mm + mask.roughness_mm * rough
    level = 0.5 * torch.erfc(margin / (_SMOOTH_MM * math.sqrt(2)))
    return head.brain.float() / FULL > level


def smooth_brain(tissue: torch.Tensor) -> torch.Tensor:
    """Return the brain without CSF and vessels, smoothed over 3 mm, (X, Y, Z) uint8, 255 inside."""
    is_brain = torch.ones(len(Tissue), device=tissue.device)
    is_brain[list(_EXTRACEREBRAL)] = 0.0
    smooth = blur(is_brain[tissue.int()], _SMOOTH_MM * _FWHM)
    return (FULL * smooth).round().to(torch.uint8)


def face_region(head: Head) -> torch.Tensor:
    """Return the voxels that defacing cuts, (X, Y, Z) bool: in front of and below the eyes.

    A slanted plane 5 mm before the centre of the eyes; what is within 9 mm of the brain stays.
    Nothing where no eyes are labelled.
    """
    eyes = torch.nonzero(head.tissue == Tissue.VITREOUS).float()
    if not len(eyes):
        return torch.zeros_like(head.tissue, dtype=torch.bool)
    centre = eyes.mean(0)
    _, length, height = head.tissue.shape
    y = torch.arange(length, device=eyes.device)[None, :, None] - centre[1]
    z = torch.arange(height, device=eyes.device)[None, None, :] - centre[2]
    return (y - _FACE_SLOPE * z > _FACE_MARGIN_MM) & (head.brain == 0)


def enhancing_lesions(head: Head) -> torch.Tensor:
    """Return the voxels that lesions which take up agent fill by half or more, (X, Y, Z) bool."""
    lesion = torch.zeros_like(head.tissue, dtype=torch.bool)
    for layer in head.layers:
        if layer.tissue in ENHANCING_LESION:
            lesion |= layer.fraction > FULL // 2
    return lesion
