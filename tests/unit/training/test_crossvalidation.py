"""A subject is learned from or judged by, never both."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinica_gado.errors import TrainingError
from clinica_gado.training.crossvalidation import hold_out, split_folds, subject_of

FILES = [Path(f"sub-{s:02}_ses-M{m:03}.npz") for s in range(7) for m in (0, 12)]


def test_each_subject_judges_once_and_never_in_a_fold_that_learned_from_it():
    splits = split_folds(FILES, 3, seed=0)
    judged = [file for split in splits for file in split.validation]
    assert sorted(judged) == FILES
    for split in splits:
        assert sorted((*split.training, *split.validation)) == FILES
        assert not {*map(subject_of, split.training)} & {*map(subject_of, split.validation)}
        assert len(split.validation) in (4, 6)


def test_the_seed_decides_the_folds():
    assert split_folds(FILES, 3, seed=0) == split_folds(FILES, 3, seed=0)
    assert split_folds(FILES, 3, seed=0) != split_folds(FILES, 3, seed=1)


def test_fewer_subjects_than_folds_cannot_be():
    with pytest.raises(TrainingError, match="there are 7"):
        split_folds(FILES, 8, seed=0)


def test_every_visit_of_a_held_out_subject_is_held_out():
    split = hold_out(FILES, {"sub-03"})
    assert [file.stem for file in split.validation] == ["sub-03_ses-M000", "sub-03_ses-M012"]
    assert len(split.training) == 12
