"""The real non-enhanced T1w of a visit, brought onto the grid of its contrast-enhanced one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from clinica_gado.bids import Job
from clinica_gado.caps import is_of, read_sidecar, reference_paths, removal_paths
from clinica_gado.errors import InputImageError
from clinica_gado.files import sha256_of, write_json
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.preprocessing.linear import read_itk_affine
from clinica_gado.preprocessing.multimodal import bring_by_t1w
from clinica_gado.preprocessing.plausibility import RegistrationCheck, check_registration
from clinica_gado.preprocessing.t1_linear import LinearOptions, choose_template, readable
from clinica_gado.preprocessing.templates import is_brain_only, template_brain


def align_reference(job: Job, caps: Path, options: LinearOptions) -> Path | None:
    """Write the non-enhanced T1w of a job beside its source on the template grid; return its path.

    N4, then the rigid movement to the source followed by the source's own affine, in a single
    interpolation: the two images differ by their contrast, not by two registrations (Bottani 2022
    registers each to the template by itself). What an earlier run made of the same files is kept.

    Returns
    -------
    None when the job has no reference.

    Raises
    ------
    InputImageError, RegistrationError, OutputError
    """
    if job.reference is None:
        return None
    paths = reference_paths(caps, job)
    request = _request(job, job.reference, caps)
    if is_of(request, paths.sidecar, paths.image):
        return paths.image
    # What was made of another file must not be taken for this one's, should it fail.
    for outdated in (paths.sidecar, paths.image):
        outdated.unlink(missing_ok=True)
    affine = removal_paths(caps, job.source, job.visit).affine
    moved, facts = _bring(job.reference, job.source, affine, options)
    save_volume(moved, paths.image)
    write_json(
        paths.sidecar,
        {
            "Description": "Real T1w without contrast, on the grid of the contrast-enhanced one",
            **request,
            **facts,
        },
    )
    return paths.image


def is_aligned(job: Job, caps: Path) -> bool:
    """Tell whether CAPS holds what `align_reference` would make, or there is no reference."""
    if job.reference is None:
        return True
    paths = reference_paths(caps, job)
    try:
        return is_of(_request(job, job.reference, caps), paths.sidecar, paths.image)
    except InputImageError:
        return False  # aligning it says in words that it cannot be opened


def _request(job: Job, reference: Path, caps: Path) -> dict[str, Any]:
    """Return what decides the aligned reference, files by checksum."""
    linear = read_sidecar(removal_paths(caps, job.source, job.visit).linear_sidecar) or {}
    return {
        "ReferenceSha256": sha256_of(readable(reference)),
        "SourceSha256": linear.get("SourceSha256"),
        "Options": linear.get("Options"),
    }


def _bring(
    reference_path: Path, source_path: Path, affine: Path, options: LinearOptions
) -> tuple[Volume, dict[str, Any]]:
    reference, source = read_volume(reference_path), read_volume(source_path)
    moved, alignment, mni_to_reference = bring_by_t1w(
        options.correct_bias(reference), source, read_itk_affine(affine), options.is_fast
    )
    check = _check(moved, mni_to_reference, reference, options)
    differing = is_brain_only(reference) != is_brain_only(source)
    flags = (*check.flags, *(["only one of the pair is skull-stripped"] if differing else []))
    return moved, {
        "Alignment": alignment.origin,
        "MutualInformation": round(alignment.mutual_information, 5),
        "Registration": {**asdict(check), "flags": list(flags)},
    }


def _check(
    moved: Volume, matrix: Any, reference: Volume, options: LinearOptions
) -> RegistrationCheck:
    template = choose_template(reference, options).volume
    on_crop = Volume(template.data[CROP_SLICES], CROP_GRID.affine)
    return check_registration(moved, on_crop, template_brain(), matrix, reference)
