"""The fast route: affine and field as the standard one has them; neither is taken for the other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from clinica_gado.bids import Visit
from clinica_gado.preprocessing import t1_linear
from clinica_gado.preprocessing.fast import correct_bias_fast, estimate_affine_fast
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.preprocessing.linear import (
    LinearResult,
    bring_to_template,
    correct_bias,
    resample,
    resample_to_grid,
)
from clinica_gado.preprocessing.t1_linear import LinearOptions, prepare_linear
from clinica_gado.preprocessing.templates import load_template

SHAPE, SPACING = (36, 44, 34), 5.0
LANDMARKS = np.array([[x, y, z, 1] for x in (-40, 40) for y in (-40, 40) for z in (-40, 40)]).T


@pytest.fixture(scope="module")
def head():
    """Return an egg of the size of a head, with structures of some centimetres."""
    grid = np.stack(np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing="ij")) * SPACING
    inside = (grid[0] / 60) ** 2 + ((grid[1] + 0.2 * grid[2]) / 80) ** 2 + (grid[2] / 65) ** 2 < 1
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 2.0)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -SPACING / 2 * np.array(SHAPE)
    data = np.where(inside, np.maximum(100 + 25 * noise / noise.std(), 1), 0)
    return Volume(data.astype(np.float32), affine)


def test_the_affine_is_found_of_a_head_that_nods_far(head):
    truth = np.eye(4)
    turn = Rotation.from_euler("xyz", (40, -4, 6), degrees=True).as_matrix()
    truth[:3, :3] = turn @ np.diag([0.95, 1.04, 1.0])
    truth[:3, 3] = (8.0, -10.0, 12.0)
    moving = resample(head, (46, 46, 46), _around(head), np.linalg.inv(truth))
    found = estimate_affine_fast(moving, head)
    distance = np.linalg.norm(((found - truth) @ LANDMARKS)[:3], axis=0)
    assert distance.mean() < SPACING / 4


def _around(volume: Volume) -> np.ndarray:
    affine = volume.affine.copy()
    affine[:3, 3] -= SPACING * (46 - np.array(SHAPE)) / 2
    return affine


def test_the_corrected_image_is_that_of_the_standard_route(head):
    ramp = np.linspace(0.7, 1.3, SHAPE[0], dtype=np.float32)[:, None, None]
    shaded = Volume(head.data * ramp, head.affine)
    expected, found = correct_bias(shaded).data, correct_bias_fast(shaded).data
    inside = head.data > 0
    np.testing.assert_allclose(found[inside], expected[inside], rtol=0.02)
    assert (found[~inside] == 0).all()


def test_values_below_zero_become_zero(head):
    padded = Volume(np.where(head.data > 0, head.data, -200), head.affine)
    np.testing.assert_array_equal(correct_bias_fast(padded).data, correct_bias_fast(head).data)


def test_the_result_of_a_route_is_kept_for_that_route_only(monkeypatch, tmp_path):
    runs = []

    def run_as(name):
        def run(volume: Volume, *_: object) -> LinearResult:
            runs.append(name)
            return bring_to_template(volume, np.eye(4))

        return run

    monkeypatch.setattr(t1_linear, "run_linear", run_as("standard"))
    monkeypatch.setattr(t1_linear, "run_linear_fast", run_as("fast"))
    source = tmp_path / "sub-01_ses-M000_ce-gadolinium_T1w.nii.gz"
    template = load_template("head").volume
    save_volume(resample_to_grid(template, CROP_GRID, np.eye(4)), source)
    for route in ("fast", "fast", "standard"):
        paths = _prepare(source, tmp_path / "caps", LinearOptions(route))
        assert json.loads(paths.linear_sidecar.read_text())["Options"]["Route"] == route
    assert runs == ["fast", "standard"]


def _prepare(source: Path, caps: Path, options: LinearOptions):
    return prepare_linear(source, Visit("sub-01", "ses-M000"), caps, options)
