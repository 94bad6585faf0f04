"""From visits or heads to a bundle that adds contrast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from clinica_gado.bids import parse_input_filters
from clinica_gado.errors import SelectionError, TrainingError
from clinica_gado.inference import Predictor
from clinica_gado.inference.normalisation import training_range
from clinica_gado.models.bundle import load_bundle
from clinica_gado.training import heads, run
from clinica_gado.training.blueprint import TARGETS
from clinica_gado.training.cases import load_case
from clinica_gado.training.config import with_changes
from clinica_gado.training.crossvalidation import Split
from clinica_gado.training.pairs import ScaledPair
from clinica_gado.training.run import train_bundle


def test_several_inputs_make_a_bundle_that_adds_contrast(request_of, adding, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    source = rng.uniform(0.3, 0.7, (3, 12, 12, 12)).astype(np.float32)
    pair = ScaledPair(source, source[0] + 0.2, np.ones((12, 12, 12), dtype=bool))
    monkeypatch.setattr(heads, "_simulate_whole", lambda blueprint, label_map, seed: pair)
    config = with_changes(adding, {"simulated_share": 1.0})
    bundle = train_bundle(request_of(config=config, label_maps=(tmp_path / "head.nii.gz",)))
    card = bundle.card
    assert card.task == "t1-virtual-enhance"
    assert [item.name for item in card.inputs] == ["T1w", "T2w", "FLAIR"]
    assert card.architecture["in_channels"] == 3
    assert card.training_data["real_pairs"] == []
    assert card.training_data["complete"]


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({}, {"label_maps": ()}, "no visit with T1w, T2w, FLAIR and T1w-ce"),
        ({}, {"pairs_tsv": Path("given")}, "leave --pairs-tsv out"),
        ({"inputs": "T2w,T1w"}, {}, "first input"),
        ({"inputs": "T1w,T1w-ce"}, {}, "T1w-ce cannot be simulated"),
    ],
)
def test_what_cannot_be_learned_of_contrast_is_refused(
    request_of, adding, tmp_path, monkeypatch, settings, options, message
):
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: [])
    given = {"label_maps": (tmp_path / "head.nii.gz",), **options}
    with pytest.raises(TrainingError, match=message):
        train_bundle(request_of(config=with_changes(adding, settings), **given))


@pytest.mark.parametrize("target", ["enhanced", "added"])
def test_real_visits_teach_to_add_contrast_and_images_may_be_missing(
    request_of, adding, cases, target
):
    config = with_changes(adding, {"patch_size": 8, "missing_share": 0.25, "target": target})
    card = train_bundle(request_of(config=config)).card
    assert card.task == "t1-virtual-enhance"
    assert card.training_data["target"] == TARGETS[target]
    assert card.training_data["real_pairs"] == ["sub-0_ses-M000", "sub-1_ses-M000"]
    assert [item.may_be_missing for item in card.inputs] == [False, True, True]
    assert "gain_on_change" not in card.training_data


FILTERED = {"input_filter": ("FLAIR:acq=3d",), "assume_plain": True}


def test_the_images_taken_of_a_visit_are_those_that_the_user_says(
    request_of, adding, cases, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(run, "select_cases", lambda bids, request, **_: asked.append(request) or [])
    caches = []
    monkeypatch.setattr(run, "prepare_cases", lambda j, cache, s: caches.append(cache) or cases)
    run.prepare(request_of(config=adding))
    run.prepare(request_of(config=adding, **FILTERED))
    plain, filtered = asked
    assert (dict(plain.filters), plain.assume_plain) == ({}, False)
    assert filtered.filters == parse_input_filters(["FLAIR:acq=3d"])
    assert filtered.assume_plain
    assert caches[0] == tmp_path
    assert caches[1].parent == tmp_path


def test_visits_are_prepared_with_the_lesions_that_the_user_names(
    request_of, adding, cases, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(
        run, "prepare_cases", lambda j, c, settings: asked.append(settings) or cases
    )
    run.prepare(request_of(config=adding))
    run.prepare(request_of(config=adding, lesions=tmp_path, enhancing_labels=(1,)))
    found = [(settings.lesions, settings.enhancing_labels) for settings in asked]
    assert found == [(None, (3, 4)), (tmp_path, (1,))]


def test_a_run_is_not_gone_on_with_on_images_chosen_in_another_way(request_of, adding, cases):
    config = with_changes(adding, {"missing_share": 0.25})
    train_bundle(request_of(config=config, **FILTERED))
    card = train_bundle(request_of(config=config, **FILTERED)).card
    assert card.training_data["input_filter"] == ["FLAIR:acq=3d"]
    with pytest.raises(TrainingError, match=r"data\.assume_plain, data\.input_filter"):
        train_bundle(request_of(config=config))


def test_a_filter_is_read_before_any_work(request_of, adding):
    with pytest.raises(SelectionError, match="cannot read 'acq=3d'"):
        run.check_task(request_of(config=adding, input_filter=("acq=3d",)))
    with pytest.raises(TrainingError, match="to remove contrast leave them out"):
        run.check_task(request_of(assume_plain=True))
    with pytest.raises(TrainingError, match="go through the standard route"):
        run.check_task(request_of(preprocessing="fast"))


@pytest.mark.parametrize(
    ("judges", "calibrate", "chosen_by"),
    [(True, "yes", ["sub-1_ses-M000"]), (True, "no", None), (False, "yes", None)],
)
def test_the_strength_of_an_added_change_is_chosen_by_the_cases_that_judge(
    request_of, adding, cases, monkeypatch, judges, calibrate, chosen_by
):
    learned, judge = cases
    split = Split((learned,), (judge,) if judges else ())
    monkeypatch.setattr(run, "make_splits", lambda request, files: [split])
    changes = {"missing_share": 0.25, "calibrate": calibrate, "target": "enhanced"}
    asked = []

    def best_gain(predictor, trials, weight, *, gains, agent_in):
        asked.extend(trials)
        assert (min(gains), max(gains), agent_in) == (0.25, 2, "target")
        return 0.5

    monkeypatch.setattr(run, "best_gain", best_gain)
    bundle = train_bundle(request_of(config=with_changes(adding, changes)))
    told = bundle.card.training_data
    assert told.get("gain_chosen_by") == chosen_by
    assert told.get("gain_on_change") == (0.5 if chosen_by else None)
    assert [trial.name for trial in asked] == (chosen_by or [])
    for trial in asked:
        medians = [np.median(image[trial.mask]) for image in (trial.first, trial.wanted)]
        assert medians[0] == pytest.approx(medians[1])
    if chosen_by:
        latest = load_bundle(bundle.folder / "training" / "latest").load_network().state_dict()
        kept = bundle.load_network().state_dict()
        assert torch.allclose(kept["head.weight"], 0.5 * latest["head.weight"])


def test_z_scores_have_the_range_of_each_image_of_the_training_set(request_of, adding, cases):
    config = with_changes(
        adding, {"normalisation": "zscore", "output_mode": "image", "missing_share": 0.25}
    )
    card = train_bundle(request_of(config=config)).card
    inputs = {item.name: dict(item.normalisation) for item in card.inputs}
    values = load_case(cases[0]).images["FLAIR"][load_case(cases[0]).brain]
    z_scores = (values - values.mean()) / values.std()
    assert inputs["FLAIR"]["low"] == pytest.approx(np.percentile(z_scores, 1), abs=0.02)
    assert inputs["T1w"] != inputs["FLAIR"]
    assert card.normalisation["rule"] == "zscore"


def test_cases_that_judge_have_no_part_in_the_range(request_of, adding, cases, monkeypatch):
    learned, judge = cases
    monkeypatch.setattr(run, "make_splits", lambda request, files: [Split((learned,), (judge,))])
    changes = {"normalisation": "zscore", "output_mode": "image", "missing_share": 0.25}
    card = train_bundle(request_of(config=with_changes(adding, changes))).card
    values = load_case(learned).images["T2w"][load_case(learned).brain]
    alone = training_range([values])
    (found,) = [item.normalisation for item in card.inputs if item.name == "T2w"]
    assert (found["low"], found["high"]) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize(
    ("simulated_share", "validation_tsv", "tables"),
    [
        (0.5, None, ["learn"]),
        (0.5, Path("judge"), ["learn", "judge"]),
        (1.0, None, []),
        (1.0, Path("judge"), ["judge"]),
    ],
)
def test_visits_are_prepared_only_where_they_teach_or_judge(
    request_of, adding, tmp_path, monkeypatch, simulated_share, validation_tsv, tables
):
    asked: list[str] = []

    def select(*_, visits_tsv, **__):
        asked.append(visits_tsv.name)
        return []

    monkeypatch.setattr(run, "select_cases", select)
    run.prepare(
        request_of(
            config=with_changes(adding, {"simulated_share": simulated_share}),
            label_maps=(tmp_path / "head.nii.gz",),
            visits_tsv=Path("learn"),
            validation_tsv=validation_tsv,
        )
    )
    assert asked == tables


def test_a_bundle_of_other_inputs_is_not_begun_with(request_of, adding, tmp_path, monkeypatch):
    first = train_bundle(request_of())
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: [])
    given = {"label_maps": (tmp_path / "head.nii.gz",), "start_from": str(first.folder)}
    with pytest.raises(TrainingError, match="takes T1w-ce"):
        train_bundle(request_of(config=adding, output=tmp_path / "second", **given))


def test_without_visits_folds_are_of_heads_and_make_an_ensemble_of_forty_runs(
    request_of, adding, head_files, cases
):
    bundle = train_bundle(request_of(config=adding, label_maps=head_files, folds=5))
    folds = bundle.card.training_data["folds"]
    judged = [fold["validation_pairs"] for fold in folds]
    assert sorted(judged) == [[f"0{number}_draw-0"] for number in range(5)]
    for fold, (judge,) in zip(folds, judged, strict=True):
        others = [path.name for path in head_files if path.name[5:7] != judge[:2]]
        assert fold["simulated_heads"] == others
    case = load_case(cases[0])
    predicted = Predictor(bundle, device="cpu", flips="all").predict(case.images)
    assert predicted.n_runs == 40


def test_fewer_heads_than_folds_cannot_be(request_of, adding, head_files):
    with pytest.raises(TrainingError, match="there are 5"):
        train_bundle(request_of(config=adding, label_maps=head_files, folds=6))
