"""Pairs of one head with and without contrast, and what a network is to learn of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from clinica_gado.errors import InputImageError, RegistrationError
from clinica_gado.files import atomic_path
from clinica_gado.preprocessing.grids import MNI_GRID
from clinica_gado.preprocessing.images import Volume, read_volume
from clinica_gado.preprocessing.intensity import match_intensity
from clinica_gado.preprocessing.linear import correct_bias, crop, resample_to_grid, run_linear
from clinica_gado.preprocessing.templates import is_brain_only, load_template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from clinica_gado.bids import Job
    from clinica_gado.inference.normalisation import Normalisation

logger = logging.getLogger(__name__)

ENHANCEMENT_SD = 2.5
"""A voxel enhances when it is brighter than its match by more robust standard deviations."""
EDGE_SD = 1.0
"""A neighbour of an enhancing voxel shares its contrast agent by partial volume from here on."""
MIN_ENHANCING_VOXELS = 8
"""Smaller isolated groups of bright voxels are noise, not vessels."""
_MAD_TO_SD = 1.4826


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


def prepare_pairs(jobs: Iterable[Job], cache: Path) -> list[Path]:
    """Bring every pair acquired on one grid to the template; return the files, made if absent."""
    prepared = []
    for job in jobs:
        if job.reference is None:
            continue
        path = cache / f"{job.visit.participant_id}_{job.visit.session_id}.npz"
        try:
            if path.is_file() or _prepare(job.source, job.reference, path):
                prepared.append(path)
        except (InputImageError, RegistrationError) as error:
            logger.warning("%s; this pair is left out.", error)
    return prepared


def _prepare(source_path: Path, reference_path: Path, path: Path) -> bool:
    source, reference = read_volume(source_path), read_volume(reference_path)
    same_grid = source.data.shape == reference.data.shape and np.allclose(
        source.affine, reference.affine, atol=1e-3
    )
    if not same_grid:
        logger.warning("%s and its reference are on different grids; left out.", source_path.name)
        return False
    template = load_template("brain" if is_brain_only(source) else "head")
    linear = run_linear(source, template.volume)
    corrected = Volume(correct_bias(reference).data, source.affine)
    moved = crop(resample_to_grid(corrected, MNI_GRID, linear.mni_to_native))
    with atomic_path(path) as partial:
        np.savez_compressed(partial, source=linear.cropped.data, reference=moved.data)
    return True


@dataclass(frozen=True)
class ScaledPair:
    """A pair on the intensity scale of a network's input; attributes as those of `Pair`."""

    source: NDArray[np.float32]
    target: NDArray[np.float32]
    mask: NDArray[np.bool_]


def scale_pair(pair: Pair, normalisation: Normalisation) -> ScaledPair:
    """Put a pair on the scale that its source gives."""
    scale = normalisation.fit(pair.source)
    return ScaledPair(scale.apply(pair.source), scale.apply(pair.target), pair.mask)


def load_pair(path: Path) -> Pair:
    """Read a prepared pair and work out its target."""
    with np.load(path, allow_pickle=False) as arrays:
        source, reference = arrays["source"], arrays["reference"]
    mask = (source > 0) & (reference > 0)
    target = remove_enhancement(source, reference, mask)
    return Pair(path.stem, source, reference, target, mask)


def remove_enhancement(
    source: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Take the contrast agent, and nothing else, out of `source`.

    The real non-enhanced image often comes from another sequence, with other slices and noise; a
    network trained to hit it learns that style. Here the reference is first given the intensities
    of the source (`match_intensity`); where the source is then brighter than it by more than the
    spread of the match, it takes the matched value, elsewhere it stays as it is.
    """
    matched = match_intensity(reference, source, mask)
    excess = source - matched
    centre = float(np.median(excess[mask]))
    spread = _MAD_TO_SD * float(np.median(np.abs(excess[mask] - centre)))
    enhancing = mask & (excess > ENHANCEMENT_SD * spread)
    groups, n_groups = ndimage.label(enhancing, structure=np.ones((3, 3, 3)))
    sizes = ndimage.sum_labels(enhancing, groups, np.arange(n_groups + 1))
    enhancing &= sizes[groups] >= MIN_ENHANCING_VOXELS
    edge = ndimage.binary_dilation(enhancing) & mask & (excess > EDGE_SD * spread)
    return np.where(enhancing | edge, matched, source).astype(np.float32)
