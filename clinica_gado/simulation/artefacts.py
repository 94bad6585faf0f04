"""What happens to an image on its way: blur, sensitivity, noise, motion, ghosts. All on torch."""

from __future__ import annotations

import math

import torch

from clinica_gado.simulation.parameters import Ghosting, Motion

_FWHM_TO_SIGMA = 1 / (2 * math.sqrt(2 * math.log(2)))


def blur(volume: torch.Tensor, fwhm: float) -> torch.Tensor:
    """Convolve a volume (X, Y, Z) with a Gaussian of a full width in voxels; edges are repeated."""
    sigma = fwhm * _FWHM_TO_SIGMA
    radius = math.ceil(3 * sigma)
    if radius < 1:
        return volume
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(radius + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    for axis in range(3):
        volume = _smooth_axis(volume, axis, [weight / total for weight in weights])
    return volume


def _smooth_axis(volume: torch.Tensor, axis: int, weights: list[float]) -> torch.Tensor:
    """Sum shifted copies: the same bytes for any number of threads, unlike a convolution."""
    size, radius = volume.shape[axis], len(weights) - 1
    index = torch.arange(-radius, size + radius, device=volume.device).clamp(0, size - 1)
    padded = volume.index_select(axis, index)
    smooth = weights[0] * volume
    for step in range(1, radius + 1):
        before = padded.narrow(axis, radius - step, size)
        smooth += weights[step] * (before + padded.narrow(axis, radius + step, size))
    return smooth


def bias_field(
    shape: tuple[int, ...], coefficients: tuple[float, ...], device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Return a smooth positive field: exp of a second-order polynomial over the grid, (X, Y, Z).

    Coefficients: x, y, z, x², y², z², xy, xz, yz, each coordinate running from -1 to 1.
    """
    axes = [torch.linspace(-1, 1, n, device=device) for n in shape]
    x, y, z = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    terms = (x, y, z, x * x, y * y, z * z, x * y, x * z, y * z)
    exponent = torch.zeros(tuple(shape), device=device)
    for coefficient, term in zip(coefficients, terms, strict=True):
        exponent += coefficient * term
    return exponent.exp_()


def draw_noise(
    shape: tuple[int, ...], noise_std: float, generator: torch.Generator
) -> torch.Tensor:
    """Draw Gaussian noise of the real and the imaginary channel, (2, X, Y, Z)."""
    return noise_std * torch.randn((2, *shape), generator=generator, device=generator.device)


def rician(signal: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return the magnitude of a signal with noise in both channels (2, X, Y, Z)."""
    return torch.hypot(signal + noise[0], noise[1])


def mix_motion(still: torch.Tensor, moved: torch.Tensor, motion: Motion) -> torch.Tensor:
    """Take the lines of k-space acquired after a movement from the image of the moved head."""
    size = still.shape[motion.phase_axis]
    first, last = (round(share * size) for share in (motion.first_line, motion.last_line))
    lines = _lines(still, motion.phase_axis)
    lines.narrow(motion.phase_axis, first, last - first).copy_(
        _lines(moved, motion.phase_axis).narrow(motion.phase_axis, first, last - first)
    )
    return _image(lines, motion.phase_axis)


def add_ghosts(image: torch.Tensor, ghosting: Ghosting) -> torch.Tensor:
    """Weaken every `period`-th line of k-space: copies `1 / period` of the field apart."""
    lines = _lines(image, ghosting.phase_axis)
    shape = [1, 1, 1]
    shape[ghosting.phase_axis] = -1
    number = torch.arange(image.shape[ghosting.phase_axis], device=image.device).reshape(shape)
    weaker = 1.0 - ghosting.intensity * (number % ghosting.period == 0)
    return _image(lines * weaker, ghosting.phase_axis)


def _lines(image: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the k-space of an image along one axis, its centre in the middle."""
    return torch.fft.fftshift(torch.fft.fft(image, dim=axis), dim=axis)


def _image(lines: torch.Tensor, axis: int) -> torch.Tensor:
    return torch.fft.ifft(torch.fft.ifftshift(lines, dim=axis), dim=axis).abs()


def thicken(volume: torch.Tensor, axis: int, slices: int) -> torch.Tensor:
    """Average `slices` neighbours along an axis, and interpolate back to the grid, (X, Y, Z)."""
    if slices < 2:
        return volume
    moved = volume.movedim(axis, -1)
    size = moved.shape[-1]
    whole = size // slices * slices
    thick = moved[..., :whole].unflatten(-1, (-1, slices)).mean(-1)
    place = (torch.arange(size, device=volume.device) + 0.5) / slices - 0.5
    place = place.clamp(0, thick.shape[-1] - 1)
    below = place.floor().long()
    above = (below + 1).clamp(max=thick.shape[-1] - 1)
    low, high = thick[..., below], thick[..., above]
    return torch.lerp(low, high, (place - below).expand_as(low)).movedim(-1, axis).contiguous()
