"""Gadolinium removal of one visit: from its contrast-enhanced T1w to the synthetic one in CAPS.

The functions know nothing of nipype: the pipeline's nodes and the tests call them alike.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from clinica_gado.bids import Job
from clinica_gado.caps import (
    REMOVAL,
    RemovalPaths,
    is_of,
    read_sidecar,
    removal_paths,
    visit_folder,
)
from clinica_gado.errors import GadoError
from clinica_gado.files import remove_leftovers, sha256_of, write_json
from clinica_gado.outcomes import ALREADY_DONE, Outcome, check_same_request, failure
from clinica_gado.predictors import predictor_of
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.preprocessing.linear import (
    read_itk_affine,
    synthetic_in_native_space,
)
from clinica_gado.preprocessing.t1_linear import is_prepared, prepare_linear
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.provenance import INTENDED_USE, generated_by
from clinica_gado.settings import SynthesisSettings

if TYPE_CHECKING:
    from clinica_gado.inference import Prediction, Predictor

logger = logging.getLogger(__name__)

PIPELINE = "t1-gado-removal"


@dataclass(frozen=True)
class RemovalSettings(SynthesisSettings):
    """What the user asked for.

    Attributes
    ----------
    native_space : also write the result on the grid of the source image.
    """

    pipeline: ClassVar[str] = PIPELINE

    native_space: bool = False

    def describe(self) -> dict[str, Any]:
        """Return the settings as the provenance of a run states them."""
        return {**super().describe(), "NativeSpace": self.native_space}


def make_request(job: Job, settings: RemovalSettings, model_sha256: str) -> dict[str, Any]:
    """Return what decides a result: two runs with equal requests on one machine agree."""
    return {
        "SourceSha256": sha256_of(job.source),
        "ModelSha256": model_sha256,
        "Parameters": settings.parameters,
    }


def is_done(job: Job, settings: RemovalSettings, model_sha256: str) -> bool:
    """Tell whether CAPS holds the result already.

    A visit is done when the synthetic image and its sidecar are there (those in native space too
    when asked for) and the sidecars name the same source file by its sha256, the same model and
    the same parameters. The sidecar is written last, so an interrupted visit is never done.

    Raises
    ------
    OutputError
        CAPS holds a result of another source, model or parameters, and `overwrite` is off.
    """
    paths = removal_paths(settings.caps, job.source, job.visit)
    sidecar = read_sidecar(paths.sidecar)
    if settings.overwrite or sidecar is None or not paths.image.is_file():
        return False
    request = make_request(job, settings, model_sha256)
    check_same_request(paths.image, sidecar, request)
    return not settings.native_space or is_of(request, paths.native_sidecar, paths.native)


def known_outcome(job: Job, settings: RemovalSettings, model_sha256: str) -> Outcome | None:
    """Return the end of a visit that needs no work: done before, or in conflict; else None."""
    try:
        done = is_done(job, settings, model_sha256)
    except GadoError as error:
        return failure(job, error)
    except OSError:
        return None  # a source that cannot be read: preprocessing says so in words
    if not done:
        return None
    sidecar = read_sidecar(removal_paths(settings.caps, job.source, job.visit).sidecar) or {}
    return Outcome(job.visit, job.source.name, ALREADY_DONE, flags=flags_in(sidecar))


def preprocess(job: Job, settings: RemovalSettings) -> tuple[str, ...]:
    """Bring the source of a visit to the template (see `prepare_linear`); return no flags yet."""
    remove_leftovers(visit_folder(settings.caps, job.visit) / REMOVAL)
    if not is_prepared(job.source, job.visit, settings.caps, settings.linear):
        # What was made of another preprocessing is not done beside this one, should it end here.
        removal_paths(settings.caps, job.source, job.visit).sidecar.unlink(missing_ok=True)
    prepare_linear(job.source, job.visit, settings.caps, settings.linear)
    return ()


def synthesise(job: Job, settings: RemovalSettings) -> tuple[str, ...]:
    """Write the synthetic image of a preprocessed visit; return the flags of its registration."""
    paths = removal_paths(settings.caps, job.source, job.visit)
    predictor = predictor_of(settings)
    before = read_volume(paths.linear)
    prediction = predictor.predict([before.data], region=template_brain())
    after = Volume(prediction.array, before.affine)
    linear_sidecar = read_sidecar(paths.linear_sidecar) or {}
    content = {
        **make_request(job, settings, predictor.bundle.sha256),
        **_describe(job, settings, predictor, prediction),
        "SkullStripped": linear_sidecar.get("SkullStripped", False),
        "Registration": linear_sidecar.get("Registration", {}),
        "Change": summarise_change(before.data, after.data),
    }
    # Without its sidecar nothing counts as done, if interrupted; and no older image stays beside.
    for outdated in (paths.sidecar, paths.native_sidecar, paths.native):
        outdated.unlink(missing_ok=True)
    if settings.native_space:
        _save_native(job, settings, before, after, content)
    save_volume(after, paths.image)
    _save_mosaic(paths, before, after, content)
    write_json(paths.sidecar, {**content, "SpatialReference": "MNI152NLin2009cSym"})
    return flags_in(content)


def flags_in(sidecar: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the doubts about the registration that a sidecar states."""
    return tuple(sidecar.get("Registration", {}).get("flags", ()))


def _describe(
    job: Job, settings: RemovalSettings, predictor: Predictor, prediction: Prediction
) -> dict[str, Any]:
    card = predictor.bundle.card
    return {
        "Description": "T1w without contrast, synthesised from a contrast-enhanced T1w",
        "Sources": [f"bids:raw:{job.source.relative_to(settings.bids).as_posix()}"],
        "SyntheticImage": True,
        "IntendedUse": INTENDED_USE,
        "Model": card.id,
        "Device": prediction.device,
        "Precision": prediction.precision,
        "Notes": list(prediction.notes),
        "GeneratedBy": generated_by(),
    }


def summarise_change(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """Return how much of the image changed, in words a table can hold.

    `DarkenedFraction` is the share of the head darkened by over a tenth of its median intensity;
    `MeanChange` is relative to that median.
    """
    head = before > 0
    median = float(np.median(before[head])) if head.any() else 1.0
    change = (after - before)[head] / median
    return {
        "MeanChange": round(float(change.mean()), 5),
        "DarkenedFraction": round(float((change < -0.1).mean()), 5),
        "BrightenedFraction": round(float((change > 0.1).mean()), 5),
    }


def _save_native(
    job: Job,
    settings: RemovalSettings,
    before: Volume,
    after: Volume,
    content: Mapping[str, Any],
) -> None:
    paths = removal_paths(settings.caps, job.source, job.visit)
    native = settings.linear.correct_bias(read_volume(job.source))
    matrix = read_itk_affine(paths.affine)
    save_volume(synthetic_in_native_space(before, after, matrix, native), paths.native)
    write_json(paths.native_sidecar, {**content, "SpatialReference": "orig"})


def _save_mosaic(
    paths: RemovalPaths, before: Volume, after: Volume, content: Mapping[str, Any]
) -> None:
    from clinica_gado.report.figures import save_mosaic

    name = paths.image.name.removesuffix("_T1w.nii.gz")
    title = "  ·  ".join([name, content["Model"], *flags_in(content)])
    save_mosaic(before.data, after.data, paths.mosaic, title)
