"""A whole training run: pairs in, bundle out, its card filled in."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clinica_gado.bids import parse_input_filters, select
from clinica_gado.bids.visits import list_visits
from clinica_gado.errors import TrainingError
from clinica_gado.files import write_json
from clinica_gado.inference import Predictor
from clinica_gado.inference.normalisation import training_range
from clinica_gado.models.bundle import CARD_NAME, Bundle, load_bundle, save_bundle
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.sequences import T1W_CE
from clinica_gado.training.blueprint import Blueprint, blueprint_of, describe
from clinica_gado.training.calibration import CASE_GAINS, best_gain, on_one_scale, scale_change
from clinica_gado.training.cases import (
    ENHANCED,
    brain_values,
    load_case,
    prepare_cases,
    request_for,
    select_cases,
)
from clinica_gado.training.crossvalidation import Split, hold_out, split_folds
from clinica_gado.training.devices import start_fabric
from clinica_gado.training.drawn import name_of_head, simulate_cases
from clinica_gado.training.heads import simulated_patches
from clinica_gado.training.loop import Course, train
from clinica_gado.training.pairs import prepare_pairs
from clinica_gado.training.patches import PatchDataset
from clinica_gado.training.request import (
    TrainingRequest,
    begin_with_bundle,
    check_folds,
    check_task,
    makers_of,
)
from clinica_gado.training.scaled import scaled_cases, scaled_pairs
from clinica_gado.training.simulated import simulate_case
from clinica_gado.training.validation import Keeper, Trial, trial_of_case, trial_of_pair
from clinica_gado.virtual_enhancement import EnhancementSettings

if TYPE_CHECKING:
    import numpy as np
    from lightning_fabric import Fabric
    from numpy.typing import NDArray

    from clinica_gado.inference.normalisation import Rule
    from clinica_gado.models.card import Card
    from clinica_gado.training.config import TrainingConfig
    from clinica_gado.training.pairs import ScaledPair

logger = logging.getLogger(__name__)

CONFIG_NAME = "config.json"
HEADS_FOR_RANGES = 4
"""Simulated heads whose intensities stand for those of all: each takes seconds."""


def train_bundle(request: TrainingRequest) -> Bundle | None:
    """Train a network, or one a fold, and write the bundle; None while folds are missing.

    At each validation the bundle is written if its weights are the best so far, so that an
    interrupted run leaves a usable one; asked again, it goes on from there.

    Raises
    ------
    TrainingError
        There is nothing to learn from, pairs of this kind cannot be prepared, settings contradict
        each other, or `output` holds a run with other settings.
    """
    request = begin_with_bundle(request)
    check_task(request)
    check_folds(request)
    makers = makers_of(request)
    splits = make_splits(request, prepare(request))
    learned = list(dict.fromkeys(file for split in splits for file in split.training))
    blueprint = blueprint_of(
        request.config, request.start_from, partial(fit_ranges, request, learned)
    )
    blueprint = replace(blueprint, synthesised_by={**blueprint.synthesised_by, **makers})
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


def prepare(request: TrainingRequest) -> list[Path]:
    """Prepare every pair, or case, that is learned from or judged by.

    Raises
    ------
    TrainingError
        There is nothing to learn from.
    """
    config = request.config
    prepare_visits = _prepare_cases if config.takes_cases else _prepare_pairs
    files = [file for table in _tables(request) for file in prepare_visits(request, table)]
    if not files and not request.label_maps:
        made = config.data.target if config.data.makes_image else T1W_CE
        wanted = f"{', '.join(config.input_names)} and {made}"
        raise TrainingError(
            f"{request.bids} has no visit with {wanted if config.takes_cases else 'both T1w'}; "
            "name label maps to learn from simulation, or see `clinica-gado train --help` for "
            "tables of contrast and pairs."
        )
    return list(dict.fromkeys(files))


def _tables(request: TrainingRequest) -> Iterable[Path | None]:
    """Return the tables of visits to prepare; None stands for all visits."""
    tables = [request.visits_tsv, request.validation_tsv or request.visits_tsv]
    config = request.config
    if config.takes_cases and config.data.simulated_share == 1 and request.label_maps:
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
    config = request.config
    wanted = request_for(
        config.input_names,
        config.data.target,
        may_be_missing=config.data.missing_share > 0,
        filters=parse_input_filters(request.input_filter),
        assume_plain=request.assume_plain,
    )
    jobs = select_cases(
        request.bids, wanted, visits_tsv=visits_tsv, contrast_tsv=request.contrast_tsv
    )
    caps = request.caps or request.cache / "caps"
    settings = EnhancementSettings(
        request.bids,
        caps,
        linear=LinearOptions(request.preprocessing),
        lesions=request.lesions,
        enhancing_labels=request.enhancing_labels,
    )
    return prepare_cases(jobs, _cache_of(request), settings)


def _cache_of(request: TrainingRequest) -> Path:
    """Return where the cases of a choice of images are kept: another may take others of a visit."""
    choice = request.choice_of_images
    if not choice:
        return request.cache
    digest = hashlib.sha256(json.dumps(choice, sort_keys=True).encode()).hexdigest()
    return request.cache / f"chosen-{digest[:8]}"


def fit_ranges(request: TrainingRequest, files: Sequence[Path]) -> dict[str, Rule]:
    """Return the z-score range of each image, and of `ENHANCED`, over the cases learned from.

    Parameters
    ----------
    files : those cases. Without any, one simulated case of each of the first label maps.
    """
    names, target = request.config.input_names, request.config.data.target
    heads = [] if files else request.label_maps[:HEADS_FOR_RANGES]
    drawn = (simulate_case(head, n, names, target) for n, head in enumerate(heads))
    simulated = [brain_values(case) for case in drawn]

    def values(name: str) -> Iterable[NDArray[np.float32]]:
        cases = simulated or (brain_values(load_case(file, target)) for file in files)
        return (case[name] for case in cases if name in case)

    return {name: training_range(values(name)) for name in (*names, ENHANCED)}


def make_splits(request: TrainingRequest, files: Sequence[Path]) -> list[Split]:
    """Split the pairs: into folds, or by the user's table of validation visits.

    Without pairs, folds are of label maps: each is judged by heads simulated on the others.

    Raises
    ------
    TrainingError
        A split would have nothing to judge by.
    """
    if request.folds > 1:
        if not files:
            return _split_heads(request)
        return split_folds(files, request.folds, request.config.seed)
    if request.validation_tsv is None:
        return [Split(tuple(files), ())]
    folders = list_visits(request.bids, request.validation_tsv).folders
    split = hold_out(files, {folder.visit.participant_id for folder in folders})
    if not split.validation:
        raise TrainingError(f"No visit of {request.validation_tsv} has a pair to judge by.")
    return [split]


def _split_heads(request: TrainingRequest) -> list[Split]:
    label_maps = {Path(name_of_head(label_map)): label_map for label_map in request.label_maps}
    splits = []
    for fold in split_folds(list(label_maps), request.folds, request.config.seed):
        taught, held = (
            tuple(label_maps[n] for n in names) for names in (fold.training, fold.validation)
        )
        splits.append(Split((), _judges_on(held, request), taught))
    return splits


def _judges_on(label_maps: Sequence[Path], request: TrainingRequest) -> tuple[Path, ...]:
    """Return a simulated case of each label map; none where pairs of T1w are learned from."""
    config = request.config
    if not config.takes_cases:
        return ()
    names = (*config.input_names, *([config.data.target] if config.data.makes_image else []))
    folder = request.cache / "simulated" / "-".join(names)
    return tuple(simulate_cases(label_maps, 1, names, folder))


def train_split(
    request: TrainingRequest, split: Split, blueprint: Blueprint, fabric: Fabric
) -> Bundle:
    """Train one network on one split and write its bundle.

    Raises
    ------
    TrainingError
        Nothing is left to learn from.
    """
    config, folder = request.config, request.output / "training"
    if split.label_maps is not None:
        request = replace(request, label_maps=split.label_maps)
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
        calibrate(load_bundle(request.output), split, config, str(fabric.device))
    fabric.barrier()
    return load_bundle(request.output)


def real_pairs(
    split: Split, config: TrainingConfig, blueprint: Blueprint
) -> tuple[list[ScaledPair], list[ScaledPair]]:
    """Return the pairs to learn from, and those that show what is to be left as it is."""
    data = config.data
    if config.takes_cases:
        files, rules, grid = split.training, blueprint.rules, blueprint.grid
        return scaled_cases(files, rules, grid, data.target), []
    read = partial(scaled_pairs, split.training, blueprint.normalisation, blueprint.grid)
    has_unenhanced = data.target == "remapped" and data.real_unenhanced_share > 0
    return read(data.target), read("unenhanced") if has_unenhanced else []


def reader_of(config: TrainingConfig) -> Callable[[Path], Trial]:
    """Return what reads a prepared file as what the network is judged on."""
    if config.takes_cases:
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
        **request.choice_of_images,
        **({"synthesised_by": dict(blueprint.synthesised_by)} if blueprint.synthesised_by else {}),
    }


def count_steps(config: TrainingConfig, n_pairs: int, world: int) -> int:
    """Return the optimiser steps of a run: as stated, or those of so many passes over the pairs."""
    optimisation = config.optimisation
    if not optimisation.epochs:
        return optimisation.steps
    at_once = config.data.batch_size * optimisation.accumulate * world
    return math.ceil(optimisation.epochs * max(n_pairs, 1) / at_once)


def calibrate(bundle: Bundle, split: Split, config: TrainingConfig, device: str) -> Bundle:
    """Write the bundle again, complete, its change as strong as suits whole images best.

    Those are the real pairs that it learned from; of cases, those that judge, if there are any.

    Parameters
    ----------
    device : where the predictor runs.
    """
    facts = dict(bundle.card.training_data)
    if facts.get("complete"):
        logger.info("%s is complete; --overwrite trains it anew.", bundle.folder)
        return bundle
    weights: Mapping[str, torch.Tensor] = bundle.load_network().state_dict()
    files = split.validation if config.data.takes_cases else split.training
    if files and bundle.card.output == "change" and config.validation.calibrate == "yes":
        gain = _find_gain(Predictor(bundle, device=device), files, config)
        weights = scale_change(weights, gain)
        facts["gain_on_change"] = gain
        if config.data.takes_cases:
            facts["gain_chosen_by"] = [file.stem for file in files]
    card = replace(bundle.card, training_data={**facts, "complete": True})
    return save_bundle(bundle.folder, card, [weights])


def _find_gain(predictor: Predictor, files: Sequence[Path], config: TrainingConfig) -> float:
    weight = config.loss.enhancement_weight
    if not config.data.takes_cases:
        return best_gain(predictor, map(partial(trial_of_pair, target="remapped"), files), weight)
    trials = map(on_one_scale, map(partial(trial_of_case, target=config.data.target), files))
    return best_gain(predictor, trials, weight, gains=CASE_GAINS, agent_in=config.data.agent_in)


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
