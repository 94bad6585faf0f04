"""Tissue volumes of probability maps (Bottani 2022, section 2.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clinica_gado.segmentation.segmenter import TISSUES, TissueMaps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLD = 0.5
"""A voxel belongs to a tissue when its probability is greater."""
_MM3_PER_CM3 = 1000.0


class TissueVolumes(NamedTuple):
    """Volumes in cm³."""

    gm_cm3: float
    wm_cm3: float
    csf_cm3: float

    @property
    def tiv_cm3(self) -> float:
        """Total intracranial volume: the sum of the three."""
        return self.gm_cm3 + self.wm_cm3 + self.csf_cm3


def measure_volumes(maps: TissueMaps, affine: NDArray[np.float64]) -> TissueVolumes:
    """Count the voxels of each tissue.

    Parameters
    ----------
    maps : probabilities, (X, Y, Z) each.
    affine : voxel to world in mm, (4, 4).
    """
    import numpy as np

    voxel_cm3 = abs(float(np.linalg.det(affine[:3, :3]))) / _MM3_PER_CM3
    counts = (float((getattr(maps, tissue) > THRESHOLD).sum()) for tissue in TISSUES)
    return TissueVolumes(*(round(count * voxel_cm3, 3) for count in counts))
