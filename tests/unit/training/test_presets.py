"""The recipes of networks that add contrast run from end to end, each with all of its parts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from clinica_gado.inference import Predictor, grid
from clinica_gado.models.bundle import load_bundle
from clinica_gado.models.card import GRIDS
from clinica_gado.training import run
from clinica_gado.training.cases import load_case
from clinica_gado.training.config import with_changes
from clinica_gado.training.devices import Devices
from clinica_gado.training.presets import PRESETS
from clinica_gado.training.request import TrainingRequest
from clinica_gado.training.run import train_bundle

pytest.importorskip("lightning_fabric")

SHAPE, NETWORK_SHAPE = (18, 20, 18), (16, 16, 16)
FIRST_VOXEL = (1, 2, 1)
NAMES = ("T1w", "T2w", "FLAIR", "ADC", "T1w-lowdose")


@pytest.fixture
def cases(tmp_path, monkeypatch):
    """Return prepared cases of three visits, on a template of a few voxels."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    brain = np.zeros(SHAPE, dtype=bool)
    brain[3:15, 4:16, 3:15] = True
    files = []
    for number in range(3):
        images = {name: rng.uniform(1, 3, SHAPE).astype(np.float32) for name in NAMES}
        enhanced = images["T1w"].copy()
        enhanced[7:12, 7:12, 7:12] += 2
        files.append(tmp_path / f"sub-{number}_ses-M000.npz")
        np.savez(files[-1], enhanced=enhanced, brain=brain, **images)
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: ["jobs"])
    monkeypatch.setattr(run, "prepare_cases", lambda jobs, cache, settings: files)
    for name in ("mni-160x192x160", "mni-192x256x192"):
        monkeypatch.setitem(GRIDS, name, NETWORK_SHAPE)
        monkeypatch.setitem(grid.FIRST_VOXEL, name, FIRST_VOXEL)
    yield files
    torch.set_num_threads(before)


def keep_inputs(files, names):
    """Leave only some images in prepared cases."""
    for file in files:
        with np.load(file) as arrays:
            kept = {n: arrays[n] for n in arrays.files if n not in NAMES or n in names}
        np.savez(file, **kept)


@pytest.mark.parametrize("name", ["bone-2021", "bone-2022", "chen-2022"])
def test_a_recipe_trains_a_bundle_that_predicts(name, cases, tmp_path):
    recipe = PRESETS[name]
    tuned = 0.5 if recipe.fine_tuning.fine_tuning_share else 0.0
    changes = {"width": 2, "epochs": 0, "steps": 2, "validate_every": 1, "fine_tuning_share": tuned}
    config = with_changes(recipe, {**changes, "precision": "fp32"})
    keep_inputs(cases, config.input_names)
    paths = {"bids": tmp_path, "output": tmp_path / "out", "cache": tmp_path}
    common = {"model_id": "tiny", "licence": "none", "devices": Devices("cpu")}
    train_bundle(TrainingRequest(config=config, folds=3, fold=0, **paths, **common))
    bundle = load_bundle(tmp_path / "out" / "fold-0")

    told, card = bundle.card.training_data, bundle.card
    assert (told["complete"], len(told["validation_pairs"])) == (True, 1)
    assert np.isfinite(told["validation"]["value"])
    assert card.normalisation["rule"] == recipe.network.normalisation
    assert tuple(item.name for item in card.inputs) == recipe.input_names
    log = pd.read_csv(bundle.folder / "training" / "metrics.csv").set_index("step")
    losses = [n for n in ("l1", "l2", "ssim", "local") if getattr(recipe.loss, n)]
    assert np.isfinite(log.loc[[1, 2], losses]).all(axis=None)
    last = recipe.fine_tuning.fine_tuning_rate if tuned else recipe.optimisation.learning_rate
    assert log["learning_rate"].to_list() == [recipe.optimisation.learning_rate, last]

    (judge,) = [file for file in cases if file.stem in told["validation_pairs"]]
    case = load_case(judge)
    predicted = Predictor(bundle, device="cpu", flips="all").predict(case.images, region=case.brain)
    assert predicted.n_runs == 8
    assert np.isfinite(predicted.array).all()
    assert not predicted.array[~case.brain].any()
    assert (predicted.array[case.brain] > 0).all()
    network = bundle.load_network()
    with torch.no_grad():
        answer = network(torch.rand(1, len(card.inputs), 16, 16, network.slices or 16))
    assert answer.std() > 0


def test_the_losses_of_chen_weigh_as_its_second_stage_says(cases, tmp_path):
    keep_inputs(cases, PRESETS["chen-2022"].input_names)
    changes = {"width": 2, "epochs": 0, "steps": 2, "validate_every": 1, "fine_tuning_share": 0.5}
    config = with_changes(PRESETS["chen-2022"], changes)
    paths = {"bids": tmp_path, "output": tmp_path / "out", "cache": tmp_path}
    common = {"model_id": "tiny", "licence": "none", "devices": Devices("cpu")}
    bundle = train_bundle(TrainingRequest(config=config, **paths, **common))
    assert bundle.card.architecture["slices"] == 3
    log = pd.read_csv(bundle.folder / "training" / "metrics.csv").set_index("step")
    first, second = log.loc[1], log.loc[2]
    assert first["loss"] == pytest.approx(first["l1"] + first["ssim"] + first["local"], rel=1e-4)
    weighted = 0.1 * second["l1"] + 0.1 * second["ssim"] + 10 * second["local"]
    assert second["loss"] == pytest.approx(weighted, rel=1e-4)
    assert second["local"] > 0
