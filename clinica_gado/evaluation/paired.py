"""Models side by side on real pairs, case by case, against leaving the image as it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from clinica_gado.bids import IDS
from clinica_gado.evaluation.measures import measure_image
from clinica_gado.evaluation.metrics import METRICS, TISSUE_METRICS, rounded
from clinica_gado.evaluation.tissue import COMPARED, REFERENCE, TISSUES, volume_differences
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.words import counted

if TYPE_CHECKING:
    from clinica_gado.bids import Visit
    from clinica_gado.evaluation.cases import Case, Image
    from clinica_gado.evaluation.tissue_cache import TissueCache
    from clinica_gado.inference import Predictor

logger = logging.getLogger(__name__)

IDENTITY = "identity"
"""The contrast-enhanced image as it is: what any model must beat."""
HISTOGRAM = "histogram-matching"
TARGET = "target"
"""The source without its enhancement, made with the real image in sight: what is left there are
sequence and noise, which no model that keeps the style of its input can take away."""
VOLUMES = ["gm_cm3", "wm_cm3", "csf_cm3", "tiv_cm3"]
COLUMNS = [*IDS, "image", *METRICS, "note"]
VOLUME_COLUMNS = [*IDS, "image", "engine", *VOLUMES]

Candidate = Callable[["Case"], "Image"]
"""What makes an image without contrast of the source of a case."""


@dataclass(frozen=True)
class Evaluation:
    """What was measured: a row a case and image in each table.

    Attributes
    ----------
    cases : `COLUMNS`, and `TISSUE_METRICS` when tissue was segmented; `note` says what failed.
    volumes : `VOLUME_COLUMNS`, of the real image without contrast (`nce`) too.
    """

    cases: pd.DataFrame
    volumes: pd.DataFrame


def identity(case: Case) -> Image:
    """Return the contrast-enhanced image as it is."""
    return case.source


def target(case: Case) -> Image:
    """Return the source without its enhancement."""
    return case.target


def candidate_of(predictor: Predictor) -> Candidate:
    """Return what a model makes of the source of a case, as production runs it."""
    return lambda case: predictor.predict([case.source], region=template_brain()).array


def evaluate_pairs(
    cases: Iterable[Case], candidates: Mapping[str, Candidate], tissue: TissueCache | None = None
) -> Evaluation:
    """Measure what each candidate makes of each case.

    A candidate that fails on a case has a row without numbers there; the others go on.
    """
    rows: list[dict[str, Any]] = []
    segmented: dict[tuple[Visit, str], str] = {}
    for case in cases:
        logger.info("%s: measuring %s", case.visit, counted(len(candidates), "image"))
        if tissue is not None:
            segmented[case.visit, REFERENCE] = tissue.add(case.reference)
        for name, candidate in candidates.items():
            row, image = attempt(case.visit, name, partial(_measured, case, candidate))
            rows.append(row)
            if tissue is not None and image is not None:
                segmented[case.visit, name] = tissue.add(image)
    volumes = pd.DataFrame(columns=VOLUME_COLUMNS)
    if tissue is not None:
        volumes = measure_tissue(segmented, tissue)
    return Evaluation(_with_tissue(pd.DataFrame(rows, columns=COLUMNS), volumes), volumes)


def _measured(case: Case, candidate: Candidate) -> tuple[dict[str, float], Image]:
    image = candidate(case)
    return measure_image(case, image), image


def attempt(
    visit: Visit, name: str, measure: Callable[[], tuple[dict[str, float], Image]]
) -> tuple[dict[str, Any], Image | None]:
    """Return a row of numbers and the image they are of; of a failure the reason, in a line."""
    row: dict[str, Any] = {**dict(zip(IDS, visit, strict=True)), "image": name}
    try:
        numbers, image = measure()
    except Exception as error:  # whatever a model does, the others are still measured
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        logger.warning("%s: %s failed: %s", visit, name, reason)
        logger.debug("Where it failed:", exc_info=True)
        return {**row, "note": reason}, None
    return {**row, **rounded(numbers.items()), "note": ""}, image


def measure_tissue(segmented: Mapping[tuple[Visit, str], str], tissue: TissueCache) -> pd.DataFrame:
    """Return the volumes (`VOLUME_COLUMNS`) of images given to a cache, by visit and name."""
    tissue.finish()
    rows = []
    for (visit, name), digest in segmented.items():
        volumes = tissue.volumes(digest)
        if volumes is None:
            reason = tissue.failures.get(digest, "no tissue maps")
            logger.warning("%s: %s was not segmented: %s", visit, name, reason)
            continue
        numbers = {**volumes._asdict(), "tiv_cm3": round(volumes.tiv_cm3, 3)}
        rows.append({
            **dict(zip(IDS, visit, strict=True)), "image": name, "engine": tissue.engine, **numbers,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=VOLUME_COLUMNS)


def tissue_differences(volumes: pd.DataFrame, image: str) -> pd.DataFrame:
    """Return `volume_differences` of one image, as its `synthetic`, and of the identity as `ce`."""
    ce, synthetic = COMPARED
    roles = ((REFERENCE, REFERENCE), (IDENTITY, ce), (image, synthetic))
    parts = [volumes[volumes["image"] == name].assign(image=role) for name, role in roles]
    return volume_differences(pd.concat(parts))


def _with_tissue(cases: pd.DataFrame, volumes: pd.DataFrame) -> pd.DataFrame:
    """Add the `TISSUE_METRICS` of each row, when tissue was segmented."""
    names = [str(name) for name in volumes["image"].unique() if name != REFERENCE]
    tables = [_tissue_columns(volumes, name) for name in names]
    tables = [table for table in tables if len(table)]
    if not tables:
        return cases
    found = cases.merge(pd.concat(tables), on=[*IDS, "image"], how="left")
    unmeasured = (found["note"] == "") & found["gm_difference_cm3"].isna()
    found.loc[unmeasured, "note"] = "no tissue volumes of it, or of the real T1w without contrast"
    return found[[*IDS, "image", *METRICS, *TISSUE_METRICS, "note"]]


def _tissue_columns(volumes: pd.DataFrame, image: str) -> pd.DataFrame:
    """Return a row a visit: signed and absolute differences of each tissue."""
    differences = tissue_differences(volumes, image)
    if differences.empty:
        return differences
    wide = differences.pivot(index=IDS, columns="tissue")
    columns = {}
    for tissue in TISSUES:
        columns[f"{tissue}_difference_cm3"] = wide["synthetic_cm3"][tissue]
        columns[f"{tissue}_bias_cm3"] = wide["synthetic_signed_cm3"][tissue]
    return pd.DataFrame(columns).reset_index().assign(image=image)
