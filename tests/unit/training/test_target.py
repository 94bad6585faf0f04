"""What a pair teaches: the contrast agent, and nothing of the style of its sequence."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from clinica_gado.training.target import excess_of, remove_enhancement


def head(seed=0, shape=(32, 32, 32)):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    return (100 + 40 * smooth / smooth.std()).clip(20, 200).astype(np.float32)


def pair_with_vessel():
    """Return a head, it enhanced and noisy, it in another style, and where the vessel is."""
    plain = head()
    vessel = np.zeros(plain.shape, dtype=bool)
    vessel[10:22, 15:18, 15:18] = True
    noise = np.random.default_rng(1).normal(0, 1, plain.shape)
    enhanced = (plain + noise + 120 * vessel).astype(np.float32)
    return plain, enhanced, (0.5 * plain + 30).astype(np.float32), vessel


def test_enhancement_goes_and_the_style_of_the_source_stays():
    plain, source, reference, vessel = pair_with_vessel()
    target = remove_enhancement(source, reference, np.ones(plain.shape, dtype=bool))
    assert np.abs(target - plain)[vessel].mean() < 4
    away = ~ndimage.binary_dilation(vessel, iterations=2)
    assert np.abs(target - source)[away].mean() < 0.4  # in standard deviations of the noise


def test_without_enhancement_nothing_is_to_be_learned():
    plain = head()
    noise = np.random.default_rng(1).normal(0, 1, plain.shape)
    source = (plain + noise).astype(np.float32)
    target = remove_enhancement(source, plain, np.ones(plain.shape, dtype=bool))
    assert np.abs(target - source).mean() < 0.02  # in standard deviations of the noise


def test_faint_enhancement_goes_where_it_surrounds_what_is_clear():
    plain = head(shape=(40, 40, 40))
    noise = np.random.default_rng(1).normal(0, 1, plain.shape)
    halo, core, alone = (np.zeros(plain.shape, dtype=bool) for _ in range(3))
    halo[6:16, 6:16, 6:16] = core[9:13, 9:13, 9:13] = True
    alone[26:36, 26:36, 26:36] = True
    noise[halo | alone] = 0.55  # between the two thresholds, once the rest is smoothed
    source = (plain + noise + 40 * core).astype(np.float32)
    target = remove_enhancement(source, plain, np.ones(plain.shape, dtype=bool))
    taken = source - target
    assert taken[halo & ~core].mean() > 0.4
    assert taken[alone].mean() < 0.02


def test_what_enhances_is_found_in_the_units_of_the_enhanced_image():
    _, enhanced, reference, vessel = pair_with_vessel()
    excess = excess_of(enhanced, reference, np.ones(vessel.shape, dtype=bool))
    assert abs(excess[vessel].mean() - 120) < 4
    away = ~ndimage.binary_dilation(vessel, iterations=2)
    assert excess[away].mean() < 0.2
    assert (excess >= 0).all()
