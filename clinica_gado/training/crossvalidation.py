"""Which pairs are learned from and which judge: split by subject, never by visit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clinica_gado.errors import TrainingError


@dataclass(frozen=True)
class Split:
    """Prepared pairs to learn from, and pairs of other subjects to judge by.

    Attributes
    ----------
    label_maps : heads to simulate on while learning; all that there are when None.
    """

    training: tuple[Path, ...]
    validation: tuple[Path, ...]
    label_maps: tuple[Path, ...] | None = None


def subject_of(file: Path) -> str:
    """Return the subject of a prepared pair, from its name `sub-X_ses-Y.npz`."""
    return subject_of_name(file.stem)


def subject_of_name(name: str) -> str:
    """Return the subject of a case, from its name `sub-X_ses-Y`."""
    return name.split("_", maxsplit=1)[0]


def hold_out(files: Sequence[Path], subjects: Collection[str]) -> Split:
    """Keep all visits of some subjects for validation."""
    return Split(
        training=tuple(file for file in files if subject_of(file) not in subjects),
        validation=tuple(file for file in files if subject_of(file) in subjects),
    )


def split_folds(files: Sequence[Path], n_folds: int, seed: int) -> list[Split]:
    """Share the subjects out to folds of nearly equal size; each judges once.

    Raises
    ------
    TrainingError
        There are fewer subjects, or label maps, than folds.
    """
    subjects = sorted({subject_of(file) for file in files})
    if len(subjects) < n_folds:
        raise TrainingError(
            f"{n_folds} folds need as many subjects with a pair, or, without any, as many label "
            f"maps; there are {len(subjects)}."
        )
    order = np.random.default_rng(seed).permutation(len(subjects))
    shares = [{subjects[i] for i in order[fold::n_folds]} for fold in range(n_folds)]
    return [hold_out(files, share) for share in shares]
