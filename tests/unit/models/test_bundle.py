"""Bundles: what is written is what is read, and anything altered is refused."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from typing import NoReturn

import pytest
import torch
from safetensors.torch import save_file

from clinica_gado.errors import BundleError, OutputError
from clinica_gado.files import sha256_of
from clinica_gado.inference.normalisation import normalisation_from
from clinica_gado.models import bundle as bundles
from clinica_gado.models.bundle import (
    default_bundle,
    find_bundle,
    import_bundle,
    known_bundles,
    load_bundle,
    load_card,
    save_bundle,
)
from clinica_gado.models.card import card_from, card_to_json, check_id, check_licence
from clinica_gado.models.registry import build_network

GATE = {"threshold": 0.05, "width": 0.01, "smoothing_voxels": 1.5}


def edit_card(folder, **changes) -> None:
    path = folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def replace_weights(folder, weights) -> None:
    """Replace the weights and their checksum, as one who wants to be believed would."""
    save_file(weights, folder / "model.safetensors")
    edit_card(folder, files={"model.safetensors": sha256_of(folder / "model.safetensors")})


def test_weights_come_back_as_they_were(folder, weights) -> None:
    network = load_bundle(folder).load_network()
    assert not network.training
    loaded = network.state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


@pytest.mark.parametrize(
    "architecture",
    [
        {"name": "strided_residual_unet", "width": 2, "levels": 2},
        {"name": "hr_fcn", "width": 2, "slices": 3, "variant": "C"},
        {"name": "unet", "width": 2, "levels": 2, "depth": 4, "slices": 1},
    ],
)
def test_a_network_of_several_images_comes_back_with_its_inputs_in_order(
    tmp_path, content, architecture
) -> None:
    architecture = {**architecture, "in_channels": 3}
    content["architecture"] = architecture
    content["inputs"] = ["T1w", {"name": "FLAIR", "may_be_missing": True}, "ADC"]
    weights = build_network(architecture).state_dict()
    bundle = load_bundle(save_bundle(tmp_path / "new", card_from(content), [weights]).folder)
    assert [item.name for item in bundle.card.inputs] == ["T1w", "FLAIR", "ADC"]
    assert [item.may_be_missing for item in bundle.card.inputs] == [False, True, False]
    loaded = bundle.load_network().state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


def test_who_may_read_the_card_may_read_the_weights(folder) -> None:
    modes = {path.name: path.stat().st_mode for path in folder.iterdir()}
    assert modes["model.safetensors"] == modes["card.json"]


def test_card_comes_back_as_it_was_with_its_unknown_keys(content) -> None:
    content["inputs"][0]["normalisation"] = {"rule": "zscore", "low": -1.0, "high": 3.0}
    content["reviewed_by"] = {"name": "someone"}
    assert card_to_json(card_from(content)) == content


def test_folds_are_numbered_and_have_one_checksum_together(tmp_path, content, weights) -> None:
    others = {name: tensor + 1 for name, tensor in weights.items()}
    bundle = save_bundle(tmp_path / "folds", card_from(content), [weights, others])
    assert [path.name for path in bundle.weight_files] == [
        "fold-0.safetensors",
        "fold-1.safetensors",
    ]
    assert re.fullmatch("[0-9a-f]{64}", bundle.sha256)
    assert bundle.sha256 not in bundle.card.files.values()
    assert torch.equal(bundle.load_network(1).state_dict()["head.bias"], others["head.bias"])


def test_checksum_of_one_file_is_that_file_s(folder) -> None:
    assert load_bundle(folder).sha256 == sha256_of(folder / "model.safetensors")


def test_the_checksum_tells_change_rules_from_none_and_from_others(
    tmp_path, content, weights
) -> None:
    rules = (
        {},
        {"darkening_gate": GATE},
        {"darkening_gate": {**GATE, "threshold": 0.06}},
        {"darkening_gate": GATE, "brain_reach": {"voxels": 10, "fade_voxels": 5}},
    )
    cards = [card_from({**content, "change_rules": asked}) for asked in rules]
    made = [save_bundle(tmp_path / str(n), card, [weights]) for n, card in enumerate(cards)]
    assert len({bundle.sha256 for bundle in made}) == len(rules)
    assert [load_card(bundle.folder).change_rules for bundle in made] == list(rules)
    assert "change_rules" not in card_to_json(cards[0])


def test_altered_weights_are_refused(folder) -> None:
    path = folder / "model.safetensors"
    altered = bytearray(path.read_bytes())
    altered[-1] ^= 1
    path.write_bytes(altered)
    with pytest.raises(BundleError, match="altered"):
        load_bundle(folder)


def test_missing_weights_are_refused(folder) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(BundleError, match="missing"):
        load_bundle(folder)


def test_a_folder_without_card_is_refused(tmp_path) -> None:
    with pytest.raises(BundleError, match=r"no model card .*card\.json"):
        load_bundle(tmp_path)


def test_weights_of_another_width_are_refused(folder, content) -> None:
    edit_card(folder, architecture={**content["architecture"], "width": 4})
    with pytest.raises(BundleError, match=r"is 2×1×3×3×3 F32 instead of 4×1×3×3×3 F32"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("head.bias"), r"missing head\.bias"),
        (lambda w: w.update(spy=torch.zeros(1)), "not known spy"),
        (lambda w: w.update({"head.bias": torch.zeros(1).double()}), "F64 instead of 1 F32"),
    ],
)
def test_a_header_that_does_not_fit_is_refused_before_allocation(
    folder, weights, change, message, monkeypatch
) -> None:
    change(weights)
    replace_weights(folder, weights)
    monkeypatch.setattr(bundles, "read_weights", lambda path: pytest.fail("tensors were read"))
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


def test_a_file_that_is_not_safetensors_is_refused(folder) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(pickle.dumps({"a": 1}))
    edit_card(folder, files={path.name: sha256_of(path)})
    with pytest.raises(BundleError, match="not a safetensors file"):
        load_bundle(folder)


def test_a_header_larger_than_the_file_is_refused(folder) -> None:
    path = folder / "model.safetensors"
    path.write_bytes((10**15).to_bytes(8, "little") + b"{}")
    edit_card(folder, files={path.name: sha256_of(path)})
    with pytest.raises(BundleError, match="not a safetensors file"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "../outside"}, "id"),
        ({"licence": " "}, "licence"),
        ({"inputs": []}, "0 inputs"),
        ({"inputs": ["a", "b"]}, "2 inputs for a network whose in_channels is 1"),
        (
            {"inputs": ["a"], "architecture": {"name": "attention_unet", "in_channels": 2}},
            "lists 1 input for a network whose in_channels is 2",
        ),
        ({"inputs": [{"name": "a", "may_be_missing": True}]}, "first input"),
        ({"inputs": [{"name": "a", "optional": True}]}, "'a' says 'optional': not known"),
        ({"inputs": [{"name": "a", "synthesised_by": "b"}]}, "first input"),
        ({"inputs": [{"name": "a", "synthesised_by": ""}]}, "must name a model"),
        ({"inputs": [{"name": "a", "normalisation": {"low": 0}}]}, "must have a 'rule'"),
        (
            {"inputs": ["a", "a"], "architecture": {"name": "attention_unet", "in_channels": 2}},
            "lists an input twice",
        ),
        ({"grid": "mni-3mm"}, "known grids: mni-1mm, mni-128"),
        ({"grid": ["a"]}, r"grid is \['a'\]"),
        ({"grid": {"name": ["a"]}}, r"grid is \['a'\]"),
        ({"grid": {"name": "mni-128", "shape": [64, 64, 64]}}, "shape"),
        ({"architecture": {"name": ["a"]}}, "architecture must be an object with a text 'name'"),
        ({"architecture": {"name": "unet", "output": 5}}, "output 5; give image or change"),
        ({"normalisation": {"rule": ["a"]}}, "normalisation must be an object with a text 'rule'"),
        ({"inputs": [{"name": "a", "normalisation": {"rule": []}}]}, "must have a 'rule'"),
        ({"normalisation": {}}, "normalisation"),
        ({"architecture": "attention_unet"}, "architecture"),
        ({"metrics": [{"name": "MAE", "value": 0.1}]}, "metrics must have"),
        ({"limits": "none"}, "limits must be a list"),
        (
            {"change_rules": {"darkening_gate": {"threshold": 0.05}}},
            "must be threshold, width, smoothing_voxels",
        ),
        ({"change_rules": {"darkening_gate": {**GATE, "width": 0}}}, "numbers above 0"),
        (
            {"change_rules": {"outlines": {"threshold": 0.1, "reach_voxels": 1.5}}},
            "above 0, reach_voxels a whole one",
        ),
        ({"change_rules": {"blur": {"voxels": 1}}}, "darkening_gate, brain_reach, outlines"),
        (
            {
                "change_rules": {"darkening_gate": GATE},
                "architecture": {"name": "attention_unet", "output": "image"},
            },
            "answer.* with a change",
        ),
        ({"files": {"../model.safetensors": "0" * 64}}, "weight files are called"),
        ({"files": {"model.safetensors": "0"}}, "64 hexadecimal"),
        ({"files": {"fold-3.safetensors": "0" * 64}}, r"must list model\.safetensors"),
    ],
)
def test_a_card_that_says_something_wrong_is_refused(folder, changes, message) -> None:
    edit_card(folder, **changes)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_that_lacks_something_says_what(folder, content) -> None:
    del content["licence"], content["limits"]
    (folder / "card.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="lacks limits, licence"):
        load_card(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"id": "a"}', "[" * 100_000])
def test_a_card_that_is_no_json_object_is_refused(folder, text) -> None:
    (folder / "card.json").write_text(text)
    with pytest.raises(BundleError, match="card"):
        load_card(folder)


def test_ids_and_licences_are_checked_as_a_card_s_are(folder) -> None:
    check_id("tiny-1")
    check_licence("CC-BY-4.0")
    for text in ("", "a b", "-a", "a" * 101, 5):
        edit_card(folder, id=text)
        with pytest.raises(BundleError, match="id") as in_card:
            load_card(folder)
        with pytest.raises(BundleError) as alone:
            check_id(text)
        assert str(in_card.value).endswith(str(alone.value))
    for text in (" ", None):
        with pytest.raises(BundleError, match="licence must be a text that is not empty"):
            check_licence(text)


def test_a_number_too_large_for_a_rule_is_refused() -> None:
    with pytest.raises(BundleError, match="'percentile' takes percentile, fraction, median"):
        normalisation_from({"rule": "percentile", "median": 10**400})


def test_weights_that_do_not_fit_are_not_written(tmp_path, content, weights) -> None:
    weights.pop("head.bias")
    with pytest.raises(BundleError, match=r"missing head\.bias"):
        save_bundle(tmp_path / "new", card_from(content), [weights])
    assert not (tmp_path / "new").exists()


def test_import_copies_and_the_id_then_finds_it(folder, user_folder) -> None:
    imported = import_bundle(folder)
    assert imported.folder == user_folder / "tiny-1"
    assert known_bundles() == {"tiny-1": imported.folder}
    assert find_bundle("tiny-1") == imported.folder
    assert import_bundle(folder).folder == imported.folder  # again: nothing to do


def test_an_id_never_changes_weights(folder, weights) -> None:
    import_bundle(folder)
    replace_weights(folder, {**weights, "head.bias": torch.ones(1)})
    with pytest.raises(BundleError, match="Another model is called tiny-1"):
        import_bundle(folder)


def test_nothing_is_left_of_an_import_that_fails(folder, user_folder, monkeypatch) -> None:
    def full(*_) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="No space left"):
        import_bundle(folder)
    assert list(user_folder.iterdir()) == []


def test_a_folder_of_models_that_cannot_be_made_is_named(folder, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(bundles.USER_FOLDER_VARIABLE, str(tmp_path / "file" / "models"))
    with pytest.raises(OutputError, match=r"file/models, cannot be made \(Not a dir.*GADO_MODELS"):
        import_bundle(folder)


def test_a_bundle_is_found_by_its_folder_too(folder) -> None:
    assert find_bundle(folder) == folder


def test_a_model_that_is_not_there_is_named_with_those_that_are(folder) -> None:
    import_bundle(folder)
    with pytest.raises(BundleError, match=r"'other'.*tiny-1.*models import"):
        find_bundle("other")


def test_default_is_the_one_named_for_the_task(folder, tmp_path) -> None:
    with pytest.raises(BundleError, match="--model"):
        default_bundle("t1-gado-removal")
    shipped = tmp_path / "shipped"
    shutil.copytree(folder, shipped / "tiny-1")
    (shipped / "default.json").write_text('{"t1-gado-removal": "tiny-1"}')
    assert default_bundle("t1-gado-removal") == shipped / "tiny-1"
