"""The t1-linear image of a visit: taken from CAPS when it is there, computed when it is not."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from clinica_gado.caps import REMOVAL, is_of, linear_paths, prepared_paths
from clinica_gado.errors import InputImageError, RegistrationError
from clinica_gado.files import atomic_path, sha256_of, write_json
from clinica_gado.preprocessing.fast import correct_bias_fast, describe_fast, run_linear_fast
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.preprocessing.linear import (
    RANDOM_SEED,
    LinearResult,
    correct_bias,
    itk_affine,
    read_itk_affine,
    resample_to_grid,
    run_linear,
)
from clinica_gado.preprocessing.plausibility import check_registration
from clinica_gado.preprocessing.templates import (
    SHA256,
    Template,
    is_brain_only,
    load_template,
    load_user_template,
    most_frequent_value,
    template_brain,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.bids import Visit
    from clinica_gado.caps import PreparedPaths

logger = logging.getLogger(__name__)

MAX_NEGATIVE_FRACTION = 0.25
ROUTES = ("fast", "standard", "clinica")
MIN_DETAIL_CORRELATION = 0.9
"""Of a t1_linear image and its affine applied anew: .95–1 where they agree, .7 after SyN."""
DETAIL_MM = 4.0
"""Detail is what a Gaussian of this width takes away; whole images are at .9 after SyN too."""


@dataclass(frozen=True)
class LinearOptions:
    """How to bring an image to the template.

    Attributes
    ----------
    route : `standard` (embedded), `fast` (the same on coarser images) or `clinica` (the ANTs
        programs that Clinica itself runs).
    template : the user's template, or None for the one shipped that fits the image.
    """

    route: str = "standard"
    template: Path | None = None
    seed: int = RANDOM_SEED

    def __post_init__(self) -> None:
        if self.route not in ROUTES:
            raise ValueError(f"Unknown route {self.route!r}; choose one of {', '.join(ROUTES)}.")

    @property
    def is_fast(self) -> bool:
        """Whether what is done beside the registration to the template is to be fast, too."""
        return self.route == "fast"

    @property
    def correct_bias(self) -> Callable[[Volume], Volume]:
        """What removes the bias field of other images of the visit."""
        return correct_bias_fast if self.is_fast else correct_bias


def prepare_linear(
    source: Path, visit: Visit, caps: Path, options: LinearOptions, folder: str = REMOVAL
) -> PreparedPaths:
    """Make sure that CAPS holds the preprocessed `source`, its affine and its sidecar.

    In this order: what an earlier run of this pipeline prepared from the very same file with the
    same options, the image of Clinica's t1-linear, a registration.

    Parameters
    ----------
    folder : of the pipeline in the visit, see `prepared_paths`.

    Raises
    ------
    InputImageError, RegistrationError, ResourceError, OutputError
        One line that says what to do.
    """
    paths = prepared_paths(caps, source, visit, folder)
    request = _request(source, options)
    if is_of(request, paths.linear_sidecar, paths.linear, paths.affine):
        return paths
    native = read_volume(source)
    _check_scale(native, source)
    template = choose_template(native, options)
    reused = _from_clinica(native, source, visit, caps)
    result = reused or _register(source, native, template, options)
    _save(paths, result, template, native, {**request, "Reused": reused is not None})
    return paths


def is_prepared(
    source: Path, visit: Visit, caps: Path, options: LinearOptions, folder: str = REMOVAL
) -> bool:
    """Tell whether CAPS holds what `prepare_linear` would leave as it is.

    Raises
    ------
    InputImageError
        The source cannot be opened.
    """
    paths = prepared_paths(caps, source, visit, folder)
    return is_of(_request(source, options), paths.linear_sidecar, paths.linear, paths.affine)


def _request(source: Path, options: LinearOptions) -> dict[str, Any]:
    return {"SourceSha256": sha256_of(readable(source)), "Options": describe_options(options)}


def readable(source: Path) -> Path:
    """Return a path that can be opened.

    Raises
    ------
    InputImageError
        It cannot.
    """
    try:
        with source.open("rb"):
            return source
    except OSError as error:
        raise InputImageError(
            f"{source} cannot be opened ({error.strerror}); check the path and its permissions."
        ) from error


def describe_options(options: LinearOptions) -> dict[str, Any]:
    """Return what decides a registration beside the image; files by their checksum, not name."""
    return {
        "Route": options.route,
        "Template": _checksum_of_template(options.template),
        "Seed": options.seed,
        **({"Fast": describe_fast()} if options.is_fast else {}),
    }


def _check_scale(native: Volume, source: Path) -> None:
    """Refuse an image centred on zero: neither N4 nor the network means anything on it."""
    head = native.data[native.data != most_frequent_value(native.data)]
    negative = float((head < 0).mean())
    if negative > MAX_NEGATIVE_FRACTION:
        raise InputImageError(
            f"{source} has {100 * negative:.0f} % of its voxels below zero, as after a z-score; "
            "give the image with its original intensities."
        )


@lru_cache(maxsize=1)
def _checksum_of_template(template: Path | None) -> str:
    if template is None:
        return "+".join(checksum[:12] for checksum in SHA256.values())
    return load_user_template(template).sha256


def choose_template(native: Volume, options: LinearOptions) -> Template:
    """Return the user's template, or the shipped one that fits: a head's or a brain's."""
    if options.template is not None:
        return load_user_template(options.template)
    return load_template("brain" if is_brain_only(native) else "head")


def _register(
    source: Path, native: Volume, template: Template, options: LinearOptions
) -> LinearResult:
    try:
        if options.route == "clinica":
            from clinica_gado.preprocessing.ants_programs import run_linear_with_programs

            return run_linear_with_programs(native, template.volume, options.seed)
        run = run_linear_fast if options.is_fast else run_linear
        return run(native, template.volume, options.seed)
    except RegistrationError as error:
        raise RegistrationError(f"{source}: {error}") from error


def _from_clinica(native: Volume, source: Path, visit: Visit, caps: Path) -> LinearResult | None:
    """Read the image of Clinica's t1-linear if it is what its affine makes of the source."""
    found = linear_paths(caps, source, visit)
    if not (found.cropped.is_file() and found.affine.is_file()):
        return None
    try:
        cropped = read_volume(found.cropped)
        matrix = read_itk_affine(found.affine)
    except (InputImageError, RuntimeError):
        logger.warning(
            "%s or its affine cannot be read; the image is registered again.", found.cropped
        )
        return None
    if is_affine_of(cropped, native, matrix):
        return LinearResult(native, Volume(cropped.data, CROP_GRID.affine), matrix)
    logger.warning(
        "%s is not its source moved by its affine (Clinica's --use-antspy warps images); "
        "it is not used and the image is registered again.",
        found.cropped,
    )
    return None


def is_affine_of(cropped: Volume, native: Volume, matrix: NDArray[np.float64]) -> bool:
    """Tell whether an image on the template grid is the native one moved by a matrix (4, 4)."""
    on_grid = cropped.data.shape == CROP_GRID.shape
    if not on_grid or not np.allclose(cropped.affine, CROP_GRID.affine, atol=1e-3):
        return False
    expected = resample_to_grid(native, CROP_GRID, matrix)
    if np.ptp(expected.data) == 0:
        return False
    found, wanted = (_detail(volume.data).ravel() for volume in (cropped, expected))
    return bool(np.corrcoef(found, wanted)[0, 1] >= MIN_DETAIL_CORRELATION)


def _detail(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what is left without the smooth part, which holds the bias field."""
    return data - gaussian_filter(data, DETAIL_MM)


def _save(
    paths: PreparedPaths,
    result: LinearResult,
    template: Template,
    native: Volume,
    facts: dict[str, Any],
) -> None:
    brain = template_brain()
    on_crop = Volume(template.volume.data[CROP_SLICES], CROP_GRID.affine)
    check = check_registration(result.cropped, on_crop, brain, result.mni_to_native, native)
    # Without its sidecar nothing counts as prepared, should this be interrupted half-way.
    paths.linear_sidecar.unlink(missing_ok=True)
    save_volume(result.cropped, paths.linear)
    save_affine(result.mni_to_native, paths.affine)
    write_json(
        paths.linear_sidecar,
        {
            "Description": "T1w after N4 and affine registration to MNI152NLin2009cSym, cropped",
            **facts,
            "SkullStripped": is_brain_only(native),
            **({} if facts["Reused"] else _describe_template(template)),
            "Registration": asdict(check),
        },
    )


def _describe_template(template: Template) -> dict[str, str]:
    return {"Template": template.name, "TemplateSha256": template.sha256}


def save_affine(matrix: np.ndarray, path: Path) -> None:
    """Write template world to image world as an ITK affine, as Clinica does."""
    import ants

    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as partial:
        written = Path(folder) / "affine.mat"
        ants.write_transform(itk_affine(matrix), str(written))
        shutil.copyfile(written, partial)
