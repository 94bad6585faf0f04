"""Each loss against a value worked out by hand, or scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from clinica_gado.training.config import LossConfig
from clinica_gado.training.losses import Batch, measure_losses, ssim_loss, ssim_map, taps_of


def row(*values):
    return torch.tensor(values).view(1, 1, -1, 1, 1)


SOURCE, TARGET = row(1.0, 1.0, 1.0, 0.05), row(0.0, 1.0, 1.0, 0.0)
REGION, PREDICTED = row(1.0, 1.0, 0.0, 1.0), row(0.5, 1.2, 9.0, 0.1)
BATCH = Batch(SOURCE, TARGET, REGION)


def losses(**weights):
    found = measure_losses(PREDICTED, BATCH, LossConfig(**{"l1": 0.0, **weights}))
    return {name: value.item() for name, value in found.items()}


def test_l1_weighs_enhancement_and_ignores_what_is_outside():
    found = losses(l1=1.0, enhancement_weight=4.0)
    assert found["l1"] == pytest.approx((4 * 0.5 + 0.2 + 4 * 0.1) / 9)
    assert found["loss"] == found["l1"]


def test_l2_is_the_mean_of_squares():
    found = losses(l2=1.0, enhancement_weight=1.0)
    assert found["l2"] == pytest.approx((0.25 + 0.04 + 0.01) / 3)


def test_local_loss_sees_only_what_enhances_by_more_than_delta():
    assert losses(local=1.0, delta=0.1)["local"] == pytest.approx(0.5)
    assert losses(local=1.0, delta=0.01)["local"] == pytest.approx((0.5 + 0.1) / 2)
    assert losses(local=1.0, delta=2.0)["local"] == 0


def test_local_loss_of_chen_is_averaged_over_all_that_counts():
    assert losses(local=1.0, local_mean="region")["local"] == pytest.approx(0.5 / 3)
    assert losses(local=1.0, local_mean="region", loss_region="everywhere")[
        "local"
    ] == pytest.approx(0.5 / 4)


def test_outside_counts_only_where_everywhere_does():
    acquired, everywhere = (
        losses(l1=1.0, enhancement_weight=1.0, loss_region=region)["l1"]
        for region in ("acquired", "everywhere")
    )
    assert acquired == pytest.approx((0.5 + 0.2 + 0.1) / 3)
    assert everywhere == pytest.approx((0.5 + 0.2 + 8.0 + 0.1) / 4)


def test_what_enhances_is_the_target_beyond_its_t1w_when_contrast_is_added():
    images = torch.cat((row(7.0, 7.0, 7.0, 7.0), TARGET), dim=1)  # FLAIR, T1w
    batch = Batch(images, SOURCE, torch.ones_like(REGION), t1w=1, adds_contrast=True)
    assert torch.equal(batch.enhancement, BATCH.enhancement)
    found = measure_losses(SOURCE + 0.25, batch, LossConfig(l1=0.0, local=1.0, delta=0.1))
    assert found["local"].item() == pytest.approx(0.25)
    nothing = measure_losses(SOURCE + 0.25, batch, LossConfig(l1=0.0, local=1.0, delta=2.0))
    assert nothing["local"].item() == 0


def test_nothing_enhances_where_the_t1w_is_left_out():
    given = torch.cat((row(7.0, 7.0, 7.0, 7.0), TARGET), dim=1)
    left_out = torch.cat((row(7.0, 7.0, 7.0, 7.0), torch.zeros_like(TARGET)), dim=1)
    batch = Batch(
        *(torch.cat((given, left_out)), torch.cat((SOURCE, SOURCE)), torch.ones(2, 1, 4, 1, 1)),
        t1w=1,
        adds_contrast=True,
    )
    assert torch.equal(batch.enhancement[:1], BATCH.enhancement)
    assert not batch.enhancement[1:].any()


def test_the_loss_is_the_weighted_sum():
    found = losses(l1=0.1, l2=2.0, local=10.0)
    assert found["loss"] == pytest.approx(
        0.1 * found["l1"] + 2 * found["l2"] + 10 * found["local"], rel=1e-5
    )
    assert "ssim" not in found


@pytest.mark.parametrize(
    ("window", "options"),
    [
        ("gaussian", {"gaussian_weights": True, "sigma": 1.5}),
        ("uniform", {"win_size": 7}),
    ],
)
def test_ssim_is_that_of_scikit_image(window, options):
    rng = np.random.default_rng(0)
    first = rng.random((16, 15, 14))
    second = np.clip(first + rng.normal(0, 0.2, first.shape), 0, 1)
    expected, full = structural_similarity(
        first, second, data_range=1.0, use_sample_covariance=False, full=True, **options
    )
    tensors = [torch.from_numpy(image)[None, None] for image in (first, second)]
    taps = taps_of(window).double()
    found = ssim_map(*tensors, taps)[0, 0].numpy()
    margin = len(taps) // 2
    inner = tuple(slice(margin, -margin) for _ in range(3))
    np.testing.assert_allclose(found, full[inner], atol=1e-6)
    region = torch.ones_like(tensors[0])
    loss = ssim_loss(*tensors, region, window).item()
    assert loss == pytest.approx(1 - expected, abs=1e-6)


def test_ssim_of_slices_is_that_of_scikit_image_in_each_slice():
    rng = np.random.default_rng(1)
    first = rng.random((16, 15, 3))
    second = np.clip(first + rng.normal(0, 0.2, first.shape), 0, 1)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = [
        structural_similarity(first[..., z], second[..., z], data_range=1.0, **options)
        for z in range(3)
    ]
    tensors = [torch.from_numpy(image)[None, None] for image in (first, second)]
    loss = ssim_loss(*tensors, torch.ones_like(tensors[0]), "slices").item()
    assert loss == pytest.approx(1 - np.mean(expected), abs=1e-6)


def test_ssim_of_an_image_with_itself_costs_nothing():
    image = torch.rand(1, 1, 12, 12, 12, generator=torch.Generator().manual_seed(0))
    assert ssim_loss(image, image, torch.ones_like(image), "gaussian").item() < 1e-5
