"""Images without contrast: what a model changes in them, which should be nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clinica_gado.bids import IDS, Contrast, Visit, VisitFolder, list_visits
from clinica_gado.bids.assessment import Assessor
from clinica_gado.bids.contrast_table import read_contrast_table
from clinica_gado.bids.images import DatasetReader
from clinica_gado.bids.preference import preferred_source
from clinica_gado.bids.visits import list_in_words
from clinica_gado.errors import InputImageError, RegistrationError, SelectionError
from clinica_gado.evaluation.cases import visit_of
from clinica_gado.evaluation.measures import sharpness_kept
from clinica_gado.evaluation.metrics import PLAIN_METRICS
from clinica_gado.evaluation.paired import IDENTITY, Evaluation, attempt, measure_tissue
from clinica_gado.files import atomic_path
from clinica_gado.preprocessing.images import read_volume
from clinica_gado.preprocessing.linear import run_linear
from clinica_gado.preprocessing.templates import is_brain_only, load_template, template_brain
from clinica_gado.training.origin import ORIGIN, origin_of, outdated

if TYPE_CHECKING:
    from clinica_gado.evaluation.cases import Image, Mask
    from clinica_gado.evaluation.tissue_cache import TissueCache
    from clinica_gado.inference import Predictor

logger = logging.getLogger(__name__)

LARGEST_PERCENTILE = 99.9
COLUMNS = [*IDS, "image", *PLAIN_METRICS, "note"]


@dataclass(frozen=True)
class PlainImage:
    """A T1w that has no contrast, by the user's word or by evidence."""

    visit: Visit
    path: Path


def select_plain(bids: Path, visits_tsv: Path, contrast_tsv: Path | None) -> list[PlainImage]:
    """Return one T1w of each visit that the user's table names as being without contrast.

    An image that is known to have contrast is never taken; of several, the rule of preference of
    t1-gado-removal decides.

    Raises
    ------
    SelectionError
        A table cannot be used, or no visit has such an image.
    """
    contrast = read_contrast_table(contrast_tsv)
    assessor = Assessor(DatasetReader(bids), contrast)
    found = [_plain_of(folder, assessor) for folder in list_visits(bids, visits_tsv).folders]
    images = [image for image in found if image is not None]
    if contrast.errors:
        raise SelectionError(list_in_words("Cannot use the table", contrast.errors))
    if not images:
        raise SelectionError(f"No visit of {visits_tsv} has a T1w without contrast in {bids}.")
    return images


def _plain_of(folder: VisitFolder, assessor: Assessor) -> PlainImage | None:
    assessed, _ = assessor.assess(folder)
    usable = [a for a in assessed if a.usable and a.evidence.contrast is not Contrast.ENHANCED]
    usable = [a for a in usable if not a.evidence.other_agent]
    if not usable:
        logger.warning("%s has no T1w without contrast; it is left out.", folder.visit)
        return None
    name = preferred_source([a.image.name for a in usable])
    return next(PlainImage(folder.visit, a.image.path) for a in usable if a.image.name is name)


def prepare_plain(images: Sequence[PlainImage], cache: Path) -> list[Path]:
    """Bring images to the template; return the files, made if absent or of other images."""
    chosen = {
        cache / "plain" / f"{image.visit.participant_id}_{image.visit.session_id}.npz": image
        for image in images
    }
    origins = {path: origin_of([image.path]) for path, image in chosen.items()}
    renewed = outdated(origins)
    prepared = []
    for path, image in chosen.items():
        try:
            if path in renewed:
                logger.info("Registering %s", image.path.name)
                volume = read_volume(image.path)
                template = load_template("brain" if is_brain_only(volume) else "head")
                cropped = run_linear(volume, template.volume).cropped.data
                with atomic_path(path) as partial:
                    kept: dict[str, Any] = {"source": cropped, ORIGIN: np.array(origins[path])}
                    np.savez_compressed(partial, **kept)
            prepared.append(path)
        except (InputImageError, RegistrationError) as error:
            logger.warning("%s; this image is left out.", error)
    return prepared


def evaluate_plain(
    files: Sequence[Path], predictors: Mapping[str, Predictor], tissue: TissueCache | None = None
) -> Evaluation:
    """Measure what each model changes in prepared images without contrast."""
    rows: list[dict[str, Any]] = []
    segmented: dict[tuple[Visit, str], str] = {}
    for path in files:
        visit = visit_of(path)
        with np.load(path, allow_pickle=False) as arrays:
            before = arrays["source"]
        if tissue is not None:
            segmented[visit, IDENTITY] = tissue.add(before)
        for name, predictor in predictors.items():
            row, after = attempt(visit, name, partial(_measured, before, predictor))
            rows.append(row)
            if tissue is not None and after is not None:
                segmented[visit, name] = tissue.add(after)
    cases = pd.DataFrame(rows, columns=COLUMNS)
    if tissue is None:
        return Evaluation(cases, pd.DataFrame())
    volumes = measure_tissue(segmented, tissue)
    return Evaluation(_with_volume_changes(cases, volumes), volumes)


def _measured(before: Image, predictor: Predictor) -> tuple[dict[str, float], Image]:
    after = predictor.predict([before], region=template_brain()).array
    return measure_change(before, after, template_brain() & (before > 0)), after


def measure_change(before: Image, after: Image, brain: Mask) -> dict[str, float]:
    """Return the change of an image, (X, Y, Z), in a brain; `PLAIN_METRICS` says what it is."""
    change = 100 * (after - before)[brain] / np.median(before[brain])
    return {
        "change_percent": float(np.abs(change).mean()),
        "mean_change_percent": float(change.mean()),
        "largest_change_percent": float(np.percentile(np.abs(change), LARGEST_PERCENTILE)),
        "sharpness_kept": sharpness_kept(after, before, brain),
    }


def _with_volume_changes(cases: pd.DataFrame, volumes: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in volumes.columns if name.endswith("_cm3")]
    wide = volumes.set_index([*IDS, "image"])[names].astype(float)
    before = wide.xs(IDENTITY, level="image") if len(wide) else wide
    change = 100 * (wide / before.reindex(wide.index.droplevel("image")).to_numpy() - 1)
    change.columns = [f"{name.removesuffix('_cm3')}_change_percent" for name in names]
    found = cases.drop(columns=list(change.columns)).merge(
        change.reset_index(), on=[*IDS, "image"], how="left"
    )
    return found[COLUMNS]
