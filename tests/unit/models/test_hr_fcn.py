"""The network of Chen et al. 2022: its equations, its ablations, its slabs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from clinica_gado.models.hr_fcn import (
    VARIANTS,
    Fusion,
    HighResolutionFCN,
    chen_2022_hr_fcn,
    chen_2022_hr_fcn_2d,
)


def layer(before: int, after: int, voxels: int) -> int:
    """Parameters of a convolution with batch norm."""
    return before * after * voxels + 3 * after


def block(before: int, after: int, voxels: int) -> int:
    shortcut = layer(before, after, 1) if before != after else 0
    return layer(before, after, voxels) + layer(after, after, voxels) + shortcut


def module(before: int, after: int, voxels: int) -> int:
    return block(before, after, voxels) + 3 * block(after, after, voxels)


def expected_parameters(variant: str, n_images: int, w: int, k: int) -> int:
    """Count by the equations, term by term."""
    w1, w2, w3 = w, 2 * w, 4 * w
    d12, d23 = layer(w1, w2, k), layer(w2, w3, k)
    stem = n_images * w1 if variant != "A" else w1
    total = module(n_images, w1, k) if variant == "A" else n_images * module(1, w1, k)
    head = w1 + 1
    if variant == "B":
        return total + module(stem, w1, k) + 2 * module(w1, w1, k) + block(w1, w1, k) + head
    total += layer(stem, w2, k) + module(w2, w2, k) + d23  # D2(F11), F22, F23
    if variant == "C":
        total += module(w2, w2, k) + module(w3, w3, k)  # F32, F33
        total += module(w2 + w3, w2, k) + d23 + module(w3 + w3, w3, k)  # F42, F43
        return total + block(w2 + w3, w1, k) + head
    total += module(stem, w1, k)  # F21
    if variant == "D":
        total += 2 * (module(w1, w1, k) + module(w2, w2, k) + module(w3, w3, k))
    else:
        total += module(w1 + w2, w1, k)  # F31
        total += d12 + module(w2 + w2, w2, k)  # F32
        total += d12 + d23 + module(w3 + w3, w3, k)  # F33
        total += module(w1 + w2 + w3, w1, k)  # F41
        total += d12 + module(w2 + w2 + w3, w2, k)  # F42
        total += d12 + d23 + d23 + module(w3 + w3 + w3, w3, k)  # F43
    return total + block(w1 + w2 + w3, w1, k) + head


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("slices", "voxels"), [(3, 27), (1, 9)])
def test_number_of_parameters_is_that_of_the_equations(variant, slices, voxels) -> None:
    with torch.device("meta"):
        network = HighResolutionFCN(in_channels=3, slices=slices, variant=variant)
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == expected_parameters(variant, 3, 64, voxels)


def test_published_sizes_have_so_many_parameters() -> None:
    with torch.device("meta"):
        networks = (chen_2022_hr_fcn(), chen_2022_hr_fcn_2d())
    counts = [sum(p.numel() for p in network.parameters()) for network in networks]
    assert [round(count / 1e6, 1) for count in counts] == [58.6, 19.9]


def test_the_paper_s_slab_keeps_its_three_slices() -> None:
    with torch.device("meta"):
        network = chen_2022_hr_fcn().eval()
        assert network(torch.rand(1, 3, 192, 256, 3)).shape == (1, 1, 192, 256, 3)
    assert (network.multiple, network.slices) == ((4, 4, 1), 3)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("slices", [1, 3])
def test_every_variant_makes_one_image_and_learns_in_every_parameter(variant, slices) -> None:
    network = HighResolutionFCN(in_channels=2, width=2, slices=slices, variant=variant)
    answer = network(torch.rand(2, 2, 8, 12, slices))
    assert answer.shape == (2, 1, 8, 12, slices)
    answer.square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def seen_by_the_middle(network, slices: int = 5):
    """Return which slices, and which voxels along the first axis, a voxel depends on."""
    for parameter in network.parameters():
        parameter.data.abs_()  # no ReLU is silent, nothing cancels out
    images = torch.rand(1, 2, 96, 4, slices, dtype=torch.float64, requires_grad=True)
    network.double().eval()(images)[0, 0, 48, 2, slices // 2].backward()
    reach = images.grad[0].abs().amax(dim=0)
    along = reach.amax(dim=(1, 2)).nonzero()[:, 0] - 48
    return reach.amax(dim=(0, 1)).nonzero()[:, 0].tolist(), along.tolist()


def test_full_resolution_alone_sees_as_far_as_its_34_convolutions() -> None:
    network = HighResolutionFCN(in_channels=2, width=2, variant="B")
    slices, along = seen_by_the_middle(network)
    assert slices == [0, 1, 2, 3, 4]
    assert along == list(range(-34, 35))


def test_the_2d_version_sees_one_slice() -> None:
    network = HighResolutionFCN(in_channels=2, width=2, slices=1, variant="B")
    slices, along = seen_by_the_middle(network)
    assert slices == [2]
    assert along == list(range(-34, 35))


def test_parallel_resolutions_see_the_whole_slice() -> None:
    slices, along = seen_by_the_middle(HighResolutionFCN(in_channels=2, width=2))
    assert len(along) == 96
    assert slices == [0, 1, 2, 3, 4]


def test_each_image_has_a_stem_of_its_own_but_in_model_a() -> None:
    assert len(HighResolutionFCN(in_channels=3, width=2).stems) == 3
    assert len(HighResolutionFCN(in_channels=3, width=2, variant="A").stems) == 1


def test_fusion_joins_by_concatenation_and_halves_in_the_plane_alone() -> None:
    fusion = Fusion(1, (0, 1, 2), (2, 4, 8), (3, 3, 3)).eval()
    maps = {branch: torch.rand(1, 2**branch * 2, 8 // 2**branch, 8 // 2**branch, 3)
            for branch in range(3)}  # fmt: skip
    joined = fusion(maps)
    assert joined.shape == (1, 4 + 4 + 8, 4, 4, 3)
    assert torch.equal(joined[:, 4:8], maps[1])
    assert torch.equal(joined[:, 8:, ::2, ::2], maps[2])
    assert torch.equal(joined[:, 8:, 1::2, 1::2], maps[2])


def test_the_departure_from_the_paper_is_told_where_users_read_of_the_network() -> None:
    guide = Path(__file__).parents[3] / "docs" / "training.md"
    words = " ".join(guide.read_text(encoding="utf-8").split())
    assert "(U2, U4) acts in the plane of the slices alone" in words


def test_without_fusion_branches_meet_at_the_end_only() -> None:
    network = HighResolutionFCN(in_channels=1, width=2, variant="D").eval()
    maps = {branch: torch.rand(1, 2**branch * 2, 8 // 2**branch, 8 // 2**branch, 1)
            for branch in range(3)}  # fmt: skip
    before = network.stage_4(network.stage_3(maps))
    after = network.stage_4(network.stage_3({**maps, 2: maps[2] + 1}))
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[2], after[2])
