"""Simulated draws: a head is looked up where its affine says, and air is outside of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from clinica_gado.detection import cases, draws
from clinica_gado.preprocessing.grids import Grid
from clinica_gado.simulation.labels import Tissue
from clinica_gado.simulation.layers import Head, Layer

SMALL = Grid((6, 7, 8), (-3.0, 2.0, 5.0))


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Head:
    """Make a head of random tissue on the grid itself."""
    monkeypatch.setattr(draws, "CROP_GRID", SMALL)
    generator = torch.Generator().manual_seed(0)
    tissue = torch.randint(1, 30, SMALL.shape, generator=generator).to(torch.uint8)
    layer = Layer(Tissue.BLOOD, tissue.clone())
    texture = torch.full(SMALL.shape, 1.5, dtype=torch.float16)
    return Head(tissue, (layer,), texture, tissue.clone(), SMALL.affine)


def test_a_head_in_place_is_itself(head: Head) -> None:
    placed = draws._on_template(head, np.eye(4))
    for name in ("tissue", "texture", "brain"):
        assert torch.equal(getattr(placed, name), getattr(head, name))
    assert torch.equal(placed.layers[0].fraction, head.layers[0].fraction)


def test_a_shifted_head_leaves_air_behind(head: Head) -> None:
    shift = np.eye(4)
    shift[0, 3] = 2.0
    placed = draws._on_template(head, shift)
    assert torch.equal(placed.tissue[:-2], head.tissue[2:])
    assert not placed.tissue[-2:].any()
    assert not placed.layers[0].fraction[-2:].any()
    assert (placed.texture[-2:] == 1).all()


def test_the_variation_of_placing_is_small_and_seeded() -> None:
    first, second = (draws._jitter(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, second)
    point = np.array([30.0, 40.0, 50.0, 1.0])
    assert 0 < np.linalg.norm((first @ point - point)[:3]) < 15


def test_profiles_are_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make(head: int) -> Iterator[dict[str, object]]:
        made.append(head)
        yield {"group": f"head {head:02d}", "contrast": "ce", "sinuses_p90": np.nan}

    tables = [cases._kept(tmp_path / "kept.tsv", make, 17) for _ in range(2)]
    assert made == [17]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0]["sinuses_p90"].isna().all()


def test_draws_of_another_seed_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    def draw(path: Path, anatomies: int, pairs: int, seed: int) -> Iterator[draws.SimulatedDraw]:
        seeds.append(seed)
        image = np.zeros(SMALL.shape, np.float32)
        yield draws.SimulatedDraw(17, "mprage", False, image, image)

    monkeypatch.setattr(cases, "draw_pairs", draw)
    monkeypatch.setattr(cases, "profile", lambda image: {"sinuses_p90": 1.0})
    for seed in (cases.SEED, 7, 7):
        found = cases.simulated_cases(tmp_path, [17], 1, 1, tmp_path, seed)
        assert list(found["contrast"]) == [cases.ENHANCED, cases.PLAIN]
    assert seeds == [cases.SEED, 7]
