"""The picture of a visit: every image in three planes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.report.planes import LARGEST, USUAL, layout_of, save_planes
from clinica_gado.report.scale import brain_median, white_level
from clinica_gado.report.slices import slice_of, slices_of_change, usual_slices
from clinica_gado.roles import ENHANCEMENT_ROLES, Roles
from clinica_gado.segmentation.segmenter import TissueMaps

SHAPE = (20, 24, 22)
MIDDLE = {"sagittal": 10, "coronal": 12, "axial": 11}


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
    picture = slice_of(volume, plane, MIDDLE[plane])
    assert picture[:, -8:].all()
    assert not picture[:, :-8].any()


@pytest.mark.parametrize("plane", ["sagittal", "coronal"])
def test_the_head_is_upright(plane: str) -> None:
    volume = np.zeros(SHAPE, np.float32)
    volume[..., -5:] = 1
    assert slice_of(volume, plane, MIDDLE[plane])[:5].all()


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


def test_an_uncertainty_has_a_row_that_is_brighter_where_it_is_larger(
    image: np.ndarray, tmp_path: Path
) -> None:
    spread = np.zeros_like(image)
    spread[10:] = 0.1 * white_level(image)
    images = {"t1w": image, "synthetic": image, "ce": image}
    path = tmp_path / "a_planes.webp"
    save_planes(images, None, path, roles=ENHANCEMENT_ROLES, uncertainty=spread)
    pixels, layout = read(path)
    assert layout["rows"] == ["t1w", "synthetic", "ce", "change", "uncertainty"]
    row = pixels[-layout["row_height"] :, 24:44, :3].astype(float).sum(axis=2)
    # In the coronal plane the patient's right, where it is, is on the left.
    assert row[-22:, :10].mean() > row[-22:, 10:].mean() + 100


def test_no_change_is_shown_where_nothing_was_made(image: np.ndarray, tmp_path: Path) -> None:
    made = np.arange(SHAPE[0])[:, None, None] < np.full(SHAPE, 10)
    images = {"t1w": image, "synthetic": np.where(made, image, 0)}
    path = tmp_path / "a_planes.webp"
    save_planes(images, None, path, roles=ENHANCEMENT_ROLES, made=made)
    pixels, layout = read(path)
    row = pixels[-layout["row_height"] :, 24:44, :3].astype(int)
    assert layout["rows"][-1] == "change"
    assert np.ptp(row) < 10
    assert layout["through"] == USUAL


def test_all_images_are_on_one_scale(image: np.ndarray, tmp_path: Path) -> None:
    images = {"ce": image, "synthetic": image * 0.5, "nce": image * 30}
    save_planes(images, None, tmp_path / "a_planes.webp")
    pixels, layout = read(tmp_path / "a_planes.webp")
    rows = pixels[..., 0].reshape(len(layout["rows"]), layout["row_height"], -1)
    ce, synthetic, nce = (row[:22, :24].mean() for row in rows[:3])
    assert synthetic == pytest.approx(ce / 2, rel=0.05)
    assert nce == pytest.approx(synthetic, rel=0.05)


def test_a_dose_that_was_given_is_shown_on_the_scale_of_the_synthetic_image(
    image: np.ndarray, tmp_path: Path
) -> None:
    images = {"t1w": image, "lowdose": image * 30, "synthetic": image * 1.2}
    path = tmp_path / "a_planes.webp"
    save_planes(images, None, path, roles=Roles("t1w", "ce", ("lowdose",)))
    pixels, layout = read(path)
    assert layout["rows"] == ["t1w", "lowdose", "synthetic", "change"]
    rows = pixels[..., 0].reshape(4, layout["row_height"], -1)
    before, given, synthetic = (row[:22, :24].mean() for row in rows[:3])
    assert given == pytest.approx(synthetic, rel=0.05)
    assert given > 1.1 * before


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


def test_planes_go_through_a_lesion_and_not_through_a_vessel_or_the_rind() -> None:
    brain = np.ones((40, 48, 44), bool)
    change = np.random.default_rng(0).normal(0, 0.02, brain.shape).astype(np.float32)
    change[:3] = -2.0  # the rind, as bright as a sinus
    change[20, 10:40, 30] = -2.0  # a vessel
    change[24:31, 18:25, 12:19] = -0.6  # a lesion
    found = slices_of_change(change, brain)
    assert found is not None
    assert all(abs(found[plane] - centre) <= 2 for plane, centre in (
        ("sagittal", 27), ("coronal", 21), ("axial", 15)))  # fmt: skip
    assert slices_of_change(change, brain) == found
    assert slices_of_change(-change, brain) == found


def test_without_a_change_or_a_brain_there_is_no_place_of_its_own() -> None:
    brain = np.ones(SHAPE, bool)
    noise = np.random.default_rng(0).normal(0, 0.02, SHAPE).astype(np.float32)
    assert slices_of_change(noise, brain) is None
    assert slices_of_change(noise + 1, ~brain) is None


def test_the_layout_says_where_the_planes_are_and_why(image: np.ndarray, tmp_path: Path) -> None:
    changed = image.copy()
    changed[10:16, 8:14, 4:10] *= 0.2
    for synthetic, through in ((image, USUAL), (changed, LARGEST)):
        save_planes({"ce": image, "synthetic": synthetic}, None, tmp_path / "a_planes.webp")
        _, layout = read(tmp_path / "a_planes.webp")
        assert layout["through"] == through
    assert layout["slices"] != usual_slices(SHAPE)
    assert "position_mm" not in layout  # of another grid than the template's


def test_on_the_templates_grid_planes_have_positions_in_mm(tmp_path: Path) -> None:
    image = np.ones(CROP_GRID.shape, np.float32)
    save_planes({"ce": image, "synthetic": image}, None, tmp_path / "a_planes.webp")
    _, layout = read(tmp_path / "a_planes.webp")
    assert layout["position_mm"] == {"sagittal": 0.0, "coronal": -20.0, "axial": 11.0}


def test_air_and_scalp_do_not_set_the_scale() -> None:
    brain = template_brain()
    head = np.random.default_rng(0).uniform(0.1, 3, CROP_GRID.shape).astype(np.float32)  # air
    head[:, -20:] = 900.0  # scalp
    head[brain] = 100.0
    assert brain_median(head) == 100.0
    assert 0.8 * white_level(head) > 120.0  # white matter keeps its shades
    assert brain_median(-head) == 1.0
