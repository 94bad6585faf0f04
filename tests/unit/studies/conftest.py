"""Prepared cases of a few voxels, and a study of them whose networks are tiny."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clinica_gado.studies.material import StudyRequest
from clinica_gado.training import run
from clinica_gado.training.config import TrainingConfig, with_changes
from clinica_gado.training.devices import Devices
from clinica_gado.training.request import TrainingRequest

SHAPE = (14, 14, 14)
CONFIG = with_changes(
    TrainingConfig(),
    {
        **{"architecture": "unet", "width": 2, "levels": 2, "depth": 1, "patch_size": 0},
        **{"inputs": "T1w,FLAIR,T1w-lowdose", "target": "enhanced", "steps": 2, "batch_size": 1},
        **{"validate_every": 1, "augmentation": "none", "precision": "fp32"},
        **{"enhancement_weight": 1.0},
    },
)


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Return prepared cases of four subjects, in place of those of BIDS."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(2)
    files = []
    for number in range(4):
        t1w = rng.uniform(1, 3, SHAPE).astype(np.float32)
        lesion = np.zeros(SHAPE, dtype=np.float32)
        lesion[5:9, 5:9, 5:9] = 3
        images = {
            "T1w": t1w,
            "FLAIR": rng.uniform(1, 3, SHAPE).astype(np.float32),
            "T1w-lowdose": t1w + 0.3 * lesion,
        }
        brain = np.zeros(SHAPE, dtype=bool)
        brain[1:13, 1:13, 1:13] = True
        arrays = {"enhanced": t1w + lesion, "brain": brain, "lesion": lesion > 0, **images}
        files.append(tmp_path / f"sub-{number}_ses-M000.npz")
        np.savez(files[-1], **arrays)
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: ["jobs"])
    monkeypatch.setattr(run, "prepare_cases", lambda jobs, cache, settings: files)
    yield files
    torch.set_num_threads(before)


@pytest.fixture
def request_of(tmp_path: Path) -> Callable[..., StudyRequest]:
    """Return what makes a request; options of the training or of the study."""

    def make(config: TrainingConfig = CONFIG, **options: Any) -> StudyRequest:
        own = {
            n: options.pop(n) for n in ("test_label_maps", "draws", "test_draws") if n in options
        }
        paths = {"bids": tmp_path, "output": tmp_path / "out", "cache": tmp_path / "cache"}
        given = {"folds": 2, "devices": Devices("cpu"), "model_id": "x", "licence": "x", **paths}
        training = TrainingRequest(**{**given, "config": config, **options})
        return StudyRequest(training, "tiny", **own)

    return make
