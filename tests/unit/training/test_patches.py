"""Patches of a pair are varied alike, so that only the contrast agent tells them apart."""

from __future__ import annotations

import numpy as np
import torch

from clinica_gado.training.loop import TrainingConfig, train, weighted_l1
from clinica_gado.training.pairs import ScaledPair
from clinica_gado.training.patches import (
    PatchSampler,
    Variation,
    apply_variation,
    draw_variation,
)

SHAPE = (24, 28, 26)


def pair():
    rng = np.random.default_rng(0)
    target = rng.uniform(0.3, 0.7, SHAPE).astype(np.float32)
    source = target.copy()
    source[8:14, 8:14, 8:14] += 0.5
    return ScaledPair(source, target, np.ones(SHAPE, dtype=bool))


def test_equal_images_stay_equal_under_any_variation():
    rng = np.random.default_rng(0)
    image = pair().target
    for _ in range(20):
        first, second = apply_variation(image, image, draw_variation(rng), rng)
        np.testing.assert_array_equal(first, second)


def test_a_variation_of_nothing_is_the_identity():
    image = pair().target
    nothing = Variation((), 1.0, 1.0, 0, 1, 0.0)
    first, _ = apply_variation(image, image, nothing, np.random.default_rng(0))
    np.testing.assert_allclose(first, image, rtol=1e-6)


def test_the_same_seed_draws_the_same_patches_and_every_other_one_enhances():
    batches = [PatchSampler([pair()], 16, np.random.default_rng(3)).batch(2) for _ in range(2)]
    for first, second in zip(*batches, strict=True):
        np.testing.assert_array_equal(first, second)
    source, target, mask = batches[0]
    assert source.shape == target.shape == mask.shape == (2, 1, 16, 16, 16)
    assert (source[1] > target[1] + 0.1).any()


def test_the_loss_weighs_enhancement_and_ignores_what_is_outside():
    source = torch.tensor([1.0, 1.0, 1.0]).view(1, 1, 3, 1, 1)
    target = torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 3, 1, 1)
    mask = torch.tensor([1.0, 1.0, 0.0]).view(1, 1, 3, 1, 1)
    predicted = torch.tensor([0.5, 1.2, 9.0]).view(1, 1, 3, 1, 1)
    loss = weighted_l1(predicted, source, target, mask, 4.0)
    assert abs(float(loss) - (4 * 0.5 + 0.2) / 5) < 1e-6


def test_a_tiny_network_learns_to_darken_what_enhances_and_two_runs_agree():
    from clinica_gado.models.attention_unet import AttentionUNet

    config = TrainingConfig(
        steps=60, batch_size=2, patch_size=16, learning_rate=1e-2, ema_decay=0.8
    )
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        network = AttentionUNet(width=2, levels=2, output="change")
        fitted = train(network, [pair()], config)
        whole = torch.from_numpy(pair().source)[None, None, :, :, :24]
        with torch.no_grad():
            predicted = fitted(whole[:, :, :24, :28])
        target = torch.from_numpy(pair().target)[None, None, :24, :28, :24]
        losses.append(float((predicted - target).abs().mean()))
    before = float((whole - target).abs().mean())
    assert losses[0] == losses[1]
    assert losses[0] < before
