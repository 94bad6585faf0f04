"""The brain of a head: by a program that is there, by our own method where it is not or fails."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from clinica_gado.errors import InputImageError
from clinica_gado.evaluation.overlap import dice
from clinica_gado.preprocessing import brain as brains
from clinica_gado.preprocessing.brain import deform_template_brain, find_brain, find_tool, run_tool
from clinica_gado.preprocessing.images import Volume
from clinica_gado.segmentation import deformed_atlas
from clinica_gado.segmentation.deformed_atlas import Atlas, HeadParameters
from clinica_gado.segmentation.segmenter import TissueMaps

AFFINE = np.diag([5.0, 5.0, 5.0, 1.0])


def shells(scale=1.0):
    radius = np.sqrt(((np.mgrid[:32, :32, :32] - 15.5) ** 2).sum(axis=0)) * 5.0 / scale
    image = np.select([radius < 38, radius < 52, radius < 64, radius < 68, radius < 75],
                      [100.0, 70.0, 30.0, 2.0, 120.0], 0.5)  # fmt: skip
    noise = np.random.default_rng(0).random(image.shape)
    return radius, (image + noise).astype(np.float32)


@pytest.fixture
def head():
    return Volume(shells()[1], AFFINE)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Return a function that puts a program, a shell script, alone on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name, script):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    return add


COPY = '/bin/cp "$2" "$4"'


def test_a_skull_stripped_image_needs_no_program(programs):
    programs("hd-bet", "exit 1")
    radius, image = shells()
    image[radius >= 64] = 0
    image[16, 16, 16] = 0
    found = find_brain(Volume(image, AFFINE))
    assert found.method == "skull-stripped"
    assert np.array_equal(found.mask, radius < 64)  # holes are filled


@pytest.mark.parametrize(
    ("name", "program"), [("hd-bet", "hd-bet"), ("synthstrip", "mri_synthstrip")]
)
def test_a_program_on_the_path_is_taken(programs, head, name, program):
    assert find_tool() is None
    programs(program, COPY)
    assert find_tool() == name
    found = find_brain(head)
    assert found.method == name
    assert np.array_equal(found.mask, head.data != 0)


def test_hd_bet_stands_before_synthstrip(programs):
    programs("mri_synthstrip", COPY)
    programs("hd-bet", COPY)
    assert find_tool() == "hd-bet"


def test_a_program_that_fails_is_named_and_replaced(programs, head, monkeypatch, caplog):
    programs("hd-bet", "echo first line >&2; echo no weights >&2; exit 3")
    mask = shells()[0] < 64
    monkeypatch.setattr(brains, "deform_template_brain", lambda t1w: mask)
    with caplog.at_level(logging.WARNING, "clinica_gado"):
        found = find_brain(head)
    assert (found.method, found.mask is mask) == ("builtin", True)
    assert "hd-bet failed (no weights)" in caplog.text


@pytest.mark.parametrize("script", ["exit 0", 'echo x > "$4"'])
def test_a_program_that_leaves_no_image_has_failed(programs, head, script):
    programs("mri_synthstrip", script)
    with pytest.raises(InputImageError, match="mri_synthstrip failed"):
        run_tool("synthstrip", head)


def test_the_template_s_brain_is_deformed_to_the_head(head, monkeypatch):
    radius, image = shells(1.08)
    layers = ((radius >= 38) & (radius < 52), radius < 38, (radius >= 52) & (radius < 64))
    priors = TissueMaps(*(layer.astype(np.float32) for layer in layers))
    atlas = Atlas(priors, image, AFFINE, {})
    monkeypatch.setattr(deformed_atlas, "load_atlas", lambda: atlas)
    quick = HeadParameters(deformation_mm=5.0, deformation_iterations=(5, 5, 2))
    monkeypatch.setattr(deformed_atlas, "HeadParameters", lambda: quick)
    truth = shells()[0] < 64
    found = deform_template_brain(head)
    assert dice(found, truth) > 0.97
    assert dice(found, truth) > dice(radius < 64, truth)
