"""Source and target are varied alike, so that only the contrast agent tells them apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clinica_gado.training.augmentation import augment

pytest.importorskip("monai")


def patch(seed=0):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0.3, 0.7, (12, 10, 8)).astype(np.float32)
    image[:, :, :2] = 0
    return np.stack([image, image, (image > 0).astype(np.float32)])


def test_equal_images_stay_equal_and_masked_air_stays_zero():
    changed = 0
    for seed in range(12):
        source, target, mask = augment(patch(), "clinical", np.random.default_rng(seed))
        assert torch.equal(source, target)
        assert (source[mask == 0] == 0).all()
        assert torch.isfinite(source).all()
        changed += not np.array_equal(np.sort(source.flatten()), np.sort(patch()[0].flatten()))
    assert changed > 6


def test_several_images_are_varied_alike_but_each_has_noise_of_its_own():
    image, _, mask = patch()
    arrays = np.stack([image, image, image, mask])
    drawn = [augment(arrays, "clinical", np.random.default_rng(seed)) for seed in range(12)]
    assert all(torch.equal(first, target) for first, _, target, _ in drawn)
    noise = [(second - first)[image > 0] for first, second, _, _ in drawn]
    is_noisy = [bool(difference.any()) for difference in noise]
    assert 0 < sum(is_noisy) < 12
    assert all(abs(float(difference.mean())) < 0.01 for difference in noise)


def test_a_missing_image_stays_zero():
    image, _, mask = patch()
    arrays = np.stack([image, np.zeros_like(image), image, mask])
    for seed in range(6):
        first, missing, _, _ = augment(arrays, "clinical", np.random.default_rng(seed))
        assert not missing.any()
        assert first.any()


def test_mirroring_moves_the_three_alike_and_changes_no_value():
    flipped = 0
    for seed in range(8):
        varied = augment(patch(), "mirror", np.random.default_rng(seed)).numpy()
        axes = [
            axes
            for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
            if np.array_equal(np.flip(patch(), [axis + 1 for axis in axes]), varied)
        ]
        assert len(axes) == 1
        flipped += axes != [()]
    assert flipped


def test_none_is_the_identity():
    varied = augment(patch(), "none", np.random.default_rng(0))
    np.testing.assert_array_equal(varied.numpy(), patch())


def test_what_is_drawn_depends_on_the_generator_alone():
    first = augment(patch(), "clinical", np.random.default_rng(5))
    augment(patch(1), "clinical", np.random.default_rng(6))
    torch.manual_seed(9)
    np.random.seed(9)
    assert torch.equal(first, augment(patch(), "clinical", np.random.default_rng(5)))
