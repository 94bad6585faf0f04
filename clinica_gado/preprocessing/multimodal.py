"""The other sequences of a visit, brought to the template by way of its T1w."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinica_gado.caps import AlignedPaths, PreparedPaths, is_of, read_sidecar
from clinica_gado.errors import RegistrationError
from clinica_gado.files import sha256_of, write_json
from clinica_gado.preprocessing.diffusion import read_adc
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.preprocessing.linear import read_itk_affine, resample_to_grid
from clinica_gado.preprocessing.rigid import Alignment, align_rigidly
from clinica_gado.preprocessing.t1_linear import readable
from clinica_gado.sequences import ADC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.bids import InputFile
    from clinica_gado.preprocessing.t1_linear import LinearOptions

MIN_COVERAGE = 0.8
"""Share of the brain that an image must show; thin slabs of slices are no input for a network."""
MIN_CORRELATION = 0.55
"""Of a T1w with and one without contrast. In the brain, 17 real pairs have .31 to .46 (a spin echo
and an MPRAGE) or .62 to .89; a simulated pair of one sequence has .90, of a quarter of the dose
.99."""
_MIN_COMPARED_VOXELS = 1000


def prepare_sequence(
    name: str,
    file: InputFile,
    source: Path,
    prepared: PreparedPaths,
    destination: AlignedPaths,
    options: LinearOptions,
) -> None:
    """Make sure that CAPS holds an image of a visit on the grid of its prepared T1w.

    What an earlier run made of the very same files is kept.

    Parameters
    ----------
    name : one of `clinica_gado.sequences`.
    source, prepared : the T1w that leads, as acquired and as `prepare_linear` left it.
    options : those that it was prepared with.

    Raises
    ------
    InputImageError, RegistrationError, OutputError
        One line that says what to do.
    """
    request = _request(file, prepared)
    if is_of(request, destination.sidecar, destination.image):
        return
    # What was made of other files must not be taken for this one's, should it fail.
    for outdated in (destination.sidecar, destination.image):
        outdated.unlink(missing_ok=True)
    image = read_adc(file.path, file.b_values) if file.b_values else read_volume(file.path)
    lead = read_volume(source)
    try:
        moved, alignment = bring_sequence(
            name, image, lead, read_itk_affine(prepared.affine), options
        )
    except RegistrationError as error:
        raise RegistrationError(f"{file.path}: {error}") from error
    save_volume(moved, destination.image)
    content = {"Description": f"{name} on the grid of the T1w of its visit", **request}
    write_json(destination.sidecar, {**content, **_describe(alignment, file)})


def is_prepared(file: InputFile, prepared: PreparedPaths, destination: AlignedPaths) -> bool:
    """Tell whether CAPS holds what `prepare_sequence` would make of these very files."""
    return is_of(_request(file, prepared), destination.sidecar, destination.image)


def _request(file: InputFile, prepared: PreparedPaths) -> dict[str, Any]:
    """Return what decides an image on the grid of its T1w, files by checksum."""
    linear = read_sidecar(prepared.linear_sidecar) or {}
    return {
        "ImageSha256": sha256_of(readable(file.path)),
        "BValuesSha256": sha256_of(readable(file.b_values)) if file.b_values else None,
        "LeadSha256": linear.get("SourceSha256"),
        "Options": linear.get("Options"),
    }


def _describe(alignment: Alignment, file: InputFile) -> dict[str, Any]:
    made = {"ComputedFrom": "diffusion series and its b-values"} if file.b_values else {}
    return {
        **made,
        "Alignment": alignment.origin,
        "MutualInformation": round(alignment.mutual_information, 5),
    }


def bring_sequence(
    name: str,
    image: Volume,
    t1w: Volume,
    mni_to_t1w: NDArray[np.float64],
    options: LinearOptions,
) -> tuple[Volume, Alignment]:
    """Bring one of `clinica_gado.sequences` to the template: N4 but for the ADC, then as below."""
    prepared = image if name == ADC else options.correct_bias(image)
    moved, alignment, _ = bring_by_t1w(prepared, t1w, mni_to_t1w, options.is_fast)
    return moved, alignment


def bring_by_t1w(
    image: Volume, t1w: Volume, mni_to_t1w: NDArray[np.float64], fast: bool = False
) -> tuple[Volume, Alignment, NDArray[np.float64]]:
    """Sample an image on `CROP_GRID` through the affine of the T1w of the same head.

    It is aligned to the T1w rigidly, by mutual information; both movements are one interpolation.

    Parameters
    ----------
    image, t1w : on their own grids.
    mni_to_t1w : world of the template to world of the T1w (RAS, mm), (4, 4).
    fast : see `align_rigidly`.

    Returns
    -------
    The image there, how it was aligned, and the matrix from the template to the image, (4, 4).

    Raises
    ------
    RegistrationError
        ANTs gave up.
    """
    alignment = align_rigidly(image, t1w, fast=fast)
    mni_to_image = alignment.fixed_to_moving @ mni_to_t1w
    return resample_to_grid(image, CROP_GRID, mni_to_image), alignment, mni_to_image


def flags_of(moved: Volume, brain: NDArray[np.bool_]) -> tuple[str, ...]:
    """Say in words what is doubtful about an image on the grid of a brain mask."""
    coverage = float((moved.data[brain] != 0).mean()) if brain.any() else 0.0
    if coverage < MIN_COVERAGE:
        return (f"shows {100 * coverage:.0f} % of the brain",)
    return ()


def sequence_flags(
    first: NDArray[np.float32], second: NDArray[np.float32], brain: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Say in words that two T1w of a visit, which should differ by the dose alone, look unlike.

    Parameters
    ----------
    first, second, brain : on one grid, (X, Y, Z).
    """
    both = brain & (first != 0) & (second != 0)
    if both.sum() < _MIN_COMPARED_VOXELS:
        return ()
    r = float(np.corrcoef(first[both], second[both])[0, 1])
    if r >= MIN_CORRELATION:
        return ()
    return (f"correlates by only {r:.2f} with the T1w in the brain; is it of another sequence?",)
