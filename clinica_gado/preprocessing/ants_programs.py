"""t1-linear by the ANTs programs that Clinica itself runs, for who must match Clinica's own images.

The interfaces are configured as in Clinica 0.12 (`t1_linear/anat_linear_pipeline.py`).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nipype.interfaces.ants import N4BiasFieldCorrection, RegistrationSynQuick

from clinica_gado.errors import InputImageError, RegistrationError, ResourceError
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.preprocessing.linear import (
    N4_SPLINE_DISTANCE_MM,
    RANDOM_SEED,
    LinearResult,
    crop,
    read_itk_affine,
)

if TYPE_CHECKING:
    from nipype.interfaces.ants.base import ANTSCommand

PROGRAMS = ("N4BiasFieldCorrection", "antsRegistrationSyNQuick.sh", "antsRegistration")
"""The script of the second calls the third."""


def check_programs() -> None:
    """Make sure that the ANTs programs are installed.

    Raises
    ------
    ResourceError
        Some are not on PATH.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise ResourceError(
            f"{', '.join(missing)} of ANTs not found on PATH; install ANTs 2.3 or later (Clinica's "
            "documentation says how), or choose --preprocessing standard, which needs none."
        )


def run_linear_with_programs(
    volume: Volume, template: Volume, seed: int = RANDOM_SEED
) -> LinearResult:
    """Bring a T1w image to the template as `run_linear` does, with the ANTs programs.

    The programs read float32 files written for them, with equal qform and sform: of an original
    with two that differ, ITK and nibabel would not take the same.

    Raises
    ------
    ResourceError
        The programs are not installed.
    RegistrationError
        A program failed; the last line it said is given.
    """
    check_programs()
    with tempfile.TemporaryDirectory(prefix="clinica-gado-") as name:
        folder = Path(name)
        save_volume(volume, folder / "T1w.nii.gz")
        save_volume(template, folder / "template.nii.gz")
        corrected = _correct_bias(folder / "T1w.nii.gz")
        registered, affine = _register(corrected, folder / "template.nii.gz", seed)
        return LinearResult(
            Volume(_read(corrected).data, volume.affine),
            crop(_read(registered)),
            read_itk_affine(affine),
        )


def _correct_bias(image: Path) -> Path:
    corrected = image.with_name("T1w_corrected.nii.gz")
    program = N4BiasFieldCorrection(dimension=3)
    program.inputs.input_image = str(image)
    program.inputs.output_image = str(corrected)
    program.inputs.bspline_fitting_distance = N4_SPLINE_DISTANCE_MM
    _run(program, corrected)
    return corrected


def _register(moving: Path, template: Path, seed: int) -> tuple[Path, Path]:
    prefix = moving.with_name("T1w")
    registered = prefix.with_name("T1wWarped.nii.gz")
    affine = prefix.with_name("T1w0GenericAffine.mat")
    program = RegistrationSynQuick()
    program.inputs.fixed_image = str(template)
    program.inputs.moving_image = str(moving)
    program.inputs.output_prefix = str(prefix)
    program.inputs.transform_type = "a"
    program.inputs.dimension = 3
    program.inputs.random_seed = seed
    _run(program, registered, affine)
    return registered, affine


def _run(program: ANTSCommand, *results: Path) -> None:
    program.terminal_output = "allatonce"
    try:
        done = program.run(cwd=str(results[0].parent), ignore_exception=True).runtime
    except Exception as error:  # nipype raises a bare Exception for a version that is too old
        raise ResourceError(
            f"{program.cmd} cannot be used ({error}); install ANTs 2.3 or later, "
            "or choose --preprocessing standard."
        ) from error
    if done.returncode != 0 or not all(path.is_file() for path in results):
        said = f"{done.stdout or ''}\n{done.stderr or ''}".split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
        raise RegistrationError(f"{program.cmd} failed: {last}")


def _read(path: Path) -> Volume:
    try:
        return read_volume(path)
    except InputImageError as error:
        raise RegistrationError(f"An ANTs program gave no usable image: {error}") from error
