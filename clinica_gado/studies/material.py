"""What a study learns from and scores on: real visits, or heads simulated once for all networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clinica_gado.errors import TrainingError
from clinica_gado.files import sha256_of
from clinica_gado.training.crossvalidation import Split, split_folds, subject_of
from clinica_gado.training.drawn import simulate_cases
from clinica_gado.training.request import check_task
from clinica_gado.training.run import make_splits, prepare

if TYPE_CHECKING:
    from clinica_gado.training.request import TrainingRequest

HOW_TO_SCORE = (
    "give --validation-tsv (visits), --test-label-map (heads to simulate) or --folds (of the cases "
    "learned from)"
)


@dataclass(frozen=True)
class StudyRequest:
    """What a study is asked for.

    Attributes
    ----------
    training : data and settings of all its networks; `output` is the folder of the study.
    recipe : the settings in words, for captions.
    test_label_maps : whole-head label maps to simulate the cases on that score.
    draws, test_draws : simulated cases of each label map, to learn from and to score on.
    flips : mirrored runs averaged when scoring, see `Predictor`.
    """

    training: TrainingRequest
    recipe: str
    test_label_maps: tuple[Path, ...] = ()
    draws: int = 2
    test_draws: int = 2
    flips: str = "none"


@dataclass(frozen=True)
class Material:
    """Prepared cases: those to learn from and those to score on, split by subject or label map.

    Attributes
    ----------
    splits : one, or one a fold; `validation` are the cases that score.
    label_maps : heads that are simulated beside real visits while learning.
    is_simulated : whether the cases to learn from are simulated.
    """

    splits: tuple[Split, ...]
    label_maps: tuple[Path, ...]
    is_simulated: bool

    def in_words(self) -> str:
        """Return how many cases there are, for captions."""
        kind = "simulated cases" if self.is_simulated else "real visits"
        unit = "label maps" if self.is_simulated else "subjects"
        learned = sorted({len(split.training) for split in self.splits})
        subjects = sorted({len(subjects_of(split.training)) for split in self.splits})
        scored = [file for split in self.splits for file in split.validation]
        folds = f" in each of {len(self.splits)} folds" if len(self.splits) > 1 else ""
        return (
            f"{_range(learned)} {kind} of {_range(subjects)} {unit} to learn from{folds}, "
            f"{len(scored)} cases of {len(subjects_of(scored))} others to score on"
        )


def _range(numbers: Sequence[int]) -> str:
    return " to ".join(str(number) for number in dict.fromkeys((numbers[0], numbers[-1])))


def subjects_of(files: Iterable[Path]) -> list[str]:
    """Return the subjects, or label maps, that prepared cases are of, in order of their names."""
    return sorted({subject_of(file) for file in files})


def find_material(request: StudyRequest) -> Material:
    """Prepare every case that is learned from or scored on.

    Real visits teach where there are any, and heads are then simulated beside them as
    `clinica-gado train` does; else so many cases of each label map, made once and kept, so that all
    networks learn from the same ones.

    Raises
    ------
    TrainingError
        There is nothing to learn from or to score on, or more than one way to score.
    """
    training = request.training
    _check(request)
    config, heads = training.config, training.label_maps
    real = prepare(training)
    is_simulated = bool(heads) and (config.data.simulated_share == 1 or not real)
    learned = _draw(request, heads, request.draws) if is_simulated else real
    if request.test_label_maps:
        splits = [Split(tuple(learned), tuple(_draw(request, request.test_label_maps)))]
    elif training.validation_tsv is not None:
        (held,) = make_splits(replace(training, folds=1), real)
        splits = [Split(tuple(learned), held.validation) if is_simulated else held]
    else:
        splits = split_folds(learned, training.folds, config.seed)
    return Material(tuple(splits), () if is_simulated else heads, is_simulated)


def _check(request: StudyRequest) -> None:
    training = request.training
    if not training.config.adds_contrast:
        raise TrainingError(
            "Studies are of networks that add contrast: give --target enhanced and their --inputs, "
            "or a preset of such networks."
        )
    check_task(replace(training, label_maps=(*training.label_maps, *request.test_label_maps)))
    ways = (request.test_label_maps, training.validation_tsv, training.folds > 1)
    if sum(map(bool, ways)) != 1:
        raise TrainingError(f"A study scores in one way: {HOW_TO_SCORE}.")
    if training.label_maps and request.test_label_maps:
        taught = {sha256_of(path): path.name for path in training.label_maps}
        both = [taught[s] for path in request.test_label_maps if (s := sha256_of(path)) in taught]
        if both:
            raise TrainingError(f"{', '.join(both)}: a label map teaches or scores, never both.")


def _draw(request: StudyRequest, label_maps: Sequence[Path], n: int | None = None) -> list[Path]:
    names = request.training.config.input_names
    folder = request.training.cache / "simulated" / "-".join(names)
    n_draws = request.test_draws if n is None else n
    return simulate_cases(label_maps, n_draws, names, folder)
