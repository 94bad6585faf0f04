"""A whole training run: pairs in, bundle out, its card filled in."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clinica_gado.bids import select
from clinica_gado.bids.visits import list_visits
from clinica_gado.errors import TrainingError
from clinica_gado.files import write_json
from clinica_gado.inference import Predictor
from clinica_gado.inference.normalisation import training_range
from clinica_gado.models.bundle import CARD_NAME, Bundle, load_bundle, save_bundle
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.sequences import T1W, T1W_CE, T1W_LOW_DOSE
from clinica_gado.training.blueprint import Blueprint, blueprint_of, describe
from clinica_gado.training.calibration import best_gain, scale_change
from clinica_gado.training.cases import (
    ENHANCED,
    brain_values,
    load_case,
    prepare_cases,
    select_cases,
)
from clinica_gado.training.config import TrainingConfig
from clinica_gado.training.crossvalidation import Split, hold_out, split_folds
from clinica_gado.training.devices import Devices, start_fabric
from clinica_gado.training.heads import simulated_patches
from clinica_gado.training.loop import Course, train
from clinica_gado.training.pairs import load_pair, prepare_pairs
from clinica_gado.training.patches import PatchDataset
from clinica_gado.training.scaled import scaled_cases, scaled_pairs
from clinica_gado.training.simulated import DOSES, RENDERED_AS, simulate_case
from clinica_gado.training.validation import Keeper, Trial, trial_of_case, trial_of_pair
from clinica_gado.virtual_enhancement import EnhancementSettings

if TYPE_CHECKING:
    import numpy as np
    from lightning_fabric import Fabric
    from numpy.typing import NDArray

    from clinica_gado.inference.normalisation import Rule
    from clinica_gado.models.card import Card
    from clinica_gado.training.pairs import ScaledPair

logger = logging.getLogger(__name__)

CONFIG_NAME = "config.json"
LEADERS = (T1W, T1W_LOW_DOSE)
"""What can come first where contrast is added: its sequence and scale are those of the result."""
HEADS_FOR_RANGES = 4
"""Simulated heads whose intensities stand for those of all: each takes seconds."""


@dataclass(frozen=True)
class TrainingRequest:
    """What to train on, and what to call the result.

    Attributes
    ----------
    caps : outputs of t1-gado-removal, or of t1-virtual-enhance where contrast is added, whose
        images are taken where they are there.
    preprocessing : route of the images of cases that are not there (see `LinearOptions`).
    visits_tsv, validation_tsv : visits of `bids` to learn from, and to judge by; all those with a
        pair when None, and none.
    contrast_tsv, pairs_tsv : see `select`.
    label_maps : whole-head label maps to simulate heads on while learning.
    cache : where preprocessed pairs are kept.
    start_from : id or folder of a bundle whose weights to begin with; its network is taken.
    folds, fold : cross-validation by subject, and the one fold to do now; all of them when None.
    workers : processes that draw patches ahead.
    overwrite : forget what an earlier run left in `output`.
    """

    bids: Path
    output: Path
    model_id: str
    licence: str
    cache: Path
    caps: Path | None = None
    preprocessing: str = "standard"
    visits_tsv: Path | None = None
    validation_tsv: Path | None = None
    contrast_tsv: Path | None = None
    pairs_tsv: Path | None = None
    label_maps: tuple[Path, ...] = ()
    start_from: str | None = None
    folds: int = 1
    fold: int | None = None
    devices: Devices = field(default_factory=Devices)
    workers: int = 0
    overwrite: bool = False
    config: TrainingConfig = field(default_factory=TrainingConfig)


def train_bundle(request: TrainingRequest) -> Bundle | None:
    """Train a network, or one a fold, and write the bundle; None while folds are missing.

    At each validation the bundle is written if its weights are the best so far, so that an
    interrupted run leaves a usable one; asked again, it goes on from there.

    Raises
    ------
    TrainingError
        There is nothing to learn from, pairs of this kind cannot be prepared, or `output` holds a
        run with other settings.
    """
    check_task(request)
    splits = make_splits(request, prepare(request))
    learned = list(dict.fromkeys(file for split in splits for file in split.training))
    blueprint = blueprint_of(
        request.config, request.start_from, partial(fit_ranges, request, learned)
    )
    _check_start(request, blueprint)
    fabric = start_fabric(request.devices, request.config.optimisation.precision)
    fabric.launch()
    if len(splits) == 1:
        return train_split(request, splits[0], blueprint, fabric)
    wanted = range(len(splits)) if request.fold is None else [request.fold]
    for index in wanted:
        logger.info("Fold %d of %d", index, len(splits))
        part = replace(request, output=request.output / f"fold-{index}")
        train_split(part, splits[index], blueprint, fabric)
    return join_folds(request, len(splits), blueprint) if fabric.is_global_zero else None


def check_task(request: TrainingRequest) -> None:
    """Refuse images that networks cannot learn from, or cannot be simulated, before any work.

    Raises
    ------
    TrainingError
        Such images are asked for.
    """
    config = request.config
    if config.adds_contrast:
        _check_enhancement(request)
    elif config.input_names != (T1W_CE,):
        raise TrainingError(
            "To remove contrast a network learns from pairs of T1w-ce and T1w alone; the settings "
            f"ask for {', '.join(config.input_names)}: leave inputs, or set target to enhanced."
        )


def _check_enhancement(request: TrainingRequest) -> None:
    names = request.config.input_names
    if names[0] not in LEADERS:
        raise TrainingError(f"The target enhanced needs {' or '.join(LEADERS)} as the first input.")
    unknown = set(names) - {T1W, *RENDERED_AS, *DOSES}
    if request.label_maps and unknown:
        raise TrainingError(
            f"{', '.join(sorted(unknown))} cannot be simulated; leave --label-map out, or take "
            f"inputs of {', '.join([T1W, *RENDERED_AS, *DOSES])}."
        )
    if request.pairs_tsv is not None:
        raise TrainingError(
            "The target enhanced takes all images of one visit: leave --pairs-tsv out."
        )


def _check_start(request: TrainingRequest, blueprint: Blueprint) -> None:
    """Refuse a bundle to begin with whose images are not those asked for."""
    if blueprint.inputs != request.config.input_names:
        raise TrainingError(
            f"{request.start_from} takes {', '.join(blueprint.inputs)}, the settings ask for "
            f"{', '.join(request.config.input_names)}: set inputs to those of the bundle."
        )


def prepare(request: TrainingRequest) -> list[Path]:
    """Prepare every pair, or case, that is learned from or judged by."""
    prepare_visits = _prepare_cases if request.config.adds_contrast else _prepare_pairs
    files = [file for table in _tables(request) for file in prepare_visits(request, table)]
    if not files and not request.label_maps:
        wanted = f"{', '.join(request.config.input_names)} and T1w-ce"
        raise TrainingError(
            f"{request.bids} has no visit with "
            f"{wanted if request.config.adds_contrast else 'both T1w'}; "
            "name label maps to learn from simulation, or see `clinica-gado train --help` for "
            "tables of contrast and pairs."
        )
    return list(dict.fromkeys(files))


def _tables(request: TrainingRequest) -> Iterable[Path | None]:
    """Return the tables of visits to prepare; None stands for all visits."""
    tables = [request.visits_tsv, request.validation_tsv or request.visits_tsv]
    config = request.config
    if config.adds_contrast and config.data.simulated_share == 1 and request.label_maps:
        tables = [table for table in tables[1:] if request.validation_tsv]
    return dict.fromkeys(tables)


def _prepare_pairs(request: TrainingRequest, visits_tsv: Path | None) -> list[Path]:
    selection = select(
        request.bids,
        visits_tsv=visits_tsv,
        contrast_tsv=request.contrast_tsv,
        pairs_tsv=request.pairs_tsv,
    )
    return prepare_pairs(selection.jobs, request.cache, request.caps)


def _prepare_cases(request: TrainingRequest, visits_tsv: Path | None) -> list[Path]:
    jobs = select_cases(
        request.bids,
        request.config.input_names,
        may_be_missing=request.config.data.missing_share > 0,
        visits_tsv=visits_tsv,
        contrast_tsv=request.contrast_tsv,
    )
    caps = request.caps or request.cache / "caps"
    settings = EnhancementSettings(request.bids, caps, linear=LinearOptions(request.preprocessing))
    return prepare_cases(jobs, request.cache, settings)


def fit_ranges(request: TrainingRequest, files: Sequence[Path]) -> dict[str, Rule]:
    """Return the z-score range of each image, and of `ENHANCED`, over the cases learned from.

    Parameters
    ----------
    files : those cases. Without any, one simulated case of each of the first label maps.
    """
    names, target = request.config.input_names, request.config.data.target
    heads = [] if files else request.label_maps[:HEADS_FOR_RANGES]
    simulated = [brain_values(simulate_case(head, n, names)) for n, head in enumerate(heads)]

    def values(name: str) -> Iterable[NDArray[np.float32]]:
        cases = simulated or (brain_values(load_case(file, target)) for file in files)
        return (case[name] for case in cases if name in case)

    return {name: training_range(values(name)) for name in (*names, ENHANCED)}


def make_splits(request: TrainingRequest, files: Sequence[Path]) -> list[Split]:
    """Split the pairs: into folds, or by the user's table of validation visits."""
    if request.folds > 1:
        if request.fold is not None and not 0 <= request.fold < request.folds:
            raise TrainingError(f"There is no fold {request.fold}; give 0 to {request.folds - 1}.")
        return split_folds(files, request.folds, request.config.seed)
    if request.validation_tsv is None:
        return [Split(tuple(files), ())]
    folders = list_visits(request.bids, request.validation_tsv).folders
    split = hold_out(files, {folder.visit.participant_id for folder in folders})
    if not split.validation:
        raise TrainingError(f"No visit of {request.validation_tsv} has a pair to judge by.")
    return [split]


def train_split(
    request: TrainingRequest, split: Split, blueprint: Blueprint, fabric: Fabric
) -> Bundle:
    """Train one network on one split and write its bundle."""
    config, folder = request.config, request.output / "training"
    if request.overwrite and fabric.is_global_zero:
        shutil.rmtree(folder, ignore_errors=True)
        (request.output / CARD_NAME).unlink(missing_ok=True)
    fabric.barrier()
    torch.manual_seed(config.seed)
    network = blueprint.build()
    real, unenhanced = real_pairs(split, config, blueprint)
    simulated = simulated_patches(request.label_maps, config, blueprint, network)
    if not real and simulated is None:
        raise TrainingError("All pairs are kept for validation: nothing is left to learn from.")
    dataset = PatchDataset(
        real,
        simulated,
        config.data,
        multiple=network.multiple,
        unenhanced=unenhanced,
        slices=network.slices,
        seed=config.seed,
    )
    data = _names(request, split, blueprint)
    course = Course(
        config, count_steps(config, len(real), fabric.world_size), folder, request.workers, data
    )
    if fabric.is_global_zero:
        write_json(folder / CONFIG_NAME, asdict(config))
    keeper = Keeper(
        request.output,
        partial(_card, request, blueprint, data),
        split.validation,
        reader_of(config),
        config.validation.metric,
        config.data.target,
        str(fabric.device),
    )
    train(network, dataset, course, fabric, keeper)
    if fabric.is_global_zero:
        calibrate(load_bundle(request.output), split.training, config)
    fabric.barrier()
    return load_bundle(request.output)


def real_pairs(
    split: Split, config: TrainingConfig, blueprint: Blueprint
) -> tuple[list[ScaledPair], list[ScaledPair]]:
    """Return the pairs to learn from, and those that show what is to be left as it is."""
    data = config.data
    if config.adds_contrast:
        files, rules, grid = split.training, blueprint.rules, blueprint.grid
        return scaled_cases(files, rules, grid, data.target), []
    read = partial(scaled_pairs, split.training, blueprint.normalisation, blueprint.grid)
    has_unenhanced = data.target == "remapped" and data.real_unenhanced_share > 0
    return read(data.target), read("unenhanced") if has_unenhanced else []


def reader_of(config: TrainingConfig) -> Callable[[Path], Trial]:
    """Return what reads a prepared file as what the network is judged on."""
    if config.adds_contrast:
        return partial(trial_of_case, target=config.data.target)
    return partial(trial_of_pair, target=config.data.target)


def _card(
    request: TrainingRequest,
    blueprint: Blueprint,
    data: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Card:
    learned = {**data, "configuration": asdict(request.config), **facts}
    return describe(request.model_id, request.licence, blueprint, learned)


def _names(request: TrainingRequest, split: Split, blueprint: Blueprint) -> dict[str, Any]:
    return {
        "real_pairs": [path.stem for path in split.training],
        "validation_pairs": [path.stem for path in split.validation],
        "simulated_heads": [path.name for path in request.label_maps],
        "started_from": blueprint.started_from,
    }


def count_steps(config: TrainingConfig, n_pairs: int, world: int) -> int:
    """Return the optimiser steps of a run: as stated, or those of so many passes over the pairs."""
    optimisation = config.optimisation
    if not optimisation.epochs:
        return optimisation.steps
    at_once = config.data.batch_size * optimisation.accumulate * world
    return math.ceil(optimisation.epochs * max(n_pairs, 1) / at_once)


def calibrate(bundle: Bundle, files: Sequence[Path], config: TrainingConfig) -> Bundle:
    """Write the bundle again, complete, its change as strong as suits the whole real pairs."""
    facts = dict(bundle.card.training_data)
    if facts.get("complete"):
        logger.info("%s is complete; --overwrite trains it anew.", bundle.folder)
        return bundle
    weights: Mapping[str, torch.Tensor] = bundle.load_network().state_dict()
    is_wanted = config.validation.calibrate == "yes" and not config.adds_contrast
    if files and bundle.card.output == "change" and is_wanted:
        pairs = (load_pair(path) for path in files)
        gain = best_gain(Predictor(bundle), pairs, config.loss.enhancement_weight)
        weights = scale_change(weights, gain)
        facts["gain_on_change"] = gain
    card = replace(bundle.card, training_data={**facts, "complete": True})
    return save_bundle(bundle.folder, card, [weights])


def join_folds(request: TrainingRequest, n_folds: int, blueprint: Blueprint) -> Bundle | None:
    """Make one bundle of the folds' bundles, whose answers are averaged; None if one is missing."""
    folders = [request.output / f"fold-{index}" for index in range(n_folds)]
    done = [load_bundle(folder) for folder in folders if (folder / CARD_NAME).is_file()]
    complete = [bundle for bundle in done if bundle.card.training_data.get("complete")]
    if len(complete) < n_folds:
        logger.info("%d of %d folds are done; the bundle waits for all.", len(complete), n_folds)
        return None
    facts = {"folds": [dict(bundle.card.training_data) for bundle in complete], "complete": True}
    card = describe(request.model_id, request.licence, blueprint, facts)
    return save_bundle(
        request.output, card, [bundle.load_network().state_dict() for bundle in complete]
    )
