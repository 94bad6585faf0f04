"""Networks of a study: trained once, resumed, on nested shares, blind to what scores."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clinica_gado.errors import TrainingError
from clinica_gado.models.bundle import load_bundle
from clinica_gado.studies import networks
from clinica_gado.studies.networks import Network, nested_share, open_study, score_network
from clinica_gado.training.config import with_changes
from clinica_gado.training.crossvalidation import Split

pytest.importorskip("lightning_fabric")


def split_of(n_subjects):
    names = [Path(f"sub-{s:02}_ses-{v}.npz") for s in range(n_subjects) for v in range(2)]
    return Split(tuple(names), (Path("sub-99_ses-0.npz"),))


def test_shares_are_nested_whole_subjects_and_keep_what_scores():
    split = split_of(8)
    shares = [nested_share(split, share, seed=3) for share in (0.01, 0.25, 0.5, 0.75, 1.0)]
    assert [len(part.training) for part in shares] == [2, 4, 8, 12, 16]
    for smaller, larger in pairwise(shares):
        assert set(smaller.training) < set(larger.training)
    assert {part.validation for part in shares} == {split.validation}
    assert shares[-1] == split


def test_the_seed_decides_which_subjects_a_share_has():
    found = {nested_share(split_of(8), 0.5, seed).training for seed in range(5)}
    assert len(found) > 1


def test_a_network_is_scored_on_the_cases_of_each_fold_that_it_has_not_seen(request_of, cases):
    study = open_study(request_of())
    table = score_network(study, Network("all", study.config))
    assert sorted(table["case"]) == [file.stem for file in cases]
    assert set(table["network"]) == {"all"}
    assert set(table["subjects"]) == {2}
    for fold, rows in table.groupby("fold"):
        folder = networks.folder_of(study, Network("all", study.config), fold)
        told = load_bundle(folder).card.training_data
        assert told["complete"]
        assert told["steps_done"] == 2
        assert not set(told["real_pairs"]) & set(rows["case"])
        assert told["validation_pairs"] == []


def test_what_was_scored_is_not_trained_again(request_of, cases, monkeypatch):
    study = open_study(request_of())
    network = Network("all", study.config)
    first = score_network(study, network)

    def refuse(*_):
        raise AssertionError("it was trained again")

    monkeypatch.setattr(networks, "train_split", refuse)
    pd.testing.assert_frame_equal(score_network(open_study(request_of()), network), first)
    with pytest.raises(AssertionError, match="trained again"):
        score_network(open_study(request_of(overwrite=True)), network)


def test_a_study_goes_on_where_it_was_interrupted(request_of, cases, monkeypatch):
    study = open_study(request_of())
    network = Network("all", study.config)
    train, trained = networks.train_split, []

    def break_down(request, *rest):
        trained.append(request.output.name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(request, *rest)

    monkeypatch.setattr(networks, "train_split", break_down)
    with pytest.raises(KeyboardInterrupt):
        score_network(study, network)
    table = score_network(study, network)
    assert trained == ["fold-0", "fold-1", "fold-1"]
    assert len(table) == len(cases)


def test_a_folder_of_another_study_is_not_taken_for_this_one(request_of, cases):
    study = open_study(request_of())
    network = Network("all", study.config)
    score_network(study, network)
    other = replace(network, config=with_changes(study.config, {"seed": 5}))
    with pytest.raises(TrainingError, match=r"another study \(config\.seed\)"):
        score_network(study, other)
    chosen = replace(study.request.training, assume_plain=True)
    study = replace(study, request=replace(study.request, training=chosen))
    with pytest.raises(TrainingError, match=r"another study \(assume_plain\)"):
        score_network(study, network)


def test_scores_from_before_lesions_were_labelled_are_not_taken_for_those_with_them(
    request_of, cases
):
    study = open_study(request_of())
    network = Network("all", study.config)
    score_network(study, network)
    with np.load(cases[0]) as arrays:
        labelled = {**arrays, "labels": np.array("of a label map")}
    np.savez(cases[0], **labelled)
    with pytest.raises(TrainingError, match=r"another study \(lesion_labels.*overwrite"):
        score_network(open_study(request_of()), network)
