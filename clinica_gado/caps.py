"""Where outputs live in a CAPS dataset, how Clinica's own are found, and what counts as done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinica_gado.bids import CAPS_ORDER, BidsName, InputJob, Job, Visit, format_name, parse_name
from clinica_gado.segmentation.segmenter import TISSUES
from clinica_gado.sequences import ADC

SPACE = "MNI152NLin2009cSym"
RESOLUTION = "1x1x1"
REMOVAL, ENHANCEMENT = "t1_gado_removal", "t1_virtual_enhance"
"""The folders of the two pipelines in a visit."""
MEGABYTES_PER_VISIT = 60
"""Room that the results of a visit take."""
MEGABYTES_PER_IMAGE = 22
"""Room that an image on the template's grid takes."""


@dataclass(frozen=True)
class LinearPaths:
    """What Clinica's t1-linear leaves for one image."""

    cropped: Path
    affine: Path


@dataclass(frozen=True)
class PreparedPaths:
    """What preprocessing makes of one T1w.

    Attributes
    ----------
    linear, linear_sidecar : the T1w on the template's grid, the network's input, and its JSON.
    affine : ITK affine, template world to the world of the T1w.
    """

    linear: Path
    linear_sidecar: Path
    affine: Path


@dataclass(frozen=True)
class RemovalPaths(PreparedPaths):
    """Every file that t1-gado-removal writes for one image.

    Attributes
    ----------
    image, sidecar : the synthetic non-enhanced T1w on the template's grid, and its JSON.
    native, native_sidecar : the same on the grid of the source image, on request.
    mosaic : before, after and change, as PNG.
    planes : the same in three planes with the tissue contours, for the report.
    measures : what was measured on the images of the visit, as JSON.
    outcome : what became of the visit, as JSON, left by `clinica-gado harmonize`.
    """

    image: Path
    sidecar: Path
    native: Path
    native_sidecar: Path
    mosaic: Path
    planes: Path
    measures: Path
    outcome: Path


@dataclass(frozen=True)
class EnhancementPaths(PreparedPaths):
    """Every file that t1-virtual-enhance writes for one visit, but its other inputs.

    Attributes
    ----------
    image, sidecar : the synthetic contrast-enhanced T1w on the template's grid, and its JSON.
    native, native_sidecar : the same on the grid of the image that leads, on request.
    uncertainty : standard deviation over the averaged runs, on the same grid.
    brain, brain_sidecar : mask of the brain on the same grid, and what found it.
    planes : T1w, synthetic, real image and uncertainty in three planes, for the report.
    measures : what was measured on the images of the visit, as JSON.
    """

    image: Path
    sidecar: Path
    native: Path
    native_sidecar: Path
    uncertainty: Path
    brain: Path
    brain_sidecar: Path
    planes: Path
    measures: Path


@dataclass(frozen=True)
class AlignedPaths:
    """Another image of a visit on the grid of its synthetic one, and its JSON."""

    image: Path
    sidecar: Path


@dataclass(frozen=True)
class SegmentationPaths:
    """Probability maps by tissue (`TISSUES`), and the JSON with engine, settings and volumes."""

    maps: Mapping[str, Path]
    sidecar: Path


def visit_folder(caps: Path, visit: Visit) -> Path:
    """Return the folder of a visit."""
    return caps / "subjects" / visit.participant_id / visit.session_id


def qc_folder(caps: Path, pipeline: str) -> Path:
    """Return the folder of the tables and figures of a pipeline."""
    return caps / "gado_qc" / pipeline


def _source_name(source: Path, visit: Visit) -> BidsName:
    """Return the source's entities with the session under which CAPS keeps the visit.

    A suffix that BIDS writes otherwise, such as `_t1w`, is written as in BIDS.
    """
    name = parse_name(source.name)
    session = visit.session_id.removeprefix("ses-")
    suffix = "T1w" if name.suffix.lower() == "t1w" else name.suffix
    return BidsName({**name.entities, "ses": session}, suffix, ".nii.gz")


def linear_paths(caps: Path, source: Path, visit: Visit) -> LinearPaths:
    """Return where Clinica's t1-linear puts the cropped image and the affine of `source`."""
    folder = visit_folder(caps, visit) / "t1_linear"
    name = _source_name(source, visit).with_entities(space=SPACE, res=RESOLUTION)
    affine = BidsName(name.entities, "affine", ".mat")
    return LinearPaths(
        cropped=folder / format_name(name.with_entities(desc="Crop"), CAPS_ORDER),
        affine=folder / format_name(affine, CAPS_ORDER),
    )


def prepared_paths(caps: Path, source: Path, visit: Visit, folder: str) -> PreparedPaths:
    """Return where a pipeline keeps its preprocessed T1w; `folder` is its own in the visit."""
    preprocessing = visit_folder(caps, visit) / folder / "preprocessing"
    name = _source_name(source, visit)
    on_grid = name.with_entities(space=SPACE, res=RESOLUTION, desc="N4")
    linear = preprocessing / format_name(on_grid, CAPS_ORDER)
    transform = {**name.entities, "from": SPACE, "to": "T1w", "mode": "image"}
    affine = preprocessing / format_name(BidsName(transform, "xfm", ".mat"), CAPS_ORDER)
    return PreparedPaths(linear, sidecar_of(linear), affine)


def removal_paths(caps: Path, source: Path, visit: Visit) -> RemovalPaths:
    """Return the outputs of t1-gado-removal for `source`; no Clinica or ClinicaDL filter sees them.

    Clinica looks for `*space-…_desc-Crop_res-…`, `*space-…_res-…_T1w` and `*_affine.mat` in the
    whole session, hence `desc-SynthNCE`, `desc-N4` and `_xfm.mat` here.
    """
    folder = visit_folder(caps, visit) / REMOVAL
    name = _source_name(source, visit)
    on_grid = name.with_entities(space=SPACE, res=RESOLUTION)
    image = folder / format_name(on_grid.with_entities(desc="SynthNCE"), CAPS_ORDER)
    native = folder / format_name(name.with_entities(space="T1w", desc="SynthNCE"), CAPS_ORDER)
    figures = qc_folder(caps, "t1-gado-removal") / "figures"
    mosaic = BidsName(on_grid.with_entities(desc="SynthNCE").entities, "mosaic", ".png")
    stem = image.name.removesuffix("_T1w.nii.gz")
    return RemovalPaths(
        **vars(prepared_paths(caps, source, visit, REMOVAL)),
        image=image,
        sidecar=sidecar_of(image),
        native=native,
        native_sidecar=sidecar_of(native),
        mosaic=figures / format_name(mosaic, CAPS_ORDER),
        planes=figures / f"{stem}_planes.webp",
        measures=folder / f"{stem}_measures.json",
        outcome=folder / f"{stem}_outcome.json",
    )


def enhancement_paths(caps: Path, job: InputJob, *, amplified: bool) -> EnhancementPaths:
    """Return the outputs of t1-virtual-enhance for a visit, which no filter of Clinica sees.

    Parameters
    ----------
    amplified : whether the image made is `desc-Amplified`, of a routine image, not `desc-SynthCE`.
    """
    folder = visit_folder(caps, job.visit) / ENHANCEMENT
    prepared = prepared_paths(caps, job.source, job.visit, ENHANCEMENT)
    name = _source_name(job.source, job.visit)
    on_grid = name.with_entities(space=SPACE, res=RESOLUTION)
    description = "Amplified" if amplified else "SynthCE"
    image = folder / format_name(on_grid.with_entities(desc=description), CAPS_ORDER)
    native = folder / format_name(name.with_entities(space="T1w", desc=description), CAPS_ORDER)
    stem = image.name.removesuffix("_T1w.nii.gz")
    brain = BidsName(on_grid.with_entities(desc="brain").entities, "mask", ".nii.gz")
    figures = qc_folder(caps, "t1-virtual-enhance") / "figures"
    brain_path = prepared.linear.with_name(format_name(brain, CAPS_ORDER))
    return EnhancementPaths(
        **vars(prepared),
        image=image,
        sidecar=sidecar_of(image),
        native=native,
        native_sidecar=sidecar_of(native),
        uncertainty=folder / f"{stem}_uncertainty.nii.gz",
        brain=brain_path,
        brain_sidecar=sidecar_of(brain_path),
        # One picture a visit, of what was made last: the report shows one.
        planes=figures / f"{prepared.linear.name.partition('_space-')[0]}_planes.webp",
        measures=folder / f"{stem}_measures.json",
    )


def input_paths(caps: Path, job: InputJob, name: str) -> AlignedPaths:
    """Return where an input of t1-virtual-enhance is kept on the template's grid.

    The T1w that leads is where `prepared_paths` says; the map that is made of a diffusion series
    has the suffix `ADC`.
    """
    path = job.files[name].path
    if path == job.source:
        prepared = prepared_paths(caps, path, job.visit, ENHANCEMENT)
        return AlignedPaths(prepared.linear, prepared.linear_sidecar)
    return _aligned_paths(caps, job.visit, path, ADC if name == ADC else None)


def real_enhanced_paths(caps: Path, job: InputJob) -> AlignedPaths:
    """Return where the real contrast-enhanced T1w of a visit is kept once aligned to its T1w.

    Raises
    ------
    ValueError
        The visit has none.
    """
    if job.reference is None:
        raise ValueError(f"{job.visit} has no contrast-enhanced T1w.")
    return _aligned_paths(caps, job.visit, job.reference)


def _aligned_paths(
    caps: Path, visit: Visit, source: Path, suffix: str | None = None
) -> AlignedPaths:
    name = _source_name(source, visit)
    # Two images of a visit may differ by their `desc` alone, such as a dose and the real image.
    description = f"{name.get('desc') or ''}Aligned"
    name = name.with_entities(space=SPACE, res=RESOLUTION, desc=description)
    aligned = BidsName(name.entities, suffix or name.suffix, name.extension)
    folder = visit_folder(caps, visit) / ENHANCEMENT / "preprocessing"
    image = folder / format_name(aligned, CAPS_ORDER)
    return AlignedPaths(image, sidecar_of(image))


def reference_paths(caps: Path, job: Job) -> AlignedPaths:
    """Return where the real non-enhanced T1w of a job is kept once aligned to its source.

    Raises
    ------
    ValueError
        The job has no reference.
    """
    if job.reference is None:
        raise ValueError(f"{job.visit} has no non-enhanced T1w.")
    name = _source_name(job.reference, job.reference_visit or job.visit)
    on_grid = name.with_entities(space=SPACE, res=RESOLUTION, desc="Reference")
    folder = visit_folder(caps, job.visit) / REMOVAL / "preprocessing"
    image = folder / format_name(on_grid, CAPS_ORDER)
    return AlignedPaths(image, sidecar_of(image))


def segmentation_paths(image: Path) -> SegmentationPaths:
    """Return where the tissue maps of an image of either pipeline go."""
    folder = image.parent.parent if image.parent.name == "preprocessing" else image.parent
    stem = image.name.removesuffix("_T1w.nii.gz")
    maps = {
        tissue: folder / "segmentation" / f"{stem}_segm-{tissue}_probability.nii.gz"
        for tissue in TISSUES
    }
    return SegmentationPaths(maps, folder / "segmentation" / f"{stem}_segmentation.json")


def dataset_name(caps: Path) -> str | None:
    """Return the name that a CAPS dataset gives itself, or None when it is new."""
    return (read_sidecar(caps / "dataset_description.json") or {}).get("Name")


def sidecar_of(image: Path) -> Path:
    """Return the JSON that goes with a `.nii.gz` or `.nii`."""
    return image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def read_sidecar(path: Path) -> Mapping[str, Any] | None:
    """Return the content of a sidecar, or None when there is none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def is_of(request: Mapping[str, Any], sidecar: Path, *images: Path) -> bool:
    """Tell whether images are there whose sidecar says that they are of a request."""
    content = read_sidecar(sidecar) or {}
    return all(image.is_file() for image in images) and request.items() <= content.items()
