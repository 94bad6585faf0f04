"""A CAPS with visits of each kind, on a grid of a few voxels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clinica_gado.export import harmonised_caps
from clinica_gado.preprocessing.grids import Grid
from clinica_gado.preprocessing.images import Volume, save_volume

SMALL = Grid((8, 9, 8), (0.0, 0.0, 0.0))
WHOLE = Grid((12, 13, 10), (-2.0, -2.0, 0.0))
SPACE = "space-MNI152NLin2009cSym"
MODEL = {"Model": "some-model", "ModelSha256": "ab" * 32, "SyntheticImage": True}

AddImage = Callable[..., Path]


@pytest.fixture(autouse=True)
def small_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `export` take images of a few voxels for those of t1-linear."""
    monkeypatch.setattr(harmonised_caps, "CROP_GRID", SMALL)
    monkeypatch.setattr(harmonised_caps, "MNI_GRID", WHOLE)
    monkeypatch.setattr(harmonised_caps, "CROP_SLICES", (slice(2, 10), slice(2, 11), slice(0, 8)))


@pytest.fixture
def add_image(tmp_path: Path) -> AddImage:
    """Write an image below a visit of the CAPS, with a sidecar."""

    def add(visit: str, name: str, level: float = 1.0, **sidecar: object) -> Path:
        path = tmp_path / "caps" / "subjects" / visit / name
        data = np.full(SMALL.shape, level, dtype=np.float32)
        data[0] = 0.0
        save_volume(Volume(data, SMALL.affine), path)
        stem = path.name.removesuffix(".nii.gz")
        path.with_name(f"{stem}.json").write_text(json.dumps(sidecar))
        return path

    return add


@pytest.fixture
def caps(tmp_path: Path, add_image: AddImage) -> Path:
    """Make a CAPS: sub-A has a real and a synthetic image, sub-B a synthetic one, sub-C nothing."""
    first, second = "sub-A/ses-M000", "sub-B/ses-M000"
    ours = "t1_gado_removal"
    synthetic = f"ce-gd_run-01_{SPACE}_desc-SynthNCE_res-1x1x1_T1w.nii.gz"
    add_image(
        first,
        f"{ours}/preprocessing/sub-A_ses-M000_{SPACE}_desc-Reference_res-1x1x1_T1w.nii.gz",
        2.0,
        Registration={"flags": ["turned"]},
    )
    add_image(first, f"{ours}/sub-A_ses-M000_{synthetic}", 3.0, **MODEL)
    add_image(second, f"{ours}/sub-B_ses-M000_{synthetic}", 4.0, **MODEL)
    (tmp_path / "caps" / "subjects" / "sub-C" / "ses-M000").mkdir(parents=True)
    return tmp_path / "caps"
