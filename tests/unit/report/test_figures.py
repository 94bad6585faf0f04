"""The mosaic of a visit."""

from __future__ import annotations

import numpy as np
from matplotlib.image import imread

from clinica_gado.report.figures import change_colours, save_mosaic


def test_the_mosaic_shows_three_rows_and_nothing_changed_is_neutral(tmp_path):
    image = np.random.default_rng(0).uniform(1, 2, (20, 24, 22)).astype(np.float32)
    save_mosaic(image, image, tmp_path / "a.png", "title")
    picture = imread(tmp_path / "a.png")
    height, width = picture.shape[:2]
    assert width > height > 300
    first, second = picture[: height // 3], picture[height // 3 : 2 * height // 3]
    assert first.std() > 0.05
    assert second.std() > 0.05


def test_an_empty_image_still_gives_a_picture(tmp_path):
    empty = np.zeros((20, 24, 22), np.float32)
    save_mosaic(empty, empty, tmp_path / "a.png", "title")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_in_greyscale_darkened_is_darker_and_brightened_lighter():
    colours = change_colours()(np.linspace(0, 1, 33))[:, :3]
    grey = colours @ (0.299, 0.587, 0.114)
    assert (np.diff(grey) > 0).all()
    assert np.ptp(colours[16]) < 0.01  # unchanged has no colour
