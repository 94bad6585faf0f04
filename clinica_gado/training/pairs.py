"""Pairs of one head with and without contrast, and what a network is to learn of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clinica_gado.caps import reference_paths, removal_paths
from clinica_gado.errors import InputImageError, RegistrationError
from clinica_gado.files import atomic_path
from clinica_gado.inference.grid import to_network_grid
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import read_volume
from clinica_gado.preprocessing.linear import correct_bias, resample_to_grid, run_linear
from clinica_gado.preprocessing.rigid import align_rigidly
from clinica_gado.preprocessing.templates import is_brain_only, load_template
from clinica_gado.training.origin import ORIGIN, origin_of, outdated
from clinica_gado.training.target import remove_enhancement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from clinica_gado.bids import Job
    from clinica_gado.inference.normalisation import Normalisation
    from clinica_gado.models.card import Grid

    Array = NDArray[np.float32]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """One head with contrast and the same image without it.

    Attributes
    ----------
    name : participant and session.
    source : contrast-enhanced T1w on `CROP_GRID`, (169, 208, 179).
    reference : the real non-enhanced T1w, (169, 208, 179).
    target : `source` without its enhancement (see `remove_enhancement`), (169, 208, 179).
    mask : voxels where both were acquired.
    """

    name: str
    source: NDArray[np.float32]
    reference: NDArray[np.float32]
    target: NDArray[np.float32]
    mask: NDArray[np.bool_]


def prepare_pairs(jobs: Iterable[Job], cache: Path, caps: Path | None = None) -> list[Path]:
    """Bring every pair to the template; return the files, made if absent or of other images.

    Parameters
    ----------
    jobs : those without a reference are left out.
    cache : where the pairs are kept.
    caps : outputs of t1-gado-removal, whose images of a visit are taken if they are there.
    """
    chosen = {
        cache / f"{job.visit.participant_id}_{job.visit.session_id}.npz": (job, reference)
        for job in jobs
        if (reference := job.reference) is not None
    }
    origins = {
        path: origin_of([job.source, reference, *_images_in(caps, job)])
        for path, (job, reference) in chosen.items()
    }
    renewed = outdated(origins)
    prepared = []
    for path, (job, reference) in chosen.items():
        try:
            if path in renewed:
                before, after = _from_caps(job, caps) or _register(job.source, reference)
                kept: dict[str, Any] = {"source": before, "reference": after}
                kept[ORIGIN] = np.array(origins[path])
                with atomic_path(path) as partial:
                    np.savez_compressed(partial, **kept)
            prepared.append(path)
        except (InputImageError, RegistrationError) as error:
            logger.warning("%s; this pair is left out.", error)
    return prepared


def _images_in(caps: Path | None, job: Job) -> tuple[Path, ...]:
    """Return source and reference as t1-gado-removal prepared them, if both are there."""
    if caps is None:
        return ()
    files = (removal_paths(caps, job.source, job.visit).linear, reference_paths(caps, job).image)
    return files if all(path.is_file() for path in files) else ()


def _from_caps(job: Job, caps: Path | None) -> tuple[Array, Array] | None:
    images = [read_volume(path).data for path in _images_in(caps, job)]
    if images:
        return images[0], images[1]
    if caps is not None:
        logger.info("%s: no pair in %s, it is registered here.", job.visit, caps)
    return None


def _register(source_path: Path, reference_path: Path) -> tuple[Array, Array]:
    logger.info("Registering %s and its reference", source_path.name)
    source, reference = read_volume(source_path), read_volume(reference_path)
    template = load_template("brain" if is_brain_only(source) else "head")
    linear = run_linear(source, template.volume)
    same_grid = source.data.shape == reference.data.shape and np.allclose(
        source.affine, reference.affine, atol=1e-3
    )
    corrected = correct_bias(reference)
    # Images on one grid were brought together before.
    movement = np.eye(4) if same_grid else align_rigidly(corrected, source).fixed_to_moving
    moved = resample_to_grid(corrected, CROP_GRID, movement @ linear.mni_to_native)
    return linear.cropped.data, moved.data


@dataclass(frozen=True)
class ScaledPair:
    """A pair on the intensity scale of a network's input; attributes as those of `Pair`.

    `source` is (X, Y, Z), or (C, X, Y, Z) where a network takes several images.
    """

    source: NDArray[np.float32]
    target: NDArray[np.float32]
    mask: NDArray[np.bool_]

    @property
    def images(self) -> Array:
        """The images given, (C, X, Y, Z)."""
        return self.source if self.source.ndim == 4 else self.source[None]

    def part(self, index: tuple[Any, ...]) -> ScaledPair:
        """Return a part of every image; the index is one of (..., X, Y, Z)."""
        return ScaledPair(self.source[index], self.target[index], self.mask[index])

    def stack(self) -> Array:
        """Return source, target and mask, `(C + 2, X, Y, Z)`."""
        stacked = np.concatenate([self.images, self.target[None], self.mask[None]])
        return stacked.astype(np.float32)


def scale_pair(
    pair: Pair,
    normalisation: Normalisation,
    region: NDArray[np.bool_] | None = None,
    target: str = "remapped",
) -> ScaledPair:
    """Put a pair on the scale of a network's input.

    Parameters
    ----------
    region : voxels that give the scale, as in `Predictor.predict`; all of them by default.
    target : `remapped`, on the scale of the source; `real`, the reference on a scale of its own
        (Bottani 2022 rescales each image by itself); or `unenhanced`, where the reference is both
        what is given and what is wanted.
    """
    looked_at = np.ones(pair.source.shape, dtype=bool) if region is None else region
    scale = normalisation.fit(pair.source[looked_at])
    if target == "remapped":
        return ScaledPair(scale.apply(pair.source), scale.apply(pair.target), pair.mask)
    reference = normalisation.fit(pair.reference[looked_at]).apply(pair.reference)
    source = reference if target == "unenhanced" else scale.apply(pair.source)
    return ScaledPair(source, reference, pair.mask)


def on_network_grid(pair: ScaledPair, grid: Grid) -> ScaledPair:
    """Bring a pair from the crop grid to the one a network works on, as `Predictor` does."""
    moved = to_network_grid(torch.from_numpy(pair.stack())[None], grid)[0].numpy()
    source = moved[0] if pair.source.ndim == 3 else moved[:-2]
    return ScaledPair(source, moved[-2], moved[-1] > 0.5)


def load_pair(path: Path) -> Pair:
    """Read a prepared pair and work out its target."""
    with np.load(path, allow_pickle=False) as arrays:
        source, reference = arrays["source"], arrays["reference"]
    mask = (source > 0) & (reference > 0)
    target = remove_enhancement(source, reference, mask)
    return Pair(path.stem, source, reference, target, mask)
