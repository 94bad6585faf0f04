"""Networks that make an image which a visit lacks, and networks that name them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from clinica_gado.commands import train as command
from clinica_gado.errors import TrainingError
from clinica_gado.inference import Predictor
from clinica_gado.inference.missing import complete_images
from clinica_gado.models.bundle import (
    PRETRAINED,
    USER_FOLDER_VARIABLE,
    find_bundle,
    import_bundle,
    load_bundle,
)
from clinica_gado.training import run
from clinica_gado.training.cases import load_case, request_for
from clinica_gado.training.config import TrainingConfig, with_changes
from clinica_gado.training.cutting import locate
from clinica_gado.training.devices import Devices
from clinica_gado.training.pairs import ScaledPair
from clinica_gado.training.request import TrainingRequest
from clinica_gado.training.run import train_bundle

pytest.importorskip("lightning_fabric")

DOCS = Path(__file__).parents[3] / "docs"
SHAPE = (12, 12, 12)
MAKER = with_changes(
    TrainingConfig(),
    {
        **{"architecture": "strided_residual_unet", "width": 2, "levels": 2, "patch_size": 8},
        **{"inputs": "T1w", "target": "ADC", "output_mode": "image", "enhancement_weight": 1},
        **{"steps": 2, "validate_every": 2, "augmentation": "none", "precision": "fp32"},
    },
)
ENHANCER = with_changes(MAKER, {"inputs": "T1w,ADC", "target": "enhanced", "output_mode": "change"})


@pytest.fixture
def request_of(tmp_path, monkeypatch):
    """Return what makes a request; one visit, with an ADC map 1000 times darker than its T1w."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    t1w = rng.uniform(1, 3, SHAPE).astype(np.float32)
    brain = np.zeros(SHAPE, dtype=bool)
    brain[2:10, 2:10, 2:10] = True
    file = tmp_path / "sub-0_ses-M000.npz"
    np.savez(file, T1w=t1w, ADC=(4 - t1w) / 1000, enhanced=2 * t1w, brain=brain)
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: ["jobs"])
    monkeypatch.setattr(run, "prepare_cases", lambda jobs, cache, settings: [file])
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path / "installed"))

    def make(config, name, **changes):
        paths = {"bids": tmp_path, "output": tmp_path / name, "cache": tmp_path}
        common = {"model_id": name, "licence": "none", "devices": Devices("cpu")}
        return TrainingRequest(config=config, **{**paths, **common, **changes})

    yield make
    torch.set_num_threads(before)


@pytest.fixture
def maker(request_of):
    return train_bundle(request_of(MAKER, "t1-to-adc"))


def test_an_enhancer_is_given_what_the_model_that_it_names_makes(request_of, maker, tmp_path):
    import_bundle(maker.folder)
    enhancer = train_bundle(request_of(ENHANCER, "tiny", synthesise=(("ADC", "t1-to-adc"),)))
    assert [item.required for item in enhancer.card.inputs] == [True, False]
    case = load_case(tmp_path / "sub-0_ses-M000.npz")
    completed = complete_images(
        {"T1w": case.images["T1w"]},
        enhancer.card,
        lambda model: Predictor(load_bundle(find_bundle(model)), device="cpu"),
        case.brain,
    )
    assert completed.origins["ADC"] == f"synthesised by t1-to-adc (sha256 {maker.sha256})"
    predicted = Predictor(enhancer, device="cpu").predict(completed.images, region=case.brain)
    assert predicted.array.shape == SHAPE
    assert np.isfinite(predicted.array).all()


def test_the_card_says_what_is_made(maker):
    assert maker.card.task == "synthesise-ADC"
    assert maker.card.training_data["target"].startswith("the ADC of the same visit")
    assert "no acquired image" in maker.card.limits[0]
    assert [item.name for item in maker.card.inputs] == ["T1w"]


def test_the_image_to_make_is_on_a_scale_of_its_own_and_no_input(request_of, monkeypatch, tmp_path):
    learned = []
    scaled = run.scaled_cases
    monkeypatch.setattr(run, "scaled_cases", lambda *a: learned.extend(scaled(*a)) or learned)
    train_bundle(request_of(MAKER, "t1-to-adc"))
    brain = load_case(tmp_path / "sub-0_ses-M000.npz", "ADC").brain
    (pair,) = learned
    assert pair.source.shape == (1, *SHAPE)
    assert np.median(pair.target[brain]) == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(pair.target[brain], pair.source[0][brain])[0, 1] < -0.99


def test_a_trained_maker_finds_the_image(request_of, tmp_path):
    config = with_changes(MAKER, {"steps": 150, "learning_rate": 0.01, "validate_every": 150})
    bundle = train_bundle(request_of(config, "t1-to-adc"))
    case = load_case(tmp_path / "sub-0_ses-M000.npz", "ADC")
    predicted = Predictor(bundle, device="cpu").predict(case.images, region=case.brain).array
    assert np.corrcoef(predicted[case.brain], case.wanted[case.brain])[0, 1] > 0.8


def test_a_visit_teaches_to_make_an_image_whether_or_not_it_has_an_enhanced_one():
    asked = request_for(("T1w", "T2w"), "ADC", may_be_missing=True)
    assert asked.names == ("T1w", "T2w", "ADC")
    assert asked.required == {"T1w", "ADC"}
    assert asked.reference is None
    assert request_for(("T1w",), "added", may_be_missing=False).reference == "T1w-ce"


def test_nothing_enhances_in_another_image():
    source = np.full((1, *SHAPE), 0.4, dtype=np.float32)
    pair = ScaledPair(source, source[0] * 2, np.ones(SHAPE, dtype=bool))
    assert len(locate(pair, agent_in="neither").enhancing) == len(locate(pair).inside)
    assert len(locate(pair, agent_in="target").enhancing) > len(locate(pair).inside)


@pytest.mark.parametrize(
    ("synthesise", "changes", "message"),
    [
        (("T1w", "maker"), {}, "the first is always given"),
        (("FLAIR", "maker"), {}, "the network takes T1w, ADC"),
        (("T2w", "maker"), {"inputs": "T1w,T2w,ADC"}, "t1-to-adc is for synthesise-ADC"),
        (
            ("ADC", "maker"),
            {"inputs": "T1w-lowdose,ADC", "enhancement_weight": 1},
            "makes it of T1w, which the network does not take",
        ),
    ],
)
def test_a_bundle_that_cannot_make_the_input_is_refused(
    request_of, maker, synthesise, changes, message
):
    named = ((synthesise[0], str(maker.folder)),)
    request = request_of(with_changes(ENHANCER, changes), "tiny", synthesise=named)
    with pytest.raises(TrainingError, match=message):
        train_bundle(request)


def test_a_bundle_that_is_not_installed_is_named_all_the_same_with_a_word(
    request_of, maker, caplog
):
    named = (("ADC", str(maker.folder)),)
    card = train_bundle(request_of(ENHANCER, "tiny", synthesise=named)).card
    assert card.inputs[1].synthesised_by == "t1-to-adc"
    assert "clinica-gado models import" in caplog.text


def test_what_is_refined_keeps_the_model_that_it_names(request_of, maker):
    named = request_of(ENHANCER, "tiny", synthesise=(("ADC", str(maker.folder)),))
    first = train_bundle(named)
    second = train_bundle(request_of(ENHANCER, "second", start_from=str(first.folder)))
    assert second.card.inputs[1].synthesised_by == "t1-to-adc"


def test_a_run_that_named_another_model_is_not_gone_on_with(request_of, maker):
    request = request_of(ENHANCER, "tiny")
    train_bundle(request)
    with pytest.raises(TrainingError, match="synthesised_by"):
        train_bundle(replace(request, synthesise=(("ADC", str(maker.folder)),)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": "T1w,ADC"}, "the target ADC must not be among the inputs"),
        ({"enhancement_weight": 4}, "nothing enhances in the target"),
        ({"local": 1}, "nothing enhances in the target"),
    ],
)
def test_settings_that_mean_nothing_for_another_image_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        with_changes(MAKER, changes)


def test_the_command_refuses_what_names_no_bundle(tmp_path):
    words = [str(tmp_path), str(tmp_path / "out"), "--id", "x", "--licence", "y"]
    result = CliRunner().invoke(command.cli, [*words, "--synthesise", "ADC"])
    assert result.exit_code == 2
    assert "'ADC' is not INPUT=ID|FOLDER" in result.output


def test_no_such_model_is_shipped_and_the_guide_has_a_command_that_trains_one(
    tmp_path, monkeypatch
):
    cards = [load_bundle(folder).card for folder in PRETRAINED.iterdir() if folder.is_dir()]
    assert cards
    assert not [card.id for card in cards if card.task.startswith("synthesise-")]
    said = {
        "training": "None is shipped: `--target T2w`, `FLAIR` or `ADC` trains such a model",
        "virtual_enhancement": "No bundle that makes a T2w, FLAIR or ADC of a T1w is shipped",
    }
    for guide, words in said.items():
        assert words in " ".join((DOCS / f"{guide}.md").read_text(encoding="utf-8").split())
    asked = []
    monkeypatch.setattr(run, "train_bundle", asked.append)
    monkeypatch.chdir(tmp_path)
    Path("BIDS").mkdir()
    commands = (DOCS / "training.md").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    (line,) = (line for line in commands if line.startswith("clinica-gado train BIDS t1-to-adc"))
    result = CliRunner().invoke(command.cli, shlex.split(line)[2:])
    assert result.exit_code == 0, result.output
    (request,) = asked
    assert (request.config.data.target, request.config.input_names) == ("ADC", ("T1w",))
