"""From prepared pairs to a bundle with its card: alone, by folds, resumed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from clinica_gado.errors import BundleError, TrainingError
from clinica_gado.models.bundle import load_bundle, save_bundle
from clinica_gado.training import run
from clinica_gado.training.config import TrainingConfig, with_changes
from clinica_gado.training.presets import PRESETS
from clinica_gado.training.run import count_steps, train_bundle


def validate_first(tmp_path):
    (tmp_path / "dataset_description.json").write_text(
        json.dumps({"Name": "x", "BIDSVersion": "1.9.0", "DatasetType": "raw"}), encoding="utf-8"
    )
    (tmp_path / "sub-00" / "ses-M000" / "anat").mkdir(parents=True)
    table = tmp_path / "validation.tsv"
    table.write_text("participant_id\tsession_id\nsub-00\tses-M000\n", encoding="utf-8")
    return table


def test_the_card_says_what_was_learned_from_and_how(request_of):
    bundle = train_bundle(request_of())
    told = bundle.card.training_data
    assert told["real_pairs"] == [f"sub-{index:02}_ses-M000" for index in range(4)]
    assert told["configuration"]["optimisation"]["steps"] == told["steps_done"] == 4
    assert told["configuration"]["seed"] == 0
    assert told["gain_on_change"] == 1.5
    assert bundle.card.metrics == ()
    config = json.loads((bundle.folder / "training" / "config.json").read_text(encoding="utf-8"))
    assert config == told["configuration"]


def test_the_best_weights_by_validation_are_kept_not_the_last(request_of, tmp_path):
    bundle = train_bundle(request_of(validation_tsv=validate_first(tmp_path)))
    told = bundle.card.training_data
    assert told["steps_done"] == 2
    assert told["validation"]["value"] == 3.0
    assert told["validation"]["cases"] == {"sub-00_ses-M000": 3.0}
    assert "sub-00_ses-M000" not in told["real_pairs"]
    assert load_bundle(bundle.folder / "training" / "latest").sha256 != bundle.sha256


def test_a_score_that_is_no_number_is_worse_than_any(request_of, tmp_path, monkeypatch):
    scores = iter([float("nan"), 2.0])
    monkeypatch.setattr(
        run.Keeper, "score", lambda keeper, _: dict.fromkeys(map(str, keeper.files), next(scores))
    )
    bundle = train_bundle(request_of(validation_tsv=validate_first(tmp_path)))
    assert bundle.card.training_data["validation"]["value"] == 2.0


def test_a_run_that_is_complete_is_not_touched_again(request_of):
    first = train_bundle(request_of())
    again = train_bundle(request_of())
    assert first.sha256 == again.sha256
    assert again.card.training_data["gain_on_change"] == 1.5


def test_overwrite_begins_anew(request_of, removing):
    train_bundle(request_of())
    other = with_changes(removing, {"seed": 1})
    with pytest.raises(TrainingError, match="seed"):
        train_bundle(request_of(config=other))
    bundle = train_bundle(request_of(config=other, overwrite=True))
    assert bundle.card.training_data["configuration"]["seed"] == 1


def test_folds_can_be_done_one_by_one_and_make_one_bundle(request_of):
    assert train_bundle(request_of(folds=2, fold=1)) is None
    bundle = train_bundle(request_of(folds=2))
    assert len(bundle.weight_files) == 2
    folds = bundle.card.training_data["folds"]
    validated = [name for fold in folds for name in fold["validation_pairs"]]
    assert sorted(validated) == [f"sub-{index:02}_ses-M000" for index in range(4)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 2, "validation_tsv": Path("judge.tsv")}, "leave out --folds or --validation"),
        ({"fold": 0}, "give --folds too"),
        ({"folds": 2, "fold": 2}, "give 0 to 1"),
        ({"folds": 101}, "give --folds 1 to 100"),
        ({"folds": 0}, "give --folds 1 to 100"),
    ],
)
def test_ways_to_split_that_contradict_each_other_are_refused_before_any_work(
    request_of, monkeypatch, options, message
):
    monkeypatch.setattr(run, "prepare", None)
    with pytest.raises(TrainingError, match=message):
        train_bundle(request_of(**options))


def test_a_bundle_can_be_begun_with(request_of, tmp_path):
    first = train_bundle(request_of())
    second = train_bundle(request_of(output=tmp_path / "second", start_from=str(first.folder)))
    origin = {"id": first.card.id, "sha256": first.sha256}
    assert second.card.training_data["started_from"] == origin
    assert second.card.architecture == first.card.architecture
    assert second.sha256 != first.sha256


def test_the_card_states_the_network_of_the_bundle_begun_with(request_of, removing, tmp_path):
    first = train_bundle(request_of())
    config = with_changes(removing, {"architecture": "residual_unet", "width": 64})
    second = train_bundle(
        request_of(config=config, output=tmp_path / "second", start_from=str(first.folder))
    )
    told = second.card.training_data["configuration"]
    assert told["network"] == first.card.training_data["configuration"]["network"]
    assert told["optimisation"] == asdict(config.optimisation)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("resunet-image-128-w8-v1", "the grid mni-128 takes whole images"),
        ("attunet-change-1mm-w16-v7", "patch_size is 8; it must be a multiple of 16"),
    ],
)
def test_settings_are_held_against_the_network_of_the_bundle_before_any_work(
    request_of, monkeypatch, model, message
):
    monkeypatch.setattr(run, "prepare", None)
    with pytest.raises(TrainingError, match=message):
        train_bundle(request_of(start_from=model))


def test_the_change_is_calibrated_on_the_device_of_the_run(request_of, monkeypatch):
    asked = []
    predictor = run.Predictor
    monkeypatch.setattr(
        run, "Predictor", lambda bundle, **options: asked.append(options) or predictor(bundle)
    )
    train_bundle(request_of())
    assert asked == [{"device": "cpu"}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": 7}, "patch_size is 7; it must be a multiple of 2"),
        ({"ssim": 0.1}, "SSIM needs 11 voxels a side, the network sees 8"),
        (
            {"architecture": "unet", "patch_size": 0, "ssim": 0.1, "ssim_window": "uniform"},
            "SSIM needs 7 voxels a side, the network sees 3 at a time: set ssim_window to slices",
        ),
        ({"fine_tuning_share": 0.1}, "SSIM needs 11 voxels a side"),
    ],
)
def test_patches_that_the_network_or_the_ssim_cannot_take_are_refused_before_any_work(
    request_of, removing, monkeypatch, changes, message
):
    monkeypatch.setattr(run, "prepare", None)
    with pytest.raises(TrainingError, match=message):
        train_bundle(request_of(config=with_changes(removing, changes)))


def test_the_change_rules_of_the_bundle_begun_with_stay(request_of, tmp_path):
    first = train_bundle(request_of())
    gate = {"threshold": 0.04, "width": 0.008, "smoothing_voxels": 1.5}
    card = replace(first.card, change_rules={"darkening_gate": gate})
    save_bundle(first.folder, card, [first.load_network().state_dict()])
    second = train_bundle(request_of(output=tmp_path / "second", start_from=str(first.folder)))
    assert second.card.change_rules == {"darkening_gate": gate}


def test_images_without_contrast_are_learned_from_with_the_remapped_target_alone(
    request_of, removing
):
    split = run.Split((Path("a.npz"), Path("b.npz")), ())
    counts = {}
    for target in ("remapped", "real"):
        config = with_changes(removing, {"target": target})
        found = run.real_pairs(split, config, run.blueprint_of(config))
        counts[target] = [len(pairs) for pairs in found]
    assert counts == {"remapped": [2, 2], "real": [2, 0]}


def test_pairs_that_cannot_be_prepared_are_refused_before_any_work(request_of, removing):
    config = with_changes(removing, {"inputs": "T1w-ce,FLAIR", "enhancement_weight": 1})
    with pytest.raises(TrainingError, match="To remove contrast a network learns from pairs"):
        train_bundle(request_of(config=config))


def test_heads_alone_are_split_for_a_network_that_removes_contrast_too(
    request_of, head_files, monkeypatch
):
    monkeypatch.setattr(run, "_prepare_pairs", lambda request, table: [])
    splits = run.make_splits(request_of(label_maps=head_files, folds=2), [])
    assert [(split.training, split.validation) for split in splits] == [((), ())] * 2
    assert sorted(len(split.label_maps) for split in splits) == [2, 3]


def test_epochs_are_passes_over_the_pairs_whatever_the_number_of_devices():
    config = PRESETS["bottani-2022-attunet"]
    assert count_steps(config, 230, world=1) == 300 * 115
    assert count_steps(config, 230, world=5) == 300 * 23
    assert count_steps(TrainingConfig(), 230, world=1) == TrainingConfig().optimisation.steps


@pytest.mark.parametrize(("name", "text"), [("model_id", "a/b"), ("licence", " ")])
def test_a_card_that_could_not_be_written_is_refused_before_any_work(request_of, name, text):
    with pytest.raises(BundleError, match=r"the card.s (id|licence)"):
        train_bundle(replace(request_of(), **{name: text}))
