"""Blur, sensitivity, noise, motion, ghosts, slices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from clinica_gado.simulation.artefacts import (
    add_ghosts,
    bias_field,
    blur,
    draw_noise,
    mix_motion,
    rician,
    thicken,
)
from clinica_gado.simulation.parameters import Ghosting, Motion

SHAPE = (12, 14, 16)


def _image(seed: int = 0) -> torch.Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed)) + 0.1


def test_blur_equals_scipy() -> None:
    image, fwhm = _image(), 2.5
    sigma = fwhm / (2 * np.sqrt(2 * np.log(2)))
    expected = ndimage.gaussian_filter(
        image.numpy(), sigma, mode="nearest", radius=int(np.ceil(3 * sigma))
    )
    np.testing.assert_allclose(blur(image, fwhm).numpy(), expected, atol=1e-6)


def test_no_blur_is_identity() -> None:
    assert torch.equal(blur(_image(), 0.0), _image())


def test_zero_bias_is_identity() -> None:
    assert torch.equal(bias_field((4, 5, 6), (0.0,) * 9), torch.ones(4, 5, 6))


def test_bias_is_the_exponential_of_the_polynomial() -> None:
    field = bias_field((3, 3, 3), (0.1, 0.0, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0, 0.3))
    assert float(field[2, 2, 0]) == pytest.approx(np.exp(0.1 + 0.2 - 0.3))


def test_noise_without_signal_has_the_rayleigh_mean() -> None:
    noise = draw_noise((20, 20, 20), 2.0, torch.Generator().manual_seed(1))
    air = rician(torch.zeros(20, 20, 20), noise)
    assert float(air.mean()) == pytest.approx(2.0 * np.sqrt(np.pi / 2), rel=0.02)


def test_no_noise_leaves_the_signal() -> None:
    noise = draw_noise(SHAPE, 0.0, torch.Generator())
    torch.testing.assert_close(rician(_image(), noise), _image())


def test_motion_of_no_line_leaves_the_image() -> None:
    motion = Motion(1, 0.5, 0.5, (0.0,) * 3, (0.0,) * 3)
    torch.testing.assert_close(mix_motion(_image(), _image(1), motion), _image())


def test_motion_of_all_lines_is_the_moved_image() -> None:
    motion = Motion(2, 0.0, 1.0, (0.0,) * 3, (0.0,) * 3)
    torch.testing.assert_close(mix_motion(_image(), _image(1), motion), _image(1))


def test_a_ghost_lies_a_fraction_of_the_field_away() -> None:
    image = torch.zeros(4, 16, 4)
    image[2, 3, 2] = 1.0
    ghosted = add_ghosts(image, Ghosting(1, 2, 0.1))
    # Every other line at .9: half of .1 goes to the copy half a field away.
    assert float(ghosted[2, 3, 2]) == pytest.approx(0.95, abs=1e-6)
    assert float(ghosted[2, 11, 2]) == pytest.approx(0.05, abs=1e-6)


def test_one_slice_is_identity_and_thick_slices_keep_a_constant_and_the_shape() -> None:
    assert torch.equal(thicken(_image(), 2, 1), _image())
    thick = thicken(torch.full(SHAPE, 3.0), 1, 5)
    torch.testing.assert_close(thick, torch.full(SHAPE, 3.0))


def test_thick_slices_smooth_only_along_their_axis() -> None:
    image = torch.zeros(SHAPE)
    image[6] = 1.0
    assert torch.equal(thicken(image, 2, 4), image)
    # A quarter in the slice of four, seen an eighth of it away from its centre.
    assert float(thicken(image, 0, 4).max()) == pytest.approx(0.25 * 7 / 8)
