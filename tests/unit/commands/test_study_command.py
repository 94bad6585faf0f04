"""`clinica-gado study`: what its options ask for, and what ends it at once."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from clinica_gado.commands.main import cli
from clinica_gado.evaluation.lesions import ENHANCING
from clinica_gado.models.registry import build_network
from clinica_gado.studies import ablation, fraction, sensitivity
from clinica_gado.studies.ablation import without_one
from clinica_gado.studies.recipe import REDUCED
from clinica_gado.studies.scoring import SCORES
from clinica_gado.studies.sensitivity import config_of, settings_of
from clinica_gado.studies.values import CRITERIA, DELTAS, FRACTIONS, WEIGHTS
from clinica_gado.training.blueprint import architecture_of
from clinica_gado.training.config import settings, with_changes
from clinica_gado.training.presets import BONE_2021, CHEN_2022


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Return what runs the command without any training, and what it asked for."""
    for module, name in (
        *((ablation, "run_ablation"), (fraction, "run_fraction")),
        (sensitivity, "run_sensitivity"),
    ):
        monkeypatch.setattr(module, name, lambda *given: calls.append(given))
    calls: list[tuple] = []

    def call(study, *options):
        words = ["study", study, str(tmp_path), str(tmp_path / "out"), *map(str, options)]
        result = CliRunner().invoke(cli, words)
        assert result.exit_code == 0, result.output
        return calls[-1]

    return call


def test_each_study_has_the_recipe_and_the_values_of_its_paper(asked):
    request, criterion = asked("ablation")
    assert request.training.config == BONE_2021
    assert request.recipe == "bone-2021 as it is"
    assert criterion == "l2_e5"
    request, *fractions = asked("fraction")
    assert request.training.config == BONE_2021
    assert fractions == [FRACTIONS, ()]
    request, *values = asked("sensitivity")
    assert request.training.config == CHEN_2022
    assert values == [DELTAS, WEIGHTS, "grid"]


@pytest.mark.parametrize(("study", "preset"), [("ablation", BONE_2021), ("sensitivity", CHEN_2022)])
def test_the_defaults_shown_are_those_of_the_recipe(study, preset):
    shown = " ".join(CliRunner().invoke(cli, ["study", study, "--help"]).output.split())
    for setting in settings():
        own = shown.partition(f"--{setting.name.replace('_', '-')} ")[2].partition("[default: ")[2]
        assert own.startswith(f"({setting.value_in(preset)})"), setting.name


def test_reduced_is_declared_and_single_settings_go_over_it(asked):
    request, _ = asked("ablation", "--reduced", "--steps", 7, "--inputs", "T1w,FLAIR")
    expected = {**REDUCED, "steps": 7, "inputs": "T1w,FLAIR"}
    assert request.training.config == with_changes(BONE_2021, expected)
    assert "NOT the full recipe" in request.recipe
    assert "steps 7" in request.recipe


def test_options_of_data_and_machine_reach_the_training(asked, tmp_path):
    head = tmp_path / "head.nii.gz"
    head.touch()
    options = ("--folds", 2, "--label-map", head, "--draws", 3, "--device", "cpu", "--workers", 0)
    request, *_ = asked("fraction", *options, "--fraction", 0.5, "--at-width", 8, "--flips", "all")
    training = request.training
    assert (training.folds, training.label_maps, training.workers) == (2, (head,), 0)
    assert training.devices.device == "cpu"
    assert training.choice_of_images == {}
    assert (request.draws, request.test_draws, request.flips) == (3, 2, "all")
    _, *values = asked(
        "sensitivity", "--at-delta", 0.1, "--at-lambda", 0.1, 10, "--design", "cross"
    )
    assert values == [(0.1,), ((0.1, 10.0),), "cross"]


def test_images_are_chosen_as_the_pipeline_chooses_them(asked):
    request, _ = asked("ablation", "--input-filter", "FLAIR:acq=3d", "--assume-plain")
    chosen = {"input_filter": ["FLAIR:acq=3d"], "assume_plain": True}
    assert request.training.choice_of_images == chosen


def test_lesions_are_those_of_the_evaluation_unless_others_are_named(asked, tmp_path):
    request, _ = asked("ablation")
    assert (request.training.lesions, request.training.enhancing_labels) == (None, ENHANCING)
    request, _ = asked("ablation", "--lesions", tmp_path, "--enhancing-label", 1)
    assert (request.training.lesions, request.training.enhancing_labels) == (tmp_path, (1,))


def test_every_setting_of_a_file_is_taken(asked, tmp_path):
    file = tmp_path / "mine.json"
    content = {"network": {"inputs": "T1w,FLAIR", "width": 3}, "data": {"target": "enhanced"}}
    file.write_text(json.dumps(content), encoding="utf-8")
    request, _ = asked("ablation", "--config", file)
    assert request.training.config.network.width == 3
    assert request.recipe == "mine.json as it is"


@pytest.mark.parametrize("study", ["ablation", "fraction", "sensitivity"])
def test_all_settings_are_options(study):
    shown = CliRunner().invoke(cli, ["study", study, "--help"]).output
    names = [f"--{setting.name.replace('_', '-')} " for setting in settings()]
    assert [name for name in names if name not in shown] == []


def test_the_help_says_what_flips_average_and_what_the_reduced_scale_is():
    shown = CliRunner().invoke(cli, ["study", "ablation", "--help"]).output
    words = " ".join(shown.split())
    assert "--flips [none|lr|all] Mirrored copies whose predictions are averaged" in words
    for name, value in REDUCED.items():
        assert f"{name} {value}" in words
    assert "see the docs" not in words


def test_what_cannot_be_studied_ends_with_two_and_one_line(tmp_path):
    for options, words in (
        (["--preset", "change-1mm"], "Studies are of networks that add contrast"),
        ([], "A study scores in one way"),
    ):
        command = ["study", "ablation", str(tmp_path), str(tmp_path / "out"), *options]
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 2
        assert words in result.output
    assert not (tmp_path / "out").exists()


def test_every_network_of_the_full_recipes_can_be_built():
    inputs = [BONE_2021.input_names]
    for given in inputs:
        inputs += [rest for _, rest in without_one(BONE_2021, given) if rest not in inputs]
    configs = [with_changes(BONE_2021, {"inputs": ",".join(given)}) for given in inputs]
    configs += [with_changes(BONE_2021, {"width": width}) for width in (8, 32)]
    configs += [config_of(CHEN_2022, cell) for cell in settings_of(DELTAS, WEIGHTS, "grid")]
    assert len(configs) == 12 + 2 + 40
    architectures = {json.dumps(architecture_of(config.network)) for config in configs}
    networks = [build_network(json.loads(text), device="meta") for text in architectures]
    assert all(next(network.parameters()).is_meta for network in networks)


def test_the_scores_that_can_decide_are_those_there_are():
    assert list(CRITERIA) == list(SCORES)
