"""Which weights are kept: the best on whole images, by the predictor that production runs."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.evaluation.similarity import compare
from clinica_gado.inference import Predictor
from clinica_gado.models.bundle import save_bundle
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.training.cases import ENHANCED, load_case
from clinica_gado.training.pairs import load_pair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clinica_gado.inference.inputs import Images
    from clinica_gado.models.card import Card
    from clinica_gado.training.checkpoint import TrainingState

logger = logging.getLogger(__name__)

LOWER_IS_BETTER = ("mae",)
DEFINITION = (
    "{metric} in the voxels where both images were acquired, each image divided by its median; "
    "against the training target ({target}), mean over the validation pairs"
)


@dataclass(frozen=True)
class Trial:
    """What a predictor is given and what it should make of it, all (X, Y, Z).

    Attributes
    ----------
    images : in the order of the inputs, or by their names.
    mask : voxels that count.
    region : voxels that give the scale, as in `Predictor.predict`.
    lesion : voxels of enhancing lesions, where they are labelled.
    same_scale : see `Case`.
    """

    name: str
    images: Images
    wanted: NDArray[np.float32]
    mask: NDArray[np.bool_]
    region: NDArray[np.bool_]
    lesion: NDArray[np.bool_] | None = None
    same_scale: bool = False

    @property
    def first(self) -> NDArray[np.float32]:
        """The first image, which a change is added to."""
        images = self.images.values() if isinstance(self.images, Mapping) else self.images
        image: NDArray[np.float32] = next(iter(images))
        return image


def trial_of_pair(file: Path, target: str) -> Trial:
    """Read a prepared pair as a trial; its target as `DataConfig` says."""
    pair = load_pair(file)
    wanted = pair.reference if target == "real" else pair.target
    return Trial(pair.name, [pair.source], wanted, pair.mask, template_brain())


def trial_of_case(file: Path, target: str = ENHANCED) -> Trial:
    """Read a prepared case as a trial, in the brain; its target as `DataConfig` says."""
    case = load_case(file, target)
    mask = case.mask & case.brain
    return Trial(
        *(case.name, case.images, case.wanted, mask, case.brain, case.lesion, case.same_scale)
    )


@dataclass(frozen=True)
class Keeper:
    """Writes the bundle whenever the weights are the best so far; without pairs, whenever asked.

    Attributes
    ----------
    folder : the bundle.
    describe : the card of weights, given what is to be said of them.
    files, read : prepared pairs or cases to judge by, and what reads one.
    metric, target : see `ValidationConfig` and `DataConfig`.
    device : where the predictor runs.
    """

    folder: Path
    describe: Callable[[Mapping[str, Any]], Card]
    files: Sequence[Path]
    read: Callable[[Path], Trial]
    metric: str
    target: str
    device: str = "auto"

    def __call__(self, state: TrainingState) -> dict[str, float]:
        """Judge the average of the weights; return the score to be logged."""
        weights = state.average.module.state_dict()
        facts: dict[str, Any] = {"steps_done": state.step}
        if not self.files:
            save_bundle(self.folder, self.describe(facts), [weights])
            return {}
        latest = save_bundle(self.folder / "training" / "latest", self.describe(facts), [weights])
        cases = self.score(Predictor(latest, device=self.device))
        score = sum(cases.values()) / len(cases)
        is_best = state.best is None or self._is_better(score, state.best)
        if is_best:
            state.best = score
            kept = {**facts, "validation": self._report(score, cases)}
            save_bundle(self.folder, self.describe(kept), [weights])
        logger.info(
            "step %d: validation %s %.4f%s",
            *(state.step, self.metric, score, ", the best so far" if is_best else ""),
        )
        return {"validation": score}

    def score(self, predictor: Predictor) -> dict[str, float]:
        """Return the metric of each validation pair by its name."""
        trials = map(self.read, self.files)
        return {trial.name: self._score(predictor, trial) for trial in trials}

    def _score(self, predictor: Predictor, trial: Trial) -> float:
        predicted = predictor.predict(trial.images, region=trial.region).array
        return float(getattr(compare(predicted, trial.wanted, trial.mask), self.metric))

    def _is_better(self, score: float, best: float) -> bool:
        if math.isnan(score) or math.isnan(best):
            return math.isnan(best) and not math.isnan(score)
        return score < best if self.metric in LOWER_IS_BETTER else score > best

    def _report(self, score: float, cases: Mapping[str, float]) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "definition": DEFINITION.format(metric=self.metric, target=self.target),
            "value": round(score, 4),
            "cases": {name: round(value, 4) for name, value in cases.items()},
        }
