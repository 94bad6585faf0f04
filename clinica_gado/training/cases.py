"""Heads with several images, and the one to make of them: the T1w with agent, or another."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinica_gado.bids import InputRequest, select_inputs
from clinica_gado.caps import real_enhanced_paths
from clinica_gado.errors import GadoError
from clinica_gado.files import atomic_path
from clinica_gado.preprocessing.images import read_volume
from clinica_gado.sequences import T1W_CE
from clinica_gado.training.config import MADE
from clinica_gado.training.origin import ORIGIN, origin_of, outdated
from clinica_gado.training.pairs import ScaledPair
from clinica_gado.training.target import excess_of
from clinica_gado.validation.enhanced_lesions import lesions_key, read_lesions
from clinica_gado.validation.enhancement import align_real
from clinica_gado.virtual_enhancement import (
    EnhancementSettings,
    paths_of,
    preprocess,
    read_brain,
    read_images,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from clinica_gado.bids import EntityFilter, InputJob
    from clinica_gado.inference.inputs import Rules

    Array = NDArray[np.float32]

logger = logging.getLogger(__name__)

ENHANCED, BRAIN, LESION = "enhanced", "brain", "lesion"
LABELS = "labels"
"""What the lesions of a real case were read from, see `labels_key`."""
SAME_SCALE = "same_scale"
"""Whether the enhanced image of a case has the units of the first one, see `Case`."""
_NOT_INPUTS = (ENHANCED, BRAIN, LESION, LABELS, SAME_SCALE, ORIGIN)


@dataclass(frozen=True)
class Case:
    """One head, its images and the T1w with contrast agent, all (X, Y, Z) on one grid.

    Attributes
    ----------
    name : participant and session.
    images : those without the agent or with little of it, by input; missing ones are left out.
    wanted : the contrast-enhanced T1w, or another image of the head that is to be made.
    brain : mask of the brain.
    mask : voxels that count, where both T1w were acquired.
    same_scale : whether the wanted image has the units of the first one. Two scans of a real visit
        have each their own.
    lesion : voxels of enhancing lesions; None where nobody has labelled them.
    """

    name: str
    images: Mapping[str, Array]
    wanted: Array
    brain: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    same_scale: bool = False
    lesion: NDArray[np.bool_] | None = None


def request_for(
    inputs: Sequence[str],
    target: str = ENHANCED,
    *,
    may_be_missing: bool,
    filters: Mapping[str, EntityFilter] | None = None,
    assume_plain: bool = False,
) -> InputRequest:
    """Return which images a visit must have to be learned from.

    Parameters
    ----------
    target : what is to be made, see `DataConfig`.
    may_be_missing : whether a visit needs no input but the first.
    filters, assume_plain : see `InputRequest`.
    """
    required = inputs[:1] if may_be_missing else inputs
    made = (target,) if target in MADE else ()
    return InputRequest(
        names=(*inputs, *made),
        required=frozenset((*required, *made)),
        filters=filters or {},
        assume_plain=assume_plain,
        reference=None if made else T1W_CE,
    )


def select_cases(
    bids: Path,
    request: InputRequest,
    *,
    visits_tsv: Path | None = None,
    contrast_tsv: Path | None = None,
) -> list[InputJob]:
    """Return the visits that have what is asked for, and the reference where there is to be one.

    Parameters
    ----------
    visits_tsv, contrast_tsv : see `select_inputs`.
    """
    selection = select_inputs(bids, request, visits_tsv=visits_tsv, contrast_tsv=contrast_tsv)
    needs_reference = request.reference is not None
    return [job for job in selection.jobs if job.reference is not None or not needs_reference]


def prepare_cases(
    jobs: Iterable[InputJob], cache: Path, settings: EnhancementSettings
) -> list[Path]:
    """Bring every visit to the template as t1-virtual-enhance does; return the files.

    Parameters
    ----------
    cache : where the cases are kept.
    settings : dataset, CAPS and preprocessing; what is in that CAPS already is taken from there.
        Its lesions (see `read_lesions`) are kept with the case: one that was prepared of other
        images, in another way or with other labels, or before there were any, is prepared anew.
    """
    origins = {_path_of(job, cache): (job, _origin_of(job, settings)) for job in jobs}
    renewed = outdated({path: origin for path, (_, origin) in origins.items()})
    prepared = []
    for path, (job, origin) in origins.items():
        try:
            labels = labels_key(job, settings)
            if path in renewed or labels_of_case(path) != labels:
                _prepare(job, settings, path, {ORIGIN: origin, LABELS: labels})
            prepared.append(path)
        except GadoError as error:
            logger.warning("%s; this visit is left out.", error)
    return prepared


def _path_of(job: InputJob, cache: Path) -> Path:
    names = "-".join(job.files)
    folder = names if job.reference is not None else f"{names}-alone"
    return cache / folder / f"{job.visit.participant_id}_{job.visit.session_id}.npz"


def _origin_of(job: InputJob, settings: EnhancementSettings) -> str:
    files = [path for file in job.files.values() for path in (file.path, file.b_values)]
    linear, caps = settings.linear, settings.caps.resolve()
    return origin_of([*files, job.reference, linear.template], asdict(linear), caps)


def labels_key(job: InputJob, settings: EnhancementSettings) -> str | None:
    """Return a checksum of the lesions of a visit and of which labels enhance; None without any."""
    key = lesions_key(job, settings)
    if key is None:
        return None
    content = json.dumps([key, *settings.enhancing_labels])
    return hashlib.sha256(content.encode()).hexdigest()


def labels_of_case(path: Path) -> str | None:
    """Return the `labels_key` that a case was prepared with; None without lesion labels."""
    with np.load(path, allow_pickle=False) as arrays:
        return str(arrays[LABELS]) if LABELS in arrays.files else None


def _prepare(
    job: InputJob, settings: EnhancementSettings, path: Path, texts: Mapping[str, str | None]
) -> None:
    logger.info("Preparing %s", job.visit)
    preprocess(job, settings)
    arrays: dict[str, Any] = {BRAIN: read_brain(paths_of(job, settings))}
    if job.reference is not None:
        align_real(job, settings)
        arrays[ENHANCED] = read_volume(real_enhanced_paths(settings.caps, job).image).data
    lesions = read_lesions(job, settings)
    if lesions is not None:
        arrays[LESION] = lesions.enhancing
    arrays |= {name: np.array(text) for name, text in texts.items() if text is not None}
    arrays |= read_images(job, settings.caps)
    with atomic_path(path) as partial:
        np.savez_compressed(partial, **arrays)


def load_case(path: Path, target: str = ENHANCED) -> Case:
    """Read a prepared case; its first image is the one that leads the others to the template.

    Parameters
    ----------
    target : `enhanced` for the real enhanced image; `added` for it in the style of the first one;
        or the name of another image, which is then none of the inputs.
    """
    with np.load(path, allow_pickle=False) as arrays:
        images = {name: arrays[name] for name in arrays.files if name not in (*_NOT_INPUTS, target)}
        wanted, brain = arrays[target if target in MADE else ENHANCED], arrays[BRAIN]
        lesion = arrays[LESION] if LESION in arrays.files else None
        same_scale = target not in MADE and SAME_SCALE in arrays.files and bool(arrays[SAME_SCALE])
    mask = (next(iter(images.values())) > 0) & (wanted > 0)
    case = Case(path.stem, images, wanted, brain, mask, same_scale, lesion)
    return in_own_style(case) if target == "added" else case


def in_own_style(case: Case) -> Case:
    """Return the case with another enhanced image: its first image with the real one's enhancement.

    The first image is often of another sequence than the enhanced one, and a network trained to
    hit that spends itself on style (see `remove_enhancement`).
    """
    if case.same_scale:
        return case
    first = next(iter(case.images.values()))
    gain = float(np.median(first[case.brain]) / np.median(case.wanted[case.brain]))
    excess = excess_of(case.wanted, first, case.mask)
    return replace(case, wanted=first + np.float32(gain) * excess, same_scale=True)


def brain_values(case: Case) -> dict[str, Array]:
    """Return the intensities in the brain, (N,), of each image, and of the wanted as `ENHANCED`."""
    return {n: image[case.brain] for n, image in {**case.images, ENHANCED: case.wanted}.items()}


def scale_case(case: Case, rules: Rules) -> ScaledPair:
    """Put a case on the scales of a network, its images in the order of the rules.

    A missing image is zero; where the network knows the brain alone, so is all around it.
    """
    source = np.zeros((len(rules.inputs), *case.brain.shape), dtype=np.float32)
    for channel, (name, rule) in enumerate(rules.inputs.items()):
        if name in case.images:
            image = case.images[name]
            source[channel] = rule.fit(image[case.brain]).apply(image)
    first = next(iter(rules.inputs))
    scaled_by = case.images[first] if case.same_scale else case.wanted
    target = rules.answer.fit(scaled_by[case.brain]).apply(case.wanted)
    if not rules.brain_only:
        return ScaledPair(source, target, case.mask)
    return ScaledPair(source * case.brain, target * case.brain, case.mask & case.brain)
