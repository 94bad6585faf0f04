"""`clinica-gado models`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from clinica_gado.commands.main import cli
from clinica_gado.doctor import shipped
from clinica_gado.models import bundle as bundles
from clinica_gado.models.registry import build_network

ARCHITECTURE = {"name": "attention_unet", "width": 2, "levels": 2, "output": "change"}
CARD = {
    "id": "tiny-1",
    "task": "t1-gado-removal",
    "architecture": ARCHITECTURE,
    "inputs": ["T1w-ce"],
    "grid": "mni-1mm",
    "normalisation": {"rule": "percentile", "median": 0.5},
    "training_data": {"pairs": 3, "source": "simulated"},
    "metrics": [{"name": "MAE", "value": 0.1, "definition": "in-mask", "data": "3 pairs"}],
    "intended_use": "tests",
    "limits": ["knows nothing"],
    "licence": "CC-BY-4.0",
    "reviewed_by": "no one",
}


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test its own place for models, and nothing shipped."""
    monkeypatch.setenv(bundles.USER_FOLDER_VARIABLE, str(tmp_path / "mine"))
    monkeypatch.setattr(bundles, "PRETRAINED", tmp_path / "shipped")
    return tmp_path / "mine"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(build_network(ARCHITECTURE).state_dict(), path)
    return path


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.json"
    path.write_text(json.dumps(CARD))
    return path


@pytest.fixture
def folder(weights: Path, card: Path, tmp_path: Path) -> Path:
    """Return a bundle made by `convert`."""
    run("convert", str(weights), str(card), str(tmp_path / "converted"))
    return tmp_path / "converted"


def run(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["models", *arguments])
    assert result.exit_code == exit_code, result.output
    return result


def test_converted_weights_verify(folder: Path) -> None:
    assert run("verify", str(folder)).output.startswith("tiny-1: verified, sha256 ")


def test_imported_model_is_listed_shown_and_verified_by_its_id(
    folder: Path, user_folder: Path
) -> None:
    assert str(user_folder / "tiny-1") in run("import", str(folder)).output
    assert "tiny-1  t1-gado-removal  attention_unet (width 2" in run("list").output
    shown = run("show", "tiny-1").output
    for text in ("MAE: 0.1 [in-mask; on 3 pairs]", "CC-BY-4.0", "knows nothing", "no one"):
        assert text in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert run("verify").output.startswith("tiny-1: verified")


def test_the_rules_on_a_change_are_shown(folder: Path) -> None:
    path = folder / "card.json"
    rules = {
        "darkening_gate": {"threshold": 0.03, "width": 0.006, "smoothing_voxels": 1.5},
        "brain_reach": {"voxels": 10, "fade_voxels": 5},
        "outlines": {"threshold": 0.05, "reach_voxels": 2},
    }
    path.write_text(json.dumps({**json.loads(path.read_text()), "change_rules": rules}))
    shown = " ".join(run("show", str(folder)).output.split())
    assert "clear darkening is kept (threshold 0.03, width 0.006, smoothing_voxels 1.5)" in shown
    assert "fading out away from the brain (voxels 10, fade_voxels 5)" in shown
    assert "outlines beside it taken away (threshold 0.05, reach_voxels 2)" in shown


def test_the_target_of_a_model_is_said_and_its_settings_are_left_to_programs(folder: Path) -> None:
    path = folder / "card.json"
    training = {
        "real_pairs": [f"sub-{number:02d}" for number in range(12)],
        "validation_pairs": [],
        "configuration": {"loss": {"l1": 1.0}},
        "target": "the input without its enhancement",
    }
    path.write_text(json.dumps({**json.loads(path.read_text()), "training_data": training}))
    run("import", str(folder))
    assert "target: the input without its enhancement" in run("list").output
    assert json.loads(run("list", "--json").output)[0]["target"] == training["target"]
    shown = run("show", "tiny-1").output
    assert "Target          the input without its enhancement" in shown
    assert "real_pairs: 12, sub-00 … sub-11" in shown
    assert "validation_pairs" not in shown
    assert "l1" not in shown
    assert '"l1": 1.0' in run("show", "tiny-1", "--json").output


def test_numbers_stand_beside_what_they_are_compared_with(folder: Path) -> None:
    path = folder / "card.json"
    metric = {
        **{"name": "psnr_db", "value": 30.1, "low_dose_as_it_is": 27.2, "t1w_as_it_is": 22.9},
        **{"cases": {"head-17": {"model": 28.9}}, "definition": "in dB", "data": "4 heads"},
    }
    path.write_text(json.dumps({**json.loads(path.read_text()), "metrics": [metric]}))
    shown = " ".join(run("show", str(folder)).output.split())
    assert (
        "psnr_db: 30.1 (low dose as it is 27.2, t1w as it is 22.9) [in dB; on 4 heads] "
        "Each case: clinica-gado models show --json"
    ) in shown
    assert "28.9" not in shown


def test_programs_get_json(folder: Path) -> None:
    run("import", str(folder))
    (row,) = json.loads(run("list", "--json").output)
    assert (row["id"], row["default"], row["inputs"]) == ("tiny-1", False, ["T1w-ce"])
    assert json.loads(run("show", "tiny-1", "--json").output)["reviewed_by"] == "no one"


def test_default_is_marked(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "shipped").mkdir()
    folder.rename(tmp_path / "shipped" / "tiny-1")
    (tmp_path / "shipped" / "default.json").write_text('{"t1-gado-removal": "tiny-1"}')
    assert run("list").output.startswith("* tiny-1")


def test_no_model_says_how_to_get_one() -> None:
    assert "models import" in run("list").output


def test_a_broken_card_is_listed_with_its_reason(folder: Path, user_folder: Path) -> None:
    run("import", str(folder))
    (user_folder / "tiny-1" / "card.json").write_text("{}")
    assert "lacks id" in run("list").output


@pytest.mark.parametrize(
    "card_of_one", ["[" * 100_000, {"grid": ["a"]}, {"architecture": {"name": "unet", "output": 5}}]
)
def test_a_wrong_card_leaves_the_other_models_listed(
    folder: Path, user_folder: Path, card_of_one: str | dict[str, Any]
) -> None:
    run("import", str(folder))
    (user_folder / "wrong").mkdir()
    text = card_of_one if isinstance(card_of_one, str) else json.dumps({**CARD, **card_of_one})
    (user_folder / "wrong" / "card.json").write_text(text)
    listed = run("list").output
    assert "tiny-1  t1-gado-removal" in listed
    assert str(user_folder / "wrong" / "card.json") in listed
    assert len(run("verify", "wrong", exit_code=2).output.splitlines()) == 1
    assert run("verify", "wrong", "tiny-1", exit_code=2).output.startswith("tiny-1: verified")
    (finding,) = [found for found in shipped.models() if found.name == "wrong"]
    assert finding.state == "wrong"


def test_a_card_does_not_steer_the_terminal(folder: Path) -> None:
    path = folder / "card.json"
    controls = "".join(map(chr, (*range(9), *range(11, 32), *range(127, 160), 0xD800)))
    content = json.loads(path.read_text())
    content["training_data"] = {"target": f"a{controls}b"}
    content |= {"limits": [f"c{controls}d"], f"e{controls}f": "g\nh"}
    path.write_text(json.dumps(content))
    run("import", str(folder))
    printed = run("list").output + run("show", "tiny-1").output
    assert not set(controls) & set(printed)
    for text in ("target: ab", "ef  "):
        assert text in printed


def test_weights_that_do_not_fit_are_one_line_and_nothing_is_written(
    weights: Path, card: Path, tmp_path: Path
) -> None:
    card.write_text(json.dumps({**CARD, "architecture": {**ARCHITECTURE, "width": 3}}))
    result = run("convert", str(weights), str(card), str(tmp_path / "new"), exit_code=2)
    assert "does not fit the card's architecture" in result.output
    assert len(result.output.splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_altered_weights_are_one_line(folder: Path) -> None:
    with (folder / "model.safetensors").open("ab") as stream:
        stream.write(b"more")
    result = run("verify", str(folder), exit_code=2)
    assert "altered" in result.output
    assert len(result.output.splitlines()) == 1


def test_an_unknown_normalisation_does_not_verify(folder: Path) -> None:
    content = json.loads((folder / "card.json").read_text())
    content["normalisation"] = {"rule": "histogram"}
    (folder / "card.json").write_text(json.dumps(content))
    assert "known rules" in run("verify", str(folder), exit_code=2).output
