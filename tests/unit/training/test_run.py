"""From prepared pairs to a bundle with its card: alone, by folds, resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clinica_gado.bids import parse_input_filters
from clinica_gado.errors import SelectionError, TrainingError
from clinica_gado.inference import Predictor
from clinica_gado.inference.normalisation import training_range
from clinica_gado.models.bundle import load_bundle, save_bundle
from clinica_gado.training import heads, run
from clinica_gado.training.blueprint import TARGETS
from clinica_gado.training.cases import load_case
from clinica_gado.training.config import TrainingConfig, with_changes
from clinica_gado.training.crossvalidation import Split
from clinica_gado.training.devices import Devices
from clinica_gado.training.pairs import ScaledPair
from clinica_gado.training.presets import PRESETS
from clinica_gado.training.request import TrainingRequest
from clinica_gado.training.run import count_steps, train_bundle

pytest.importorskip("lightning_fabric")

CONFIG = with_changes(
    TrainingConfig(),
    {
        **{"width": 2, "levels": 2, "patch_size": 8, "steps": 4, "validate_every": 2},
        **{"augmentation": "none", "precision": "fp32", "learning_rate": 0.01},
    },
)


class Score:
    """Stands in for the measure on whole images: the weights of later steps are worse."""

    def __init__(self):
        self.scores = iter([3.0, 2.0, 1.0] * 10)

    def __call__(self, keeper, predictor):
        score = next(self.scores)
        return {file.stem: score for file in keeper.files}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Take images of a few voxels for prepared pairs, and scores that are known."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    target = rng.uniform(0.3, 0.7, (12, 12, 12)).astype(np.float32)
    source = target.copy()
    source[4:8, 4:8, 4:8] += 0.5
    pair = ScaledPair(source, target, np.ones(source.shape, dtype=bool))
    score = Score()
    monkeypatch.setattr(run, "scaled_pairs", lambda files, *_: [pair for _ in files])
    monkeypatch.setattr(run.Keeper, "score", lambda keeper, predictor: score(keeper, predictor))
    monkeypatch.setattr(run, "best_gain", lambda *_, **__: 1.5)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def request_of(tmp_path, monkeypatch):
    files = [tmp_path / f"sub-{index:02}_ses-M000.npz" for index in range(4)]
    monkeypatch.setattr(run, "_prepare_pairs", lambda request, table: files)

    def make(**changes):
        given = {"config": CONFIG, "devices": Devices("cpu"), "model_id": "tiny", "licence": "none"}
        paths = {"bids": tmp_path, "output": tmp_path / "out", "cache": tmp_path}
        return TrainingRequest(**{**given, **paths, **changes})

    return make


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


def test_a_run_that_is_complete_is_not_touched_again(request_of):
    first = train_bundle(request_of())
    again = train_bundle(request_of())
    assert first.sha256 == again.sha256
    assert again.card.training_data["gain_on_change"] == 1.5


def test_overwrite_begins_anew(request_of):
    train_bundle(request_of())
    other = with_changes(CONFIG, {"seed": 1})
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
    with pytest.raises(TrainingError, match="0 to 1"):
        train_bundle(request_of(folds=2, fold=2))


def test_a_bundle_can_be_begun_with(request_of, tmp_path):
    first = train_bundle(request_of())
    second = train_bundle(request_of(output=tmp_path / "second", start_from=str(first.folder)))
    origin = {"id": first.card.id, "sha256": first.sha256}
    assert second.card.training_data["started_from"] == origin
    assert second.card.architecture == first.card.architecture
    assert second.sha256 != first.sha256


def test_the_gate_of_the_bundle_begun_with_stays(request_of, tmp_path):
    first = train_bundle(request_of())
    gate = {"threshold": 0.04, "width": 0.008, "smoothing_voxels": 1.5}
    card = replace(first.card, darkening_gate=gate)
    save_bundle(first.folder, card, [first.load_network().state_dict()])
    second = train_bundle(request_of(output=tmp_path / "second", start_from=str(first.folder)))
    assert second.card.darkening_gate == gate


def test_images_without_contrast_are_learned_from_with_the_remapped_target_alone(request_of):
    split = run.Split((Path("a.npz"), Path("b.npz")), ())
    counts = {}
    for target in ("remapped", "real"):
        config = with_changes(CONFIG, {"target": target})
        found = run.real_pairs(split, config, run.blueprint_of(config))
        counts[target] = [len(pairs) for pairs in found]
    assert counts == {"remapped": [2, 2], "real": [2, 0]}


def test_pairs_that_cannot_be_prepared_are_refused_before_any_work(request_of):
    changes = {"inputs": "T1w-ce,FLAIR"}
    with pytest.raises(TrainingError, match="To remove contrast a network learns from pairs"):
        train_bundle(request_of(config=with_changes(CONFIG, {**changes, "enhancement_weight": 1})))


ENHANCED = with_changes(
    CONFIG, {"inputs": "T1w,T2w,FLAIR", "target": "enhanced", "patch_size": 0, "steps": 2}
)


def test_several_inputs_make_a_bundle_that_adds_contrast(request_of, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    source = rng.uniform(0.3, 0.7, (3, 12, 12, 12)).astype(np.float32)
    pair = ScaledPair(source, source[0] + 0.2, np.ones((12, 12, 12), dtype=bool))
    monkeypatch.setattr(heads, "_simulate_whole", lambda blueprint, label_map, seed: pair)
    config = with_changes(ENHANCED, {"simulated_share": 1.0})
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
    request_of, tmp_path, monkeypatch, settings, options, message
):
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: [])
    given = {"label_maps": (tmp_path / "head.nii.gz",), **options}
    with pytest.raises(TrainingError, match=message):
        train_bundle(request_of(config=with_changes(ENHANCED, settings), **given))


@pytest.fixture
def cases(tmp_path, monkeypatch):
    """Return prepared cases of two visits, the second without FLAIR, in place of those of BIDS."""
    rng = np.random.default_rng(2)
    files = []
    for number, names in enumerate((("T1w", "T2w", "FLAIR"), ("T1w", "T2w"))):
        images = {name: rng.uniform(1, 3, (12, 12, 12)).astype(np.float32) for name in names}
        files.append(tmp_path / f"sub-{number}_ses-M000.npz")
        brain = np.zeros((12, 12, 12), dtype=bool)
        brain[2:10, 2:10, 2:10] = True
        np.savez(files[-1], enhanced=2 * images["T1w"], brain=brain, **images)
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: ["jobs"])
    monkeypatch.setattr(run, "prepare_cases", lambda jobs, cache, settings: files)
    return files


@pytest.mark.parametrize("target", ["enhanced", "added"])
def test_real_visits_teach_to_add_contrast_and_images_may_be_missing(request_of, cases, target):
    config = with_changes(ENHANCED, {"patch_size": 8, "missing_share": 0.25, "target": target})
    card = train_bundle(request_of(config=config)).card
    assert card.task == "t1-virtual-enhance"
    assert card.training_data["target"] == TARGETS[target]
    assert card.training_data["real_pairs"] == ["sub-0_ses-M000", "sub-1_ses-M000"]
    assert [item.may_be_missing for item in card.inputs] == [False, True, True]
    assert "gain_on_change" not in card.training_data


FILTERED = {"input_filter": ("FLAIR:acq=3d",), "assume_plain": True}


def test_the_images_taken_of_a_visit_are_those_that_the_user_says(
    request_of, cases, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(run, "select_cases", lambda bids, request, **_: asked.append(request) or [])
    caches = []
    monkeypatch.setattr(run, "prepare_cases", lambda j, cache, s: caches.append(cache) or cases)
    run.prepare(request_of(config=ENHANCED))
    run.prepare(request_of(config=ENHANCED, **FILTERED))
    plain, filtered = asked
    assert (dict(plain.filters), plain.assume_plain) == ({}, False)
    assert filtered.filters == parse_input_filters(["FLAIR:acq=3d"])
    assert filtered.assume_plain
    assert caches[0] == tmp_path
    assert caches[1].parent == tmp_path


def test_a_run_is_not_gone_on_with_on_images_chosen_in_another_way(request_of, cases):
    config = with_changes(ENHANCED, {"missing_share": 0.25})
    train_bundle(request_of(config=config, **FILTERED))
    card = train_bundle(request_of(config=config, **FILTERED)).card
    assert card.training_data["input_filter"] == ["FLAIR:acq=3d"]
    with pytest.raises(TrainingError, match=r"data\.assume_plain, data\.input_filter"):
        train_bundle(request_of(config=config))


def test_a_filter_is_read_before_any_work(request_of):
    with pytest.raises(SelectionError, match="cannot read 'acq=3d'"):
        run.check_task(request_of(config=ENHANCED, input_filter=("acq=3d",)))
    with pytest.raises(TrainingError, match="to remove contrast leave them out"):
        run.check_task(request_of(assume_plain=True))
    with pytest.raises(TrainingError, match="go through the standard route"):
        run.check_task(request_of(preprocessing="fast"))


@pytest.mark.parametrize(
    ("judges", "calibrate", "chosen_by"),
    [(True, "yes", ["sub-1_ses-M000"]), (True, "no", None), (False, "yes", None)],
)
def test_the_strength_of_an_added_change_is_chosen_by_the_cases_that_judge(
    request_of, cases, monkeypatch, judges, calibrate, chosen_by
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
    bundle = train_bundle(request_of(config=with_changes(ENHANCED, changes)))
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


def test_z_scores_have_the_range_of_each_image_of_the_training_set(request_of, cases):
    config = with_changes(
        ENHANCED, {"normalisation": "zscore", "output_mode": "image", "missing_share": 0.25}
    )
    card = train_bundle(request_of(config=config)).card
    inputs = {item.name: dict(item.normalisation) for item in card.inputs}
    values = load_case(cases[0]).images["FLAIR"][load_case(cases[0]).brain]
    z_scores = (values - values.mean()) / values.std()
    assert inputs["FLAIR"]["low"] == pytest.approx(np.percentile(z_scores, 1), abs=0.02)
    assert inputs["T1w"] != inputs["FLAIR"]
    assert card.normalisation["rule"] == "zscore"


def test_cases_that_judge_have_no_part_in_the_range(request_of, cases, monkeypatch):
    learned, judge = cases
    monkeypatch.setattr(run, "make_splits", lambda request, files: [Split((learned,), (judge,))])
    changes = {"normalisation": "zscore", "output_mode": "image", "missing_share": 0.25}
    card = train_bundle(request_of(config=with_changes(ENHANCED, changes))).card
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
    request_of, tmp_path, monkeypatch, simulated_share, validation_tsv, tables
):
    asked: list[str] = []

    def select(*_, visits_tsv, **__):
        asked.append(visits_tsv.name)
        return []

    monkeypatch.setattr(run, "select_cases", select)
    run.prepare(
        request_of(
            config=with_changes(ENHANCED, {"simulated_share": simulated_share}),
            label_maps=(tmp_path / "head.nii.gz",),
            visits_tsv=Path("learn"),
            validation_tsv=validation_tsv,
        )
    )
    assert asked == tables


def test_a_bundle_of_other_inputs_is_not_begun_with(request_of, tmp_path, monkeypatch):
    first = train_bundle(request_of())
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: [])
    given = {"label_maps": (tmp_path / "head.nii.gz",), "start_from": str(first.folder)}
    with pytest.raises(TrainingError, match="takes T1w-ce"):
        train_bundle(request_of(config=ENHANCED, output=tmp_path / "second", **given))


@pytest.fixture
def head_files(tmp_path, cases, monkeypatch):
    """Return label maps; a case of a few voxels stands for each head that judges."""
    maps = tuple(tmp_path / f"head_0{number}_dseg.nii.gz" for number in range(5))
    for path in maps:
        path.write_text(path.name, encoding="utf-8")
    pair = ScaledPair(*(np.full(s, 0.5, np.float32) for s in ((3, 12, 12, 12), (12,) * 3)), None)
    pair = replace(pair, mask=np.ones((12, 12, 12), dtype=bool))
    monkeypatch.setattr(heads, "_simulate_whole", lambda blueprint, label_map, seed: pair)
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: [])
    monkeypatch.setattr(run, "prepare_cases", lambda jobs, cache, settings: [])

    def judges(label_maps, n_draws, names, folder):
        assert (n_draws, names) == (1, ("T1w", "T2w", "FLAIR"))
        return [folder / f"{path.name.split('_')[1]}_draw-0.npz" for path in label_maps]

    monkeypatch.setattr(run, "simulate_cases", judges)
    return maps


def test_without_visits_folds_are_of_heads_and_make_an_ensemble_of_forty_runs(
    request_of, head_files, cases
):
    bundle = train_bundle(request_of(config=ENHANCED, label_maps=head_files, folds=5))
    folds = bundle.card.training_data["folds"]
    judged = [fold["validation_pairs"] for fold in folds]
    assert sorted(judged) == [[f"0{number}_draw-0"] for number in range(5)]
    for fold, (judge,) in zip(folds, judged, strict=True):
        others = [path.name for path in head_files if path.name[5:7] != judge[:2]]
        assert fold["simulated_heads"] == others
    case = load_case(cases[0])
    predicted = Predictor(bundle, device="cpu", flips="all").predict(case.images)
    assert predicted.n_runs == 40


def test_heads_alone_are_split_for_a_network_that_removes_contrast_too(
    request_of, head_files, monkeypatch
):
    monkeypatch.setattr(run, "_prepare_pairs", lambda request, table: [])
    splits = run.make_splits(request_of(label_maps=head_files, folds=2), [])
    assert [(split.training, split.validation) for split in splits] == [((), ())] * 2
    assert sorted(len(split.label_maps) for split in splits) == [2, 3]


def test_fewer_heads_than_folds_cannot_be(request_of, head_files):
    with pytest.raises(TrainingError, match="there are 5"):
        train_bundle(request_of(config=ENHANCED, label_maps=head_files, folds=6))


def test_epochs_are_passes_over_the_pairs_whatever_the_number_of_devices():
    config = PRESETS["bottani-2022-attunet"]
    assert count_steps(config, 230, world=1) == 300 * 115
    assert count_steps(config, 230, world=5) == 300 * 23
    assert count_steps(TrainingConfig(), 230, world=1) == TrainingConfig().optimisation.steps
