"""A T1w on the template's grid in seconds: good enough to tell contrast, not to measure volumes.

The affine is found at 3 mm and no bias field is estimated (`profile` allows for it), at a tenth of
the cost of t1-linear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.errors import RegistrationError
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES
from clinica_gado.preprocessing.images import Volume, shrink
from clinica_gado.preprocessing.linear import estimate_transform, resample_to_grid
from clinica_gado.preprocessing.plausibility import check_registration
from clinica_gado.preprocessing.templates import is_brain_only, load_template, template_brain

if TYPE_CHECKING:
    from numpy.typing import NDArray

COARSE_MM = 3.0
REGISTRATION = "Affine"


def place_on_template(native: Volume) -> Volume:
    """Bring a T1w to `CROP_GRID`, (169, 208, 179).

    Raises
    ------
    RegistrationError
        ANTs gave up, or the registration is out of range.
    """
    positive = Volume(np.maximum(native.data, 0), native.affine)
    template = load_template("brain" if is_brain_only(native) else "head").volume
    matrix = coarse_affine(positive, template)
    placed = resample_to_grid(positive, CROP_GRID, matrix)
    on_crop = Volume(template.data[CROP_SLICES], CROP_GRID.affine)
    check = check_registration(placed, on_crop, template_brain(), matrix, native)
    if check.flags:
        raise RegistrationError(f"it could not be placed on the template: {'; '.join(check.flags)}")
    return placed


def coarse_affine(moving: Volume, template: Volume) -> NDArray[np.float64]:
    """Return the matrix (4, 4) from the template's world to that of an image, found at 3 mm."""
    coarse = shrink(moving, COARSE_MM)
    return estimate_transform(coarse, shrink(template, COARSE_MM), REGISTRATION)
