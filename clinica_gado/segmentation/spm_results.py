"""What SPM's unified segmentation left beside an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from clinica_gado.segmentation.maps import read_probabilities
from clinica_gado.segmentation.segmenter import TissueMaps
from clinica_gado.segmentation.volumes import THRESHOLD


def read_maps(image: Path, shape: tuple[int, ...]) -> TissueMaps | None:
    """Read the maps of an image, cropped to its shape before padding.

    Returns
    -------
    None where the estimation degenerated: SPM then says nothing and writes maps all the same.
    """
    region = tuple(slice(size) for size in shape)
    files = [image.with_name(f"c{number}{image.name}") for number in (1, 2, 3)]
    if not all(path.is_file() for path in files):
        return None
    maps = TissueMaps(*(read_probabilities(path)[region] for path in files))
    empty = any((tissue > THRESHOLD).sum() == 0 for tissue in vars(maps).values())
    return None if empty or np.isnan(_log_likelihood(image)) else maps


def _log_likelihood(image: Path) -> float:
    """Return that of SPM's last iteration; 0 where SPM's file does not say."""
    try:
        with image.with_name(f"{image.stem}_seg8.mat").open("rb") as stream:
            return float(loadmat(stream)["ll"].squeeze())
    except (OSError, KeyError, ValueError, NotImplementedError):
        return 0.0


def remove_results(image: Path) -> None:
    """Remove an image and all that SPM wrote for it."""
    for path in image.parent.glob(f"*{image.stem}*"):
        path.unlink()
