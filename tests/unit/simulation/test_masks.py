"""Skull-strip, defacing, and where lesions enhance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clinica_gado.simulation.labels import Tissue
from clinica_gado.simulation.layers import FULL, Head, Layer
from clinica_gado.simulation.masks import (
    brain_region,
    enhancing_lesions,
    face_region,
    smooth_brain,
)
from clinica_gado.simulation.parameters import BrainMask

SIZE = 48


@pytest.fixture(scope="module")
def head() -> Head:
    """A ball of white matter behind and above two eyes, in muscle."""
    world = np.indices((SIZE,) * 3) - np.array([24, 18, 28])[:, None, None, None]
    tissue = np.full((SIZE,) * 3, Tissue.MUSCLE, dtype=np.uint8)
    tissue[np.sqrt((world**2).sum(axis=0)) < 12] = Tissue.WHITE
    tissue[18:30, 38:41, 16:19] = Tissue.VITREOUS
    volume = torch.from_numpy(tissue)
    texture = torch.ones(volume.shape, dtype=torch.float16)
    return Head(volume, (), texture, smooth_brain(volume), np.eye(4))


def _radius(mask: torch.Tensor) -> float:
    return float((0.75 * mask.sum() / np.pi) ** (1 / 3))


@pytest.mark.parametrize("margin_mm", [-0.5, 0.0, 2.0])
def test_the_margin_of_the_skull_strip_is_in_millimetres(head: Head, margin_mm: float) -> None:
    region = brain_region(head, BrainMask(margin_mm, 0.0, 1))
    assert _radius(region) == pytest.approx(12.0 + margin_mm, abs=1.0)


def test_a_rough_skull_strip_errs_in_both_directions(head: Head) -> None:
    smooth, rough = (brain_region(head, BrainMask(0.0, spread, 1)) for spread in (0.0, 1.5))
    assert (rough & ~smooth).any()
    assert (smooth & ~rough).any()


def test_defacing_cuts_before_the_eyes_and_spares_the_brain(head: Head) -> None:
    face = face_region(head)
    assert face[24, 47, 10]
    assert not face[24, 5, 10]
    assert not face[head.tissue == Tissue.WHITE].any()


def test_nothing_is_cut_where_no_eyes_are_labelled(head: Head) -> None:
    blind = Head(torch.ones_like(head.tissue), (), head.texture, head.brain, head.affine)
    assert not face_region(blind).any()


def test_a_lesion_that_enhances_is_where_it_fills_half_a_voxel(head: Head) -> None:
    fractions = torch.zeros(3, *head.tissue.shape, dtype=torch.uint8)
    for layer, (place, share) in enumerate([(10, 0.6), (20, 0.4), (30, 1.0)]):
        fractions[layer, place] = round(FULL * share)
    tissues = (Tissue.METASTASIS, Tissue.MENINGIOMA, Tissue.NECROSIS)
    layers = tuple(Layer(*pair) for pair in zip(tissues, fractions, strict=True))
    ill = Head(head.tissue, layers, head.texture, head.brain, head.affine)
    assert enhancing_lesions(ill).any(dim=(1, 2)).nonzero().flatten().tolist() == [10]
    assert not enhancing_lesions(head).any()
