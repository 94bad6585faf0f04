"""Virtual enhancement of one visit: from its sequences to the contrast-enhanced T1w in CAPS.

The functions know nothing of nipype: the pipeline's nodes and the tests call them alike.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from clinica_gado.bids import InputJob, InputRequest
from clinica_gado.caps import (
    ENHANCEMENT,
    EnhancementPaths,
    enhancement_paths,
    input_paths,
    is_of,
    read_sidecar,
    visit_folder,
)
from clinica_gado.errors import BundleError, GadoError
from clinica_gado.evaluation.lesions import FOLDER as LESIONS
from clinica_gado.evaluation.lesions import checksums_of_labels
from clinica_gado.files import remove_leftovers, sha256_of, write_json
from clinica_gado.outcomes import ALREADY_DONE, Outcome, check_same_request, failure
from clinica_gado.predictors import predictor_of
from clinica_gado.preprocessing.brain import find_brain
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.preprocessing.linear import read_itk_affine, synthetic_in_native_space
from clinica_gado.preprocessing.multimodal import flags_of, prepare_sequence, sequence_flags
from clinica_gado.preprocessing.t1_linear import is_prepared, prepare_linear
from clinica_gado.provenance import INTENDED_USE, generated_by
from clinica_gado.sequences import T1W, T1W_CE, T1W_KINDS, T1W_LOW_DOSE
from clinica_gado.settings import SynthesisSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.bids import EntityFilter
    from clinica_gado.inference import Prediction, Predictor
    from clinica_gado.inference.missing import CompletedImages
    from clinica_gado.models.card import Card

logger = logging.getLogger(__name__)

PIPELINE = "t1-virtual-enhance"
AMPLIFIED_AGAIN = "amplified {} times: an open question of Bône 2022, without any reference"


@dataclass(frozen=True)
class EnhancementSettings(SynthesisSettings):
    """What the user asked for.

    Attributes
    ----------
    native_space : also write the result on the grid of the image that leads.
    amplify : give the routine contrast-enhanced T1w the place of the low dose.
    repeat : how many times to amplify, each time what the last one made.
    segmentation, tpm : see `ValidationSettings`.
    lesions : folder of label maps (see `LesionSource`) or table of axes (see `read_marks`), in the
        world of the first input; None for the label maps that lie in the dataset, if any.
    enhancing_labels : those of the label maps that enhance.
    healthy : folder of masks of healthy brain, in the same world; None for white matter.
    """

    pipeline: ClassVar[str] = PIPELINE

    flips: str = "all"
    native_space: bool = False
    amplify: bool = False
    repeat: int = 1
    segmentation: str = "none"
    tpm: Path | None = None
    lesions: Path | None = None
    enhancing_labels: tuple[int, ...] = (3, 4)
    healthy: Path | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """What decides an image beside its inputs and the model."""
        return {**super().parameters, "Amplify": self.amplify, "Repeat": self.repeat}

    @property
    def lesion_source(self) -> Path:
        """Where lesions are looked for; without `lesions` it need not be there."""
        return self.lesions or self.bids / LESIONS

    def describe(self) -> dict[str, Any]:
        """Return the settings as the provenance of a run states them, files by their checksums."""
        lesions, healthy = self.lesion_source, self.healthy
        of_table = lesions.is_file()
        return {
            **super().describe(),
            "NativeSpace": self.native_space,
            "Lesions": sha256_of(lesions) if of_table else checksums_of_labels(lesions),
            "EnhancingLabels": list(self.enhancing_labels),
            "Healthy": None if healthy is None else checksums_of_labels(healthy, "mask"),
        }


def request_of(
    card: Card,
    settings: EnhancementSettings,
    filters: Mapping[str, EntityFilter],
    *,
    assume_plain: bool = False,
) -> InputRequest:
    """Return which images a model needs of each visit, and what its results are compared with.

    Raises
    ------
    BundleError
        The model cannot do what is asked for.
    """
    names = tuple(item.name for item in card.inputs)
    if names[0] not in T1W_KINDS:
        raise BundleError(
            f"The model {card.id} takes {names[0]} first; the first image leads the others to the "
            f"template, and must be one of {', '.join(T1W_KINDS)}."
        )
    if settings.amplify and T1W_LOW_DOSE not in names:
        raise BundleError(
            f"The model {card.id} takes no low dose ({', '.join(names)}), so it cannot amplify; "
            "leave --amplify out, or name a model that takes one with --model."
        )
    required = {item.name for item in card.inputs if item.required}
    return InputRequest(
        names=names,
        required=frozenset(required | ({T1W_LOW_DOSE} if settings.amplify else set())),
        substitutes={T1W_LOW_DOSE: T1W_CE} if settings.amplify else {},
        filters=filters,
        assume_plain=assume_plain,
        # No real image shows more than the routine dose: an amplified one has no reference.
        reference=None if settings.amplify or T1W_CE in names else T1W_CE,
    )


def make_request(job: InputJob, settings: EnhancementSettings, model_sha256: str) -> dict[str, Any]:
    """Return what decides a result: two runs with equal requests on one machine agree."""
    checksums = {name: sha256_of(file.path) for name, file in job.files.items()}
    series = {f"{n} b-values": sha256_of(f.b_values) for n, f in job.files.items() if f.b_values}
    return {
        "InputSha256": {**checksums, **series},
        "ModelSha256": model_sha256,
        "Parameters": settings.parameters,
    }


def paths_of(job: InputJob, settings: EnhancementSettings) -> EnhancementPaths:
    """Return where the results of a visit go."""
    return enhancement_paths(settings.caps, job, amplified=settings.amplify)


def is_done(job: InputJob, settings: EnhancementSettings, model_sha256: str) -> bool:
    """Tell whether CAPS holds the result already.

    A visit is done when the synthetic image and its sidecar are there (those in native space too
    when asked for) and the sidecars name the same input files by their sha256, the same model and
    the same parameters. The sidecar is written last, so an interrupted visit is never done. An
    image that a visit has since then and had not before makes another result.

    Raises
    ------
    OutputError
        CAPS holds a result of other inputs, model or parameters, and `overwrite` is off.
    """
    paths = paths_of(job, settings)
    sidecar = read_sidecar(paths.sidecar)
    if settings.overwrite or sidecar is None or not paths.image.is_file():
        return False
    request = make_request(job, settings, model_sha256)
    check_same_request(paths.image, sidecar, request)
    if settings.native_space and not is_of(request, paths.native_sidecar, paths.native):
        return False
    return "UncertaintyMap" not in sidecar or paths.uncertainty.is_file()


def known_outcome(
    job: InputJob, settings: EnhancementSettings, model_sha256: str
) -> Outcome | None:
    """Return the end of a visit that needs no work: done before, or in conflict; else None."""
    try:
        if not is_done(job, settings, model_sha256):
            return None
    except GadoError as error:
        return failure(job, error)
    except OSError:
        return None  # a source that cannot be read: preprocessing says so in words
    sidecar = read_sidecar(paths_of(job, settings).sidecar) or {}
    return Outcome(job.visit, job.source.name, ALREADY_DONE, flags=flags_in(sidecar))


def flags_in(sidecar: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the doubts about a result that its sidecar states."""
    return tuple(sidecar.get("Flags", ()))


def preprocess(job: InputJob, settings: EnhancementSettings) -> tuple[str, ...]:
    """Bring every input of a visit to the template, and find its brain; return no flags yet.

    The T1w leads (see `prepare_linear`); the others follow it rigidly (see `prepare_sequence`).
    """
    remove_leftovers(visit_folder(settings.caps, job.visit) / ENHANCEMENT)
    if not is_prepared(job.source, job.visit, settings.caps, settings.linear, ENHANCEMENT):
        # What was made of another preprocessing is not done beside this one, should it end here.
        paths_of(job, settings).sidecar.unlink(missing_ok=True)
    prepared = prepare_linear(job.source, job.visit, settings.caps, settings.linear, ENHANCEMENT)
    for name, file in job.files.items():
        if file.path != job.source:
            destination = input_paths(settings.caps, job, name)
            prepare_sequence(name, file, job.source, prepared, destination, settings.linear)
    _prepare_brain(paths_of(job, settings))
    return ()


def _prepare_brain(paths: EnhancementPaths) -> None:
    request = {"ImageSha256": sha256_of(paths.linear)}
    if is_of(request, paths.brain_sidecar, paths.brain):
        return
    paths.brain_sidecar.unlink(missing_ok=True)
    brain = find_brain(read_volume(paths.linear))
    save_volume(Volume(brain.mask.astype(np.float32), CROP_GRID.affine), paths.brain)
    volume_cm3 = round(float(brain.mask.sum()) / 1000, 1)
    content = {"Description": "Brain of the T1w", **request, "Method": brain.method}
    write_json(paths.brain_sidecar, {**content, "VolumeCm3": volume_cm3})


def synthesise(job: InputJob, settings: EnhancementSettings) -> tuple[str, ...]:
    """Write the synthetic image of a preprocessed visit, unless it is there; return its doubts."""
    from clinica_gado.inference.missing import complete_images
    from clinica_gado.inference.outputs import save_prediction

    paths = paths_of(job, settings)
    predictor = predictor_of(settings)
    if is_done(job, settings, predictor.bundle.sha256):
        return flags_in(read_sidecar(paths.sidecar) or {})
    brain = read_brain(paths)
    images = read_images(job, settings.caps)
    completed = complete_images(
        images, predictor.bundle.card, lambda model: predictor_of(settings, model), brain
    )
    prediction = _predict(predictor, completed, brain, settings.repeat)
    flags = _doubts(images, completed, brain, paths, settings.repeat)
    # Without its sidecar nothing counts as done, if interrupted; and no older image stays beside.
    for outdated in (paths.sidecar, paths.native_sidecar, paths.native):
        outdated.unlink(missing_ok=True)
    facts = save_prediction(prediction, CROP_GRID.affine, paths.image, paths.uncertainty)
    content = {
        **make_request(job, settings, predictor.bundle.sha256),
        **_describe(job, settings, predictor, completed),
        **facts,
        "Brain": read_sidecar(paths.brain_sidecar),
        "Registration": (read_sidecar(paths.linear_sidecar) or {}).get("Registration", {}),
        "Flags": list(flags),
    }
    if settings.native_space:
        made = brain if predictor.brain_only else None
        _save_native(job, settings, Volume(prediction.array, CROP_GRID.affine), made, content)
    write_json(paths.sidecar, {**content, "SpatialReference": "MNI152NLin2009cSym"})
    return flags


def _save_native(
    job: InputJob,
    settings: EnhancementSettings,
    after: Volume,
    made: NDArray[np.bool_] | None,
    content: Mapping[str, Any],
) -> None:
    """Write the image on the grid of the one that leads, whose intensity scale it has."""
    paths = paths_of(job, settings)
    native = settings.linear.correct_bias(read_volume(job.source))
    before, matrix = read_volume(paths.linear), read_itk_affine(paths.affine)
    synthetic = synthetic_in_native_space(before, after, matrix, native, made)
    save_volume(synthetic, paths.native)
    write_json(paths.native_sidecar, {**content, "SpatialReference": "orig"})


def read_brain(paths: EnhancementPaths) -> NDArray[np.bool_]:
    """Return the brain of a preprocessed visit, (X, Y, Z)."""
    return read_volume(paths.brain).data > 0


def read_images(job: InputJob, caps: Path) -> dict[str, NDArray[np.float32]]:
    """Return the inputs of a preprocessed visit on the template's grid, (X, Y, Z) each."""
    return {name: read_volume(input_paths(caps, job, name).image).data for name in job.files}


def _predict(
    predictor: Predictor, completed: CompletedImages, brain: NDArray[np.bool_], repeat: int
) -> Prediction:
    """Apply the model; from the second time on its own answer takes the place of the low dose."""
    prediction = predictor.predict(completed.images, region=brain)
    for _ in range(repeat - 1):
        images = {**completed.images, T1W_LOW_DOSE: prediction.array}
        prediction = predictor.predict(images, region=brain)
    return prediction


def _doubts(
    images: Mapping[str, NDArray[np.float32]],
    completed: CompletedImages,
    brain: NDArray[np.bool_],
    paths: EnhancementPaths,
    repeat: int,
) -> tuple[str, ...]:
    registration = (read_sidecar(paths.linear_sidecar) or {}).get("Registration", {})
    doubts = list(registration.get("flags", ()))
    for name, image in images.items():
        doubts += [f"{name}: {flag}" for flag in flags_of(Volume(image, CROP_GRID.affine), brain)]
    if {T1W, T1W_LOW_DOSE} <= images.keys():
        unlike = sequence_flags(images[T1W], images[T1W_LOW_DOSE], brain)
        doubts += [f"{T1W_LOW_DOSE}: {flag}" for flag in unlike]
    doubts += (f"{name} is missing: {how}" for name, how in _stand_ins(completed))
    if repeat > 1:
        doubts.append(AMPLIFIED_AGAIN.format(repeat))
    return tuple(doubts)


def _stand_ins(completed: CompletedImages) -> Iterable[tuple[str, str]]:
    from clinica_gado.inference.missing import GIVEN

    return ((name, how) for name, how in completed.origins.items() if how != GIVEN)


def _describe(
    job: InputJob,
    settings: EnhancementSettings,
    predictor: Predictor,
    completed: CompletedImages,
) -> dict[str, Any]:
    card = predictor.bundle.card
    files = [file.path for file in job.files.values()]
    files += [file.b_values for file in job.files.values() if file.b_values is not None]
    what = "amplified from a routine one" if settings.amplify else "synthesised"
    return {
        "Description": f"Contrast-enhanced T1w, {what}",
        "Sources": [f"bids:raw:{path.relative_to(settings.bids).as_posix()}" for path in files],
        "SyntheticImage": True,
        "IntendedUse": INTENDED_USE,
        "Limits": list(card.limits),
        "Model": card.id,
        "Inputs": dict(completed.origins),
        "GeneratedBy": generated_by(),
    }
