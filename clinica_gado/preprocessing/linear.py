"""t1-linear without binaries: N4, affine to MNI152NLin2009cSym, resampling and Clinica's crop.

The steps and their settings are those of Clinica's `t1-linear` (Bottani 2022, section 2.2), with
antspyx called directly: Clinica's own `--use-antspy` route warps the image non-linearly.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinica_gado.errors import RegistrationError
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES, MNI_GRID, Grid
from clinica_gado.preprocessing.images import Volume, from_ants, to_ants

if TYPE_CHECKING:
    import ants
    from numpy.typing import NDArray

N4_SPLINE_DISTANCE_MM = 200
"""Distance of the bias field's control points, as in Clinica's t1-linear."""
REGISTRATION = "antsRegistrationSyNQuick[a]"
"""Rigid then affine (12 degrees of freedom) by mutual information, as in Clinica's t1-linear."""
RANDOM_SEED = 1
"""Not 0, by which ANTs means the clock, as Clinica does by default."""
_RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class LinearResult:
    """An image brought to the template.

    Attributes
    ----------
    corrected : the bias-corrected image on its own grid.
    cropped : the same on `CROP_GRID`, (169, 208, 179).
    mni_to_native : world of the template (RAS, mm) to world of the image, (4, 4).
    """

    corrected: Volume
    cropped: Volume
    mni_to_native: NDArray[np.float64]


def correct_bias(volume: Volume) -> Volume:
    """Remove the smooth intensity inhomogeneity with N4 (Tustison 2010).

    Values below zero (padding, ringing of an earlier interpolation) become zero: N4, which works on
    logarithms, takes them as they are, and with padding of -200 it corrects nothing.
    """
    import ants

    positive = to_ants(Volume(np.maximum(volume.data, 0), volume.affine))
    corrected = ants.n4_bias_field_correction(positive, spline_param=N4_SPLINE_DISTANCE_MM)
    return Volume(corrected.numpy().astype(np.float32, copy=False), volume.affine)


def estimate_affine(
    moving: Volume, template: Volume, seed: int = RANDOM_SEED
) -> NDArray[np.float64]:
    """Return the matrix (4, 4) that takes template world coordinates to those of `moving`, RAS mm.

    Raises
    ------
    RegistrationError
        ANTs gave up.
    """
    return estimate_transform(moving, template, REGISTRATION, seed)


def estimate_transform(
    moving: Volume,
    fixed: Volume,
    kind: str,
    seed: int = RANDOM_SEED,
    start: NDArray[np.float64] | None = None,
    **settings: Any,
) -> NDArray[np.float64]:
    """Return the matrix (4, 4) from the world of `fixed` to that of `moving`, RAS mm.

    Parameters
    ----------
    kind : a linear `type_of_transform` of antspyx.
    start : such a matrix; None for the translation between the centres of mass.
    settings : of `ants.registration`.

    Raises
    ------
    RegistrationError
        ANTs gave up.
    """
    import ants
    from ants.config import set_ants_deterministic

    # `ants.registration` swallows a `random_seed` argument: only the global setting is read.
    set_ants_deterministic(on=False, seed_value=seed)
    with tempfile.TemporaryDirectory() as folder:
        if start is not None:
            settings["initial_transform"] = f"{folder}/start.mat"
            ants.write_transform(itk_affine(start), settings["initial_transform"])
        try:
            result = ants.registration(
                fixed=to_ants(fixed),
                moving=to_ants(moving),
                type_of_transform=kind,
                outprefix=f"{folder}/",
                **settings,
            )
        except RuntimeError as error:
            raise RegistrationError(
                f"ANTs could not register the image ({error}); look at its header and extent."
            ) from error
        return read_itk_affine(Path(result["fwdtransforms"][0]))


def read_itk_affine(path: Path) -> NDArray[np.float64]:
    """Read an ITK `.mat` affine as a matrix (4, 4) between RAS worlds (fixed to moving)."""
    import ants

    transform = ants.read_transform(str(path))
    parameters = np.asarray(transform.parameters, dtype=np.float64)
    centre = np.asarray(transform.fixed_parameters, dtype=np.float64)
    matrix = np.eye(4)
    matrix[:3, :3] = parameters[:9].reshape(3, 3)
    matrix[:3, 3] = parameters[9:] + centre - matrix[:3, :3] @ centre
    return _RAS_LPS @ matrix @ _RAS_LPS


def itk_affine(matrix: NDArray[np.float64]) -> ants.ANTsTransform:
    """Make the ITK transform of a matrix (4, 4) between RAS worlds."""
    import ants

    lps = _RAS_LPS @ matrix @ _RAS_LPS
    return ants.new_ants_transform(
        precision="double",
        transform_type="AffineTransform",
        parameters=[*lps[:3, :3].ravel(), *lps[:3, 3]],
        fixed_parameters=[0.0, 0.0, 0.0],
    )


def resample(
    volume: Volume, shape: tuple[int, ...], affine: NDArray[np.float64], matrix: NDArray[np.float64]
) -> Volume:
    """Sample a volume by trilinear interpolation on another grid.

    Parameters
    ----------
    volume : what is sampled; zero outside its field of view.
    shape, affine : the grid of the result.
    matrix : world of the result to world of `volume` (RAS, mm), (4, 4).
    """
    reference = to_ants(Volume(np.zeros(shape, dtype=np.float32), affine))
    resampled = itk_affine(matrix).apply_to_image(
        to_ants(volume), reference=reference, interpolation="linear"
    )
    return Volume(from_ants(resampled).data, affine)


def resample_to_grid(volume: Volume, grid: Grid, matrix: NDArray[np.float64]) -> Volume:
    """Sample a volume on one of the template grids (see `resample`)."""
    return resample(volume, grid.shape, grid.affine, matrix)


def crop(volume: Volume) -> Volume:
    """Cut an image on `MNI_GRID` to Clinica's `CROP_GRID`.

    Raises
    ------
    RegistrationError
        It is not on that grid.
    """
    if volume.data.shape != MNI_GRID.shape:
        raise RegistrationError(
            f"An image of {volume.data.shape} voxels cannot be cropped as t1-linear does; "
            f"it must be on the template grid {MNI_GRID.shape}."
        )
    return Volume(np.ascontiguousarray(volume.data[CROP_SLICES]), CROP_GRID.affine)


def run_linear(volume: Volume, template: Volume, seed: int = RANDOM_SEED) -> LinearResult:
    """Bring a T1w image to the template: N4, affine, resampling, crop."""
    corrected = correct_bias(volume)
    return bring_to_template(corrected, estimate_affine(corrected, template, seed))


def bring_to_template(corrected: Volume, matrix: NDArray[np.float64]) -> LinearResult:
    """Sample a corrected image on the template's grid through its affine, and crop it."""
    cropped = crop(resample_to_grid(corrected, MNI_GRID, matrix))
    return LinearResult(corrected, cropped, matrix)


def synthetic_in_native_space(
    before: Volume,
    after: Volume,
    mni_to_native: NDArray[np.float64],
    native: Volume,
    made: NDArray[np.bool_] | None = None,
) -> Volume:
    """Return a synthetic image on the grid of the native image that it was made of.

    Parameters
    ----------
    before, after : on the template grid, (X, Y, Z); their difference is what travels back.
    native : the source, on the intensity scale of `before`.
    made : voxels of the template grid that `after` shows where that is not all it could, such as
        the brain; the rest is zero then, in native space too.
    """
    change = after.data - before.data
    if made is not None:
        change = np.where(made, change, np.float32(0))
    moved = change_in_native_space(Volume(change, before.affine), mni_to_native, native)
    # A change may not take a voxel below zero, nor touch the air around a skull-stripped brain.
    synthetic = np.where(native.data == 0, 0, np.maximum(native.data + moved.data, 0))
    if made is not None:
        shown = Volume(made.astype(np.float32), before.affine)
        inside = change_in_native_space(shown, mni_to_native, native).data > 0.5
        synthetic = np.where(inside, synthetic, 0)
    return Volume(synthetic.astype(np.float32), native.affine)


def change_in_native_space(
    change: Volume, mni_to_native: NDArray[np.float64], native: Volume
) -> Volume:
    """Sample a change computed on the template grid at the voxels of the native image.

    The change, not the image, is what travels back, so that the native image keeps its own
    resolution and stays as it is outside the template's field of view.
    """
    native_to_mni = np.linalg.inv(mni_to_native).astype(np.float64)
    return resample(change, native.data.shape, native.affine, native_to_mni)
