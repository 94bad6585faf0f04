"""One place for every number of a run: presets, file and command line agree."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from click.testing import CliRunner

from clinica_gado.commands.train import cli
from clinica_gado.models.bundle import PRETRAINED, load_card
from clinica_gado.models.card import GRIDS
from clinica_gado.models.registry import build_network
from clinica_gado.training.blueprint import architecture_of, network_config_of
from clinica_gado.training.config import (
    TrainingConfig,
    config_from,
    settings,
    with_changes,
)
from clinica_gado.training.config_file import read_config
from clinica_gado.training.loop import stage_of
from clinica_gado.training.presets import PRESETS
from clinica_gado.training.run import count_steps


def test_no_two_settings_share_a_name_and_each_is_an_option_with_its_default():
    names = [option.name for option in cli.params]
    assert len(names) == len(set(names))
    options = {option.name: option for option in cli.params}
    for setting in settings():
        assert options[setting.name].show_default == str(setting.default)
        assert options[setting.name].help == setting.help


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_its_file(tmp_path, name):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(asdict(PRESETS[name])), encoding="utf-8")
    assert read_config(path) == PRESETS[name]


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [("bottani-2022-attunet", 103.9e6), ("bottani-2022-resunet", 312.3e6)],
)
def test_the_paper_s_recipe_is_there_by_name(name, n_parameters):
    config = PRESETS[name]
    network = build_network(architecture_of(config.network), device="meta")
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(n_parameters, rel=1e-3)
    assert GRIDS[config.network.grid] == (128, 128, 128)
    assert config.network.normalisation == "minmax"
    assert config.network.output_mode == "image"
    assert (config.data.target, config.data.batch_size, config.data.patch_size) == ("real", 2, 0)
    assert (config.loss.l1, config.loss.l2, config.loss.enhancement_weight) == (1, 0, 1)
    assert (config.optimisation.optimiser, config.optimisation.epochs) == ("adam", 300)


@pytest.mark.parametrize(("name", "precision"), [("bone-2021", "auto"), ("bone-2022", "fp32")])
def test_the_recipe_of_bone_is_there_by_name(name, precision):
    config = PRESETS[name]
    network = build_network(architecture_of(config.network), device="meta")
    assert sum(p.numel() for p in network.parameters()) == 7_213_729
    assert config.input_names == ("T1w", "FLAIR", "ADC", "T1w-lowdose")
    assert GRIDS[config.network.grid] == (160, 192, 160)
    assert (config.network.normalisation, config.network.output_mode) == ("zscore", "image")
    losses = (config.loss.l1, config.loss.l2, config.loss.ssim, config.loss.local)
    assert losses == (0, 1, 0, 0)
    assert (config.loss.enhancement_weight, config.loss.loss_region) == (1, "everywhere")
    data = config.data
    assert (data.target, data.batch_size, data.patch_size) == ("enhanced", 1, 0)
    assert (data.augmentation, config.optimisation.precision) == ("mirror", precision)
    stages = {stage_of(config, step, 300)[1] for step in range(300)}
    assert (config.optimisation.epochs, stages) == (300, {1e-3})


def test_the_recipe_of_chen_is_there_by_name():
    config = PRESETS["chen-2022"]
    network = build_network(architecture_of(config.network), device="meta")
    assert sum(p.numel() for p in network.parameters()) == 58_613_889
    assert (network.slices, config.data.batch_size, config.data.patch_size) == (3, 3, 0)
    assert config.input_names == ("T1w", "T2w", "ADC")
    assert GRIDS[config.network.grid] == (192, 256, 192)
    assert (config.network.normalisation, config.network.output_mode) == ("equalised", "image")
    assert (config.loss.delta, config.loss.local_mean) == (0.1, "region")
    assert (config.loss.ssim_window, config.data.target) == ("slices", "enhanced")
    n_steps = count_steps(config, n_pairs=369, world=1)
    assert n_steps == 50 * 369 // 3
    stages = [stage_of(config, step, n_steps) for step in range(n_steps)]
    found = [(loss.l1, loss.ssim, loss.local, rate) for loss, rate in stages]
    first, second = (1.0, 1.0, 1.0, 1e-4), (0.1, 0.1, 10.0, 1e-5)
    assert found == (40 * 123) * [first] + (10 * 123) * [second]


def test_the_command_offers_every_preset():
    (option,) = [option for option in cli.params if option.name == "preset"]
    assert list(option.type.choices) == list(PRESETS)


@pytest.mark.parametrize(
    ("architecture", "numbers"),
    [
        ("attention_unet", {"width", "levels"}),
        ("residual_unet", {"width", "norm"}),
        ("strided_residual_unet", {"width", "levels"}),
        ("hr_fcn", {"width", "slices", "variant"}),
        ("unet", {"width", "levels", "depth", "slices"}),
    ],
)
def test_a_card_has_the_numbers_that_its_network_takes(architecture, numbers):
    slabs = architecture in ("hr_fcn", "unet")
    changes = {"architecture": architecture, **({"patch_size": 0} if slabs else {})}
    card = architecture_of(with_changes(TrainingConfig(), changes).network)
    assert set(card) == {"name", "in_channels", "output", *numbers}
    build_network(card, device="meta")


@pytest.mark.parametrize("folder", sorted(f for f in PRETRAINED.iterdir() if f.is_dir()))
def test_the_network_of_a_card_is_what_a_configuration_says_of_it(folder):
    card = load_card(folder)
    network = network_config_of(card)
    assert architecture_of(network) == dict(card.architecture)
    assert network.inputs.split(",") == [item.name for item in card.inputs]
    assert (network.grid, network.normalisation) == (card.grid.name, card.normalisation["rule"])


def test_the_t1w_to_compare_with_is_found_among_the_inputs():
    config = with_changes(TrainingConfig(), {"inputs": "FLAIR,T1w", "target": "enhanced"})
    assert config.input_names == ("FLAIR", "T1w")
    assert (config.t1w_channel, config.adds_contrast) == (1, True)
    assert (TrainingConfig().t1w_channel, TrainingConfig().adds_contrast) == (0, False)


def test_settings_are_changed_by_name_whatever_their_section():
    config = with_changes(TrainingConfig(), {"width": 4, "l2": 0.5, "seed": 3})
    assert (config.network.width, config.loss.l2, config.seed) == (4, 0.5, 3)
    assert config.optimisation == TrainingConfig().optimisation


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"netz": {}}, "netz"),
        ({"network": {"breadth": 3}}, "network.breadth"),
        ({"network": {"width": 0}}, "width must be above 0"),
        ({"network": {"width": 2.5}}, "width must be a number"),
        ({"network": {"grid": "mni-3mm"}}, "grid must be one of"),
        ({"network": {"grid": "mni-128"}}, "whole images"),
        ({"network": {"grid": "mni-2mm"}}, "whole images"),
        ({"loss": {"l1": 0}}, "at least one"),
        ({"data": {"simulated_share": 1.5}}, "between 0 and 1"),
        ({"data": {"real_unenhanced_share": 20}}, "real_unenhanced_share must be between 0 and 1"),
        ({"optimisation": {"learning_rate": float("nan")}}, "learning_rate must be a number"),
        ({"loss": 3}, "loss must be an object"),
        ({"network": {"architecture": "hr_fcn"}}, "slabs of slices"),
        ({"network": {"normalisation": "zscore"}}, "zscore is for networks that make"),
        ({"network": {"inputs": "T1w,T1"}}, "inputs must name some of T1w, T2w"),
        ({"network": {"inputs": "T1w,T1w"}}, "each once"),
        ({"network": {"inputs": 3}}, "inputs must be a text"),
        ({"network": {"inputs": "FLAIR"}, "data": {"target": "enhanced"}}, "without T1w"),
        (
            {
                "fine_tuning": {
                    "fine_tuning_share": 0.1,
                    "fine_tuning_l1": 0,
                    "fine_tuning_ssim": 0,
                }
                | {"fine_tuning_local": 0}
            },
            "while fine-tuning",
        ),
    ],
)
def test_a_configuration_that_cannot_be_says_why(content, fault):
    with pytest.raises(ValueError, match=fault):
        config_from(content)


def test_the_command_line_refuses_a_wrong_configuration_before_any_work(tmp_path):
    arguments = [str(tmp_path), str(tmp_path / "out"), "--id", "x", "--licence", "y"]
    result = CliRunner().invoke(cli, [*arguments, "--preset", "bottani-2022-attunet", "--l1", "0"])
    assert result.exit_code == 2
    assert "at least one of l1" in result.output
