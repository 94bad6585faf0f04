"""What `clinica-gado evaluate` does: choose, prepare, measure, put together, write."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clinica_gado.bids import select
from clinica_gado.errors import GadoError, SelectionError
from clinica_gado.evaluation.card import write_metrics
from clinica_gado.evaluation.cases import load_cases, visit_of
from clinica_gado.evaluation.histogram import HistogramMatching
from clinica_gado.evaluation.lesions import ENHANCING, FOLDER, LesionSource, find_lesions
from clinica_gado.evaluation.metrics import METRICS, PLAIN_METRICS, TISSUE_METRICS
from clinica_gado.evaluation.paired import (
    HISTOGRAM,
    IDENTITY,
    TARGET,
    Candidate,
    Evaluation,
    candidate_of,
    evaluate_pairs,
    identity,
    target,
)
from clinica_gado.evaluation.plain import evaluate_plain, prepare_plain, select_plain
from clinica_gado.evaluation.results import Results, write_results
from clinica_gado.evaluation.summary import summarise
from clinica_gado.evaluation.tissue_cache import TissueCache
from clinica_gado.gado_removal import PIPELINE
from clinica_gado.inference import Predictor
from clinica_gado.predictors import find_model
from clinica_gado.report.reviews import read_reviews, rejected_visits
from clinica_gado.segmentation.choice import choose_segmenter
from clinica_gado.training.pairs import prepare_pairs
from clinica_gado.words import counted

if TYPE_CHECKING:
    from clinica_gado.bids import Job

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationRequest:
    """What the user asked for; attributes as the options of `clinica-gado evaluate`."""

    bids: Path
    output: Path
    models: Sequence[str] = ()
    visits_tsv: Path | None = None
    contrast_tsv: Path | None = None
    pairs_tsv: Path | None = None
    reviews: Path | None = None
    caps: Path | None = None
    cache: Path = Path("pairs")
    lesions: Path | None = None
    enhancing_labels: tuple[int, ...] = ENHANCING
    histogram_matching: bool = True
    target: bool = False
    plain: bool = False
    segmentation: str = "none"
    tpm: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    flips: str = "none"
    card_data: str | None = None


def evaluate(request: EvaluationRequest) -> Results:
    """Measure, write the tables into the output folder and return them.

    Raises
    ------
    GadoError
        A model, a table or the segmenter cannot be used, or there is nothing to evaluate.
    """
    predictors = load_predictors(request)
    tissue = _tissue_cache(request)
    evaluation = (_of_plain if request.plain else _of_pairs)(request, predictors, tissue)
    metrics = PLAIN_METRICS if request.plain else {**METRICS, **TISSUE_METRICS}
    results = Results(
        cases=evaluation.cases,
        summary=summarise(evaluation.cases, metrics),
        volumes=evaluation.volumes,
        metrics=metrics,
        models={name: predictor.bundle for name, predictor in predictors.items()},
        settings=_settings(request, tissue),
    )
    write_results(results, request.output)
    if request.card_data is not None:
        (name, predictor), *_ = predictors.items()
        engine = None if tissue is None else tissue.engine
        folder = predictor.bundle.folder
        write_metrics(folder, evaluation.cases, name, request.card_data, engine)
    return results


def load_predictors(request: EvaluationRequest) -> dict[str, Predictor]:
    """Load every model, named by its id, or as the user wrote it where two share an id.

    Raises
    ------
    GadoError
        Some cannot be loaded, or are not for t1-gado-removal; all of them are listed.
    """
    options = {name: getattr(request, name) for name in ("device", "precision", "flips")}
    found: list[tuple[str, Predictor]] = []
    errors = []
    for model in dict.fromkeys(request.models):
        try:
            found.append((model, Predictor(find_model(PIPELINE, model), **options)))
        except GadoError as error:
            errors.append(str(error))
    if errors:
        raise GadoError(" ".join(errors))
    ids = [predictor.bundle.card.id for _, predictor in found]
    return {
        name if ids.count(own_id) > 1 else own_id: predictor
        for own_id, (name, predictor) in zip(ids, found, strict=True)
    }


def _tissue_cache(request: EvaluationRequest) -> TissueCache | None:
    segmenter = choose_segmenter(request.segmentation, request.tpm)
    return None if segmenter is None else TissueCache(request.cache / "segmentation", segmenter)


def _of_pairs(
    request: EvaluationRequest, predictors: Mapping[str, Predictor], tissue: TissueCache | None
) -> Evaluation:
    jobs = _jobs(request)
    files = prepare_pairs(jobs, request.cache, request.caps)
    if not files:
        raise SelectionError(
            f"No visit of {request.bids} has a T1w with and one without contrast to compare; "
            "--pairs-tsv and --contrast-tsv say what names and sidecars do not."
        )
    candidates: dict[str, Candidate] = {IDENTITY: identity}
    if request.histogram_matching:
        candidates |= _histogram_matching(files)
    if request.target:
        candidates[TARGET] = target
    candidates |= {name: candidate_of(predictor) for name, predictor in predictors.items()}
    folder = request.lesions or request.bids / FOLDER
    source = LesionSource(folder, request.caps, request.enhancing_labels)
    lesions = find_lesions(jobs, files, source)
    return evaluate_pairs(load_cases(files, lesions), candidates, tissue)


def _jobs(request: EvaluationRequest) -> list[Job]:
    rejected = rejected_visits(read_reviews(request.reviews)) if request.reviews else set()
    selection = select(
        request.bids,
        visits_tsv=request.visits_tsv,
        contrast_tsv=request.contrast_tsv,
        pairs_tsv=request.pairs_tsv,
    )
    jobs = [job for job in selection.jobs if job.visit not in rejected]
    if excluded := len(selection.jobs) - len(jobs):
        logger.info("Left out: %s rejected in %s.", counted(excluded, "visit"), request.reviews)
    return jobs


def _histogram_matching(files: Sequence[Path]) -> dict[str, Candidate]:
    if len({visit_of(path).participant_id for path in files}) < 2:
        logger.info("Histogram matching is left out: it learns from a pair of another participant.")
        return {}
    return {HISTOGRAM: HistogramMatching(files)}


def _of_plain(
    request: EvaluationRequest, predictors: Mapping[str, Predictor], tissue: TissueCache | None
) -> Evaluation:
    if request.visits_tsv is None:
        raise SelectionError("--plain needs -tsv: the visits that you know to be without contrast.")
    images = select_plain(request.bids, request.visits_tsv, request.contrast_tsv)
    rejected = rejected_visits(read_reviews(request.reviews)) if request.reviews else set()
    kept = [image for image in images if image.visit not in rejected]
    files = prepare_plain(kept, request.cache)
    if not files:
        raise SelectionError("No image without contrast is left to evaluate.")
    return evaluate_plain(files, predictors, tissue)


def _settings(request: EvaluationRequest, tissue: TissueCache | None) -> dict[str, object]:
    return {
        "Images": "without contrast" if request.plain else "pairs",
        "Device": request.device,
        "Precision": request.precision,
        "Flips": request.flips,
        "EnhancingLabels": list(request.enhancing_labels),
        "Segmentation": None if tissue is None else dict(tissue.segmenter.describe()),
    }
