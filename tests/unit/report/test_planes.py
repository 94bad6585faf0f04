"""The picture of a visit: every image in three planes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clinica_gado.report.planes import layout_of, save_planes
from clinica_gado.report.slices import slice_of
from clinica_gado.segmentation.segmenter import TissueMaps

SHAPE = (20, 24, 22)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 2, SHAPE).astype(np.float32)


def read(path: Path) -> tuple[np.ndarray, dict]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGBA")), json.loads(layout_of(path).read_text())


@pytest.mark.parametrize("plane", ["coronal", "axial"])
def test_the_patients_left_is_on_the_right(plane: str) -> None:
    volume = np.zeros(SHAPE, np.float32)
    volume[:8] = 1  # RAS: x grows to the right, so low x is the patient's left
    picture = slice_of(volume, plane, 0.5)
    assert picture[:, -8:].all()
    assert not picture[:, :-8].any()


@pytest.mark.parametrize("plane", ["sagittal", "coronal"])
def test_the_head_is_upright(plane: str) -> None:
    volume = np.zeros(SHAPE, np.float32)
    volume[..., -5:] = 1
    assert slice_of(volume, plane, 0.5)[:5].all()


def test_the_layout_says_what_is_where(image: np.ndarray, tmp_path: Path) -> None:
    maps = TissueMaps(image, image, image)
    save_planes(
        {"ce": image, "synthetic": image, "nce": image}, {"nce": maps}, tmp_path / "a_planes.webp"
    )
    pixels, layout = read(tmp_path / "a_planes.webp")
    outlines = [f"nce:{tissue}" for tissue in ("graymatter", "whitematter", "csf")]
    assert layout["rows"] == ["ce", "synthetic", "nce", "change", *outlines]
    assert layout["planes"] == {"sagittal": [24, 22], "coronal": [20, 22], "axial": [20, 24]}
    assert pixels.shape == (layout["row_height"] * 7, 24 + 20 + 20, 4)


def test_all_images_are_on_one_scale(image: np.ndarray, tmp_path: Path) -> None:
    images = {"ce": image, "synthetic": image * 0.5, "nce": image * 30}
    save_planes(images, None, tmp_path / "a_planes.webp")
    pixels, layout = read(tmp_path / "a_planes.webp")
    rows = pixels[..., 0].reshape(len(layout["rows"]), layout["row_height"], -1)
    ce, synthetic, nce = (row[:22, :24].mean() for row in rows[:3])
    assert synthetic == pytest.approx(ce / 2, rel=0.05)
    assert nce == pytest.approx(synthetic, rel=0.05)


def test_outlines_are_transparent_but_for_the_line(image: np.ndarray, tmp_path: Path) -> None:
    inside = np.zeros(SHAPE, np.float32)
    inside[4:16, 4:20, 4:18] = 1
    maps = TissueMaps(inside, inside, np.zeros_like(inside))
    save_planes({"ce": image, "synthetic": image}, {"synthetic": maps}, tmp_path / "a_planes.webp")
    pixels, layout = read(tmp_path / "a_planes.webp")
    alpha = pixels[..., 3].reshape(len(layout["rows"]), layout["row_height"], -1)
    grey, white, csf = (alpha[layout["rows"].index(f"synthetic:{t}")] > 127 for t in
                        ("graymatter", "whitematter", "csf"))  # fmt: skip
    assert 0 < white.sum() < grey.sum() < 0.4 * grey.size  # white matter's line is dashed
    assert not csf.any()


def test_an_empty_image_still_gives_a_picture(tmp_path: Path) -> None:
    empty = np.zeros(SHAPE, np.float32)
    save_planes({"ce": empty, "synthetic": empty, "nce": empty}, None, tmp_path / "a_planes.webp")
    assert (tmp_path / "a_planes.webp").stat().st_size > 0
