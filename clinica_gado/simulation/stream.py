"""Simulated pairs for training, made while it runs: a new scan for every patch, on CPU or GPU.

Anatomy (vessels, lesions, mass effect) takes seconds and is kept for a number of patches; tissue
parameters, uptake, sequence, noise and artefacts are new for each patch and take milliseconds,
because only the patch is rendered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence as Many
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from clinica_gado.simulation.acquisition import displacement, interpolate
from clinica_gado.simulation.agent import CLINICAL_DOSE_MMOL_PER_KG
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.artefacts import (
    add_ghosts,
    bias_field,
    blur,
    draw_noise,
    mix_motion,
    rician,
    thicken,
)
from clinica_gado.simulation.labels import Tissue, load_label_map
from clinica_gado.simulation.layers import FULL, Head
from clinica_gado.simulation.masks import brain_region
from clinica_gado.simulation.parameters import (
    AcquisitionParameters,
    Geometry,
    HeadParameters,
    Motion,
    Scan,
)
from clinica_gado.simulation.rendering import render_signal, tissue_signal
from clinica_gado.simulation.sampling import (
    SEED_LIMIT,
    T1_SEQUENCES,
    add_artefacts,
    sample_acquisition,
    sample_brain_mask,
    sample_head,
    sample_lesion,
    sample_sequence,
)
from clinica_gado.simulation.tissue import FIELD_STRENGTHS_T

_ISOTROPIC = Geometry((1.0, 1.0, 1.0))
_CANDIDATES = 4096
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class StreamSettings:
    """What to draw.

    Attributes
    ----------
    patch_size : voxels of 1 mm a side.
    dose_mmol_per_kg : of the source image; the target has none.
    enhancing_share : share of patches centred on a vessel, a meninx or a lesion.
    brain_only_share : share of patches with all but the brain cut away.
    thick_share : share of patches with slices of 2 to 6 mm.
    heads, patches_per_head : anatomies kept, and patches after which one is replaced.
    """

    patch_size: int = 96
    dose_mmol_per_kg: float = CLINICAL_DOSE_MMOL_PER_KG
    enhancing_share: float = 0.5
    brain_only_share: float = 0.5
    thick_share: float = 0.3
    heads: int = 4
    patches_per_head: int = 256


@dataclass(frozen=True)
class PatchDraw:
    """Every random choice of one patch."""

    parameters: HeadParameters
    scan: Scan
    box: Box
    mirrored: tuple[int, ...]
    thick_axis: int
    slices: int
    noise_seed: int


@dataclass(frozen=True)
class Patch:
    """A pair without other difference than the agent, and where it counts; each (X, Y, Z).

    The scale is that of the noise-free white matter without agent: 1.
    """

    source: torch.Tensor
    target: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True)
class _Anatomy:
    head: Head
    brain: np.ndarray
    enhancing: np.ndarray


class PairStream:
    """Patches of simulated heads; which one is a function of the seed and its number alone."""

    def __init__(
        self,
        label_maps: Many[Path],
        settings: StreamSettings | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self._label_maps, self._seed, self._device = label_maps, seed, device
        self._settings = settings or StreamSettings()
        self._anatomies: OrderedDict[int, _Anatomy] = OrderedDict()

    def patch(self, number: int) -> Patch:
        """Return patch `number`."""
        rng = np.random.default_rng([self._seed, 1, number])
        newest = self._settings.heads - 1 + number // self._settings.patches_per_head
        anatomy = self._anatomy(newest - int(rng.integers(self._settings.heads)))
        return render_patch(anatomy.head, draw_patch(rng, anatomy, self._settings))

    def batch(self, first: int, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return source, target and mask of patches from `first` on, (B, 1, P, P, P) each."""
        patches = [self.patch(number) for number in range(first, first + size)]
        source = torch.stack([patch.source for patch in patches])
        target = torch.stack([patch.target for patch in patches])
        return source[:, None], target[:, None], torch.stack([p.mask for p in patches])[:, None]

    def _anatomy(self, number: int) -> _Anatomy:
        if number not in self._anatomies:
            label_map = self._label_maps[number % len(self._label_maps)]
            rng = np.random.default_rng([self._seed, 0, number])
            self._anatomies[number] = make_anatomy(label_map, rng, self._device)
            while len(self._anatomies) > self._settings.heads:
                self._anatomies.popitem(last=False)
        self._anatomies.move_to_end(number)
        return self._anatomies[number]


def make_anatomy(
    label_map: Path, rng: np.random.Generator, device: torch.device | str = "cpu"
) -> _Anatomy:
    """Draw a person with up to two lesions on a label map."""
    lesions = tuple(sample_lesion(rng) for _ in range(int(rng.integers(3))))
    head = build_head(load_label_map(label_map), sample_head(rng, 1.5, lesions))
    enhancing = torch.zeros_like(head.tissue, dtype=torch.bool)
    for layer in head.layers:
        if layer.tissue != Tissue.OEDEMA:
            enhancing |= layer.fraction > FULL // 3
    places = (_some(head.brain > FULL // 2, rng), _some(enhancing, rng))
    return _Anatomy(head.to(device), *places)


def _some(mask: torch.Tensor, rng: np.random.Generator) -> np.ndarray:
    voxels = np.flatnonzero(mask.numpy())
    chosen = rng.choice(voxels, min(_CANDIDATES, voxels.size), replace=False)
    return np.stack(np.unravel_index(np.sort(chosen), mask.shape), axis=1)


def draw_patch(rng: np.random.Generator, anatomy: _Anatomy, settings: StreamSettings) -> PatchDraw:
    """Draw a place in a head, and a scan of it."""
    field_strength_t = float(rng.choice(FIELD_STRENGTHS_T))
    sequence = sample_sequence(rng, str(rng.choice(T1_SEQUENCES)), field_strength_t)
    acquisition = add_artefacts(rng, sample_acquisition(rng, _ISOTROPIC))
    mask = sample_brain_mask(rng) if rng.random() < settings.brain_only_share else None
    is_enhancing = len(anatomy.enhancing) > 0 and rng.random() < settings.enhancing_share
    places = anatomy.enhancing if is_enhancing else anatomy.brain
    is_thick = rng.random() < settings.thick_share
    return PatchDraw(
        parameters=sample_head(rng, field_strength_t),
        scan=Scan(sequence, settings.dose_mmol_per_kg, replace(acquisition, brain_mask=mask)),
        box=_box(places[rng.integers(len(places))], settings.patch_size, anatomy.head.tissue.shape),
        mirrored=tuple(axis for axis in range(3) if rng.random() < 0.5),
        thick_axis=int(rng.integers(3)),
        slices=int(rng.integers(2, 7)) if is_thick else 1,
        noise_seed=int(rng.integers(SEED_LIMIT)),
    )


def _box(centre: np.ndarray, size: int, shape: torch.Size) -> Box:
    """Return a cube around a voxel, moved inwards at the border; it can reach beyond the last."""
    starts = [max(0, min(int(c) - size // 2, n - size)) for c, n in zip(centre, shape, strict=True)]
    x, y, z = (slice(start, start + size) for start in starts)
    return x, y, z


def render_patch(head: Head, draw: PatchDraw) -> Patch:
    """Render a patch with and without agent, with the same noise and the same artefacts.

    Where the head is smaller than the patch it is padded with zeros, which do not count.
    """
    part, acquisition, scan = head.crop(draw.box), draw.scan.acquisition, draw.scan
    white = float(tissue_signal(draw.parameters, scan.sequence, 0.0)[Tissue.WHITE])
    device = part.tissue.device
    field = bias_field(part.tissue.shape, acquisition.bias, device) / white
    generator = torch.Generator(device).manual_seed(draw.noise_seed)
    noise = draw_noise(tuple(part.tissue.shape), 1 / acquisition.signal_to_noise, generator)
    keep = brain_region(part, acquisition.brain_mask) if acquisition.brain_mask else None
    images = []
    for dose in (scan.dose_mmol_per_kg, 0.0):
        signal = render_signal(part, draw.parameters, scan.sequence, dose, acquisition.inflow)
        image = rician(_degrade(signal, draw, acquisition) * field, noise)
        images.append(image if keep is None else image * keep)
    mask = torch.ones_like(images[0]) if keep is None else keep.float()
    source, target, counted = (
        _fill(volume, draw.box).flip(draw.mirrored) for volume in (*images, mask)
    )
    return Patch(source, target, counted)


def _fill(volume: torch.Tensor, box: Box) -> torch.Tensor:
    """Pad what a box holds of a head, (X, Y, Z), with zeros to the sides of the box."""
    margins = [(0, part.stop - part.start - n) for part, n in zip(box, volume.shape, strict=True)]
    # Padding goes from the last axis to the first.
    return functional.pad(volume, [side for margin in reversed(margins) for side in margin])


def _degrade(
    signal: torch.Tensor, draw: PatchDraw, acquisition: AcquisitionParameters
) -> torch.Tensor:
    image = thicken(blur(signal, acquisition.blur_mm), draw.thick_axis, draw.slices)
    if acquisition.motion is not None:
        image = mix_motion(image, _moved(image, acquisition.motion), acquisition.motion)
    return image if acquisition.ghosting is None else add_ghosts(image, acquisition.ghosting)


def _moved(image: torch.Tensor, motion: Motion) -> torch.Tensor:
    """Return a patch after a movement about its centre; its edges are repeated."""
    grid = np.eye(4)
    place = displacement(motion.shift_mm, motion.rotation_deg, grid, image.shape)
    return interpolate(image, place, grid, list(image.shape), outside="border")
