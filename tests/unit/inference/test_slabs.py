"""Overlapping slabs cover every slice, and are averaged."""

from __future__ import annotations

import pytest
import torch

from clinica_gado.inference.slabs import AT_ONCE, estimate_by_slabs


@pytest.mark.parametrize("n_slices", [1, 2, 3, 4, 11])
@pytest.mark.parametrize("slices", [1, 3])
def test_what_a_network_leaves_alone_comes_back(slices, n_slices) -> None:
    images = torch.rand(1, 1, 4, 5, n_slices)
    seen = []

    def identity(slabs):
        seen.append(tuple(slabs.shape))
        return slabs

    torch.testing.assert_close(estimate_by_slabs(identity, images, slices), images)
    assert {shape[-1] for shape in seen} == {slices}
    assert max(shape[0] for shape in seen) <= AT_ONCE
    assert sum(shape[0] for shape in seen) == max(n_slices - slices, 0) + 1


def test_a_slice_is_the_mean_of_the_slabs_that_hold_it() -> None:
    images = torch.arange(5.0).expand(1, 2, 3, 3, 5)

    def middle(slabs):
        return slabs[:, :1, :, :, 1:2].expand(-1, 1, 3, 3, 3)

    found = estimate_by_slabs(middle, images, 3)[0, 0, 0, 0]
    # Slabs around slices 1, 2 and 3: each slice is the mean of the middles of its slabs.
    assert found.tolist() == [1, 1.5, 2, 2.5, 3]


def test_every_image_of_a_slab_is_given() -> None:
    images = torch.rand(1, 3, 4, 4, 6)
    found = estimate_by_slabs(lambda slabs: slabs.sum(dim=1, keepdim=True), images, 3)
    torch.testing.assert_close(found, images.sum(dim=1, keepdim=True))
