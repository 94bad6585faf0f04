"""The networks of a study: each trained and scored once, however often the study is begun."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clinica_gado.errors import TrainingError
from clinica_gado.files import write_json, write_tsv
from clinica_gado.inference import Predictor
from clinica_gado.studies.material import Material, find_material, subjects_of
from clinica_gado.studies.scoring import maker_of, score_cases, unchanged
from clinica_gado.training.blueprint import blueprint_of
from clinica_gado.training.cases import labels_of_case
from clinica_gado.training.checkpoint import differences
from clinica_gado.training.crossvalidation import Split, subject_of
from clinica_gado.training.devices import start_fabric
from clinica_gado.training.run import fit_ranges, train_split

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from clinica_gado.studies.material import StudyRequest
    from clinica_gado.training.config import TrainingConfig

logger = logging.getLogger(__name__)

UNCHANGED = "unchanged"
"""The first image as it is, scored like a network."""
CASES, ASKED = "cases.tsv", "network.json"
LICENCE = "none: a network of a study, not for use"


@dataclass(frozen=True)
class Network:
    """One network of a study, or one a fold.

    Attributes
    ----------
    name : its folder.
    share : of the subjects to learn from; smaller shares are parts of larger ones.
    """

    name: str
    config: TrainingConfig
    share: float = 1.0


@dataclass(frozen=True)
class Study:
    """A study that is ready to train: its cases are prepared."""

    request: StudyRequest
    material: Material
    fabric: Fabric

    @property
    def config(self) -> TrainingConfig:
        """The settings that all networks share, but for what the study is about."""
        return self.request.training.config

    @property
    def is_writer(self) -> bool:
        """Whether this process writes tables, of several on several devices."""
        return bool(self.fabric.is_global_zero)


def open_study(request: StudyRequest) -> Study:
    """Prepare the cases of a study and start its devices.

    Raises
    ------
    TrainingError, DeviceError
        See `find_material` and `start_fabric`.
    """
    training = request.training
    material = find_material(request)
    fabric = start_fabric(training.devices, training.config.optimisation.precision)
    fabric.launch()
    return Study(request, material, fabric)


def nested_share(split: Split, share: float, seed: int) -> Split:
    """Keep the cases of a share of the subjects to learn from, at least one.

    Subjects are put in one order, drawn by the seed, and the first of them are taken: a smaller
    share is a part of a larger one.
    """
    subjects = subjects_of(split.training)
    order = np.random.default_rng(seed).permutation(len(subjects))
    kept = {subjects[i] for i in order[: max(1, round(share * len(subjects)))]}
    training = tuple(file for file in split.training if subject_of(file) in kept)
    return Split(training, split.validation)


def score_network(study: Study, network: Network) -> pd.DataFrame:
    """Train a network and score it on the cases it has not seen; what was done is read.

    Returns
    -------
    A row a case (`COLUMNS`) with `network`, `fold`, and the `subjects` and `learned_cases` learned
    from.

    Raises
    ------
    TrainingError
        Its folder holds one of other settings or cases, and `overwrite` is off.
    """
    tables = []
    for fold, split in enumerate(study.material.splits):
        part = nested_share(split, network.share, study.config.seed)
        make = partial(_train_and_score, study, network, part)
        table = _once(study, network, part, fold, make)
        table.insert(0, "network", network.name)
        table.insert(1, "fold", fold)
        table.insert(2, "subjects", len(subjects_of(part.training)))
        table.insert(3, "learned_cases", len(part.training))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def score_unchanged(study: Study) -> pd.DataFrame:
    """Score the first image of each case as it is; columns as those of `score_network`."""
    files = [file for split in study.material.splits for file in split.validation]
    table = score_cases(unchanged, files)
    table.insert(0, "network", UNCHANGED)
    return table


def folder_of(study: Study, network: Network, fold: int) -> Path:
    """Return where a network of a fold is kept."""
    return study.request.training.output / "networks" / network.name / f"fold-{fold}"


def _once(
    study: Study,
    network: Network,
    split: Split,
    fold: int,
    make: Callable[[Path], pd.DataFrame],
) -> pd.DataFrame:
    """Return the scores that a network of the same request left, or make them."""
    folder = folder_of(study, network, fold)
    asked = _asked(study, network, split)
    if study.request.training.overwrite or not _is_done(folder, asked):
        logger.info("Network %s, fold %d", network.name, fold)
        table = make(folder)
        if study.is_writer:
            write_tsv(folder / CASES, table)
            write_json(folder / ASKED, asked)
        study.fabric.barrier()
    return pd.read_csv(
        folder / CASES, sep="\t", dtype={"case": str}, na_values=["n/a"], keep_default_na=False
    )


def _asked(study: Study, network: Network, split: Split) -> dict[str, Any]:
    """Return what decides a network and its scores."""
    known = {file.stem: labels_of_case(file) for file in split.validation}
    labels = {name: key for name, key in known.items() if key is not None}
    return {
        "config": asdict(network.config),
        "learned": [file.stem for file in split.training],
        "scored": [file.stem for file in split.validation],
        "simulated_heads": [path.name for path in study.material.label_maps],
        "flips": study.request.flips,
        **study.request.training.choice_of_images,
        **({"lesion_labels": labels} if labels else {}),
    }


def _is_done(folder: Path, asked: dict[str, Any]) -> bool:
    if not (folder / ASKED).is_file():
        return False
    earlier = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    if differing := differences(earlier, json.loads(json.dumps(asked))):
        raise TrainingError(
            f"{folder} holds a network of another study ({', '.join(differing)}); give the same "
            "settings, another folder, or --overwrite."
        )
    return True


def _train_and_score(study: Study, network: Network, split: Split, folder: Path) -> pd.DataFrame:
    """Train on a split without showing it the cases that score: the last weights are kept."""
    request = replace(
        study.request.training,
        output=folder,
        config=network.config,
        label_maps=study.material.label_maps,
        model_id=network.name,
        licence=LICENCE,
    )
    blueprint = blueprint_of(network.config, ranges=partial(fit_ranges, request, split.training))
    bundle = train_split(request, Split(split.training, ()), blueprint, study.fabric)
    predictor = Predictor(bundle, device=str(study.fabric.device), flips=study.request.flips)
    return score_cases(maker_of(predictor), split.validation)
