"""Stand-ins for prepared pairs, cases and heads, of a few voxels, so that a run takes no time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from clinica_gado.training import heads, run
from clinica_gado.training.config import TrainingConfig, with_changes
from clinica_gado.training.devices import Devices
from clinica_gado.training.pairs import ScaledPair
from clinica_gado.training.request import TrainingRequest

pytest.importorskip("lightning_fabric")

CONFIG = with_changes(
    TrainingConfig(),
    {
        **{"width": 2, "levels": 2, "patch_size": 8, "steps": 4, "validate_every": 2},
        **{"augmentation": "none", "precision": "fp32", "learning_rate": 0.01},
    },
)


class Score:
    """Stands in for the measure on whole images: the weights of later steps are worse."""

    def __init__(self):
        self.scores = iter([3.0, 2.0, 1.0] * 10)

    def __call__(self, keeper, predictor):
        score = next(self.scores)
        return {file.stem: score for file in keeper.files}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Take images of a few voxels for prepared pairs, and scores that are known."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    target = rng.uniform(0.3, 0.7, (12, 12, 12)).astype(np.float32)
    source = target.copy()
    source[4:8, 4:8, 4:8] += 0.5
    pair = ScaledPair(source, target, np.ones(source.shape, dtype=bool))
    score = Score()
    monkeypatch.setattr(run, "scaled_pairs", lambda files, *_: [pair for _ in files])
    monkeypatch.setattr(run.Keeper, "score", lambda keeper, predictor: score(keeper, predictor))
    monkeypatch.setattr(run, "best_gain", lambda *_, **__: 1.5)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def removing():
    """Return settings of a small network that takes contrast away."""
    return CONFIG


@pytest.fixture
def adding():
    """Return settings of one that adds contrast to three inputs."""
    changes = {"inputs": "T1w,T2w,FLAIR", "target": "enhanced", "patch_size": 0, "steps": 2}
    return with_changes(CONFIG, changes)


@pytest.fixture
def request_of(tmp_path, monkeypatch):
    files = [tmp_path / f"sub-{index:02}_ses-M000.npz" for index in range(4)]
    monkeypatch.setattr(run, "_prepare_pairs", lambda request, table: files)

    def make(**changes):
        given = {"config": CONFIG, "devices": Devices("cpu"), "model_id": "tiny", "licence": "none"}
        paths = {"bids": tmp_path, "output": tmp_path / "out", "cache": tmp_path}
        return TrainingRequest(**{**given, **paths, **changes})

    return make


@pytest.fixture
def cases(tmp_path, monkeypatch):
    """Return prepared cases of two visits, the second without FLAIR, in place of those of BIDS."""
    rng = np.random.default_rng(2)
    files = []
    for number, names in enumerate((("T1w", "T2w", "FLAIR"), ("T1w", "T2w"))):
        images = {name: rng.uniform(1, 3, (12, 12, 12)).astype(np.float32) for name in names}
        files.append(tmp_path / f"sub-{number}_ses-M000.npz")
        brain = np.zeros((12, 12, 12), dtype=bool)
        brain[2:10, 2:10, 2:10] = True
        np.savez(files[-1], enhanced=2 * images["T1w"], brain=brain, **images)
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: ["jobs"])
    monkeypatch.setattr(run, "prepare_cases", lambda jobs, cache, settings: files)
    return files


@pytest.fixture
def head_files(tmp_path, cases, monkeypatch):
    """Return label maps; a case of a few voxels stands for each head that judges."""
    maps = tuple(tmp_path / f"head_0{number}_dseg.nii.gz" for number in range(5))
    for path in maps:
        path.write_text(path.name, encoding="utf-8")
    pair = ScaledPair(*(np.full(s, 0.5, np.float32) for s in ((3, 12, 12, 12), (12,) * 3)), None)
    pair = replace(pair, mask=np.ones((12, 12, 12), dtype=bool))
    monkeypatch.setattr(heads, "_simulate_whole", lambda blueprint, label_map, seed: pair)
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: [])
    monkeypatch.setattr(run, "prepare_cases", lambda jobs, cache, settings: [])

    def judges(label_maps, n_draws, names, folder):
        assert (n_draws, names) == (1, ("T1w", "T2w", "FLAIR"))
        return [folder / f"{path.name.split('_')[1]}_draw-0.npz" for path in label_maps]

    monkeypatch.setattr(run, "simulate_cases", judges)
    return maps
