"""Images that CAPS holds are judged without a new registration, if they are of the same file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clinica_gado.bids import Visit, parse_name
from clinica_gado.bids.images import BidsImage
from clinica_gado.caps import linear_paths, removal_paths
from clinica_gado.detection import run as module
from clinica_gado.preprocessing.grids import Grid
from clinica_gado.preprocessing.images import Volume, save_volume

SMALL = Grid((8, 9, 8), (0.0, 0.0, 0.0))
VISIT = Visit("sub-1", "ses-M000")


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BidsImage:
    monkeypatch.setattr(module, "CROP_GRID", SMALL)
    path = tmp_path / "sub-1_ses-M000_T1w.nii.gz"
    path.touch()
    return BidsImage(path, path.name, VISIT, parse_name(path.name))


def save(path: Path, shape: tuple[int, ...] = SMALL.shape) -> None:
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    save_volume(Volume(data, SMALL.affine), path)


def test_our_own_image_of_the_same_file_is_taken(image: BidsImage, tmp_path: Path) -> None:
    ours = removal_paths(tmp_path, image.path, VISIT)
    save(ours.linear)
    ours.linear_sidecar.write_text(json.dumps({"SourceSha256": "same"}))
    assert module._prepared(image, "same", tmp_path) is not None
    assert module._prepared(image, "other", tmp_path) is None


def test_an_image_of_clinica_is_taken(image: BidsImage, tmp_path: Path) -> None:
    assert module._prepared(image, "same", tmp_path) is None
    save(linear_paths(tmp_path, image.path, VISIT).cropped)
    assert module._prepared(image, "same", tmp_path) is not None


def test_an_image_on_another_grid_is_not(image: BidsImage, tmp_path: Path) -> None:
    save(linear_paths(tmp_path, image.path, VISIT).cropped, (9, 9, 9))
    assert module._prepared(image, "same", tmp_path) is None


def test_a_broken_image_is_not_and_said_so(
    image: BidsImage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = linear_paths(tmp_path, image.path, VISIT).cropped
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no image")
    assert module._prepared(image, "same", tmp_path) is None
    assert "It is not used" in caplog.text
