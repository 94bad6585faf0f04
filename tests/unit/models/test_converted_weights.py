"""Weights that PyTorch saved, ours or the authors': brought into a bundle, never run."""

from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors.torch import load_file

from clinica_gado.errors import BundleError, OutputError
from clinica_gado.models.bundle import convert_weights
from clinica_gado.models.published_names import with_our_names
from clinica_gado.models.registry import build_network


@pytest.mark.parametrize("wrap", [dict, lambda w: {"state_dict": w, "epoch": torch.tensor(3)}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_torch_weights_are_converted(tmp_path, content, weights, wrap, prefix) -> None:
    card = tmp_path / "my-card.json"
    card.write_text(json.dumps(content))
    renamed = {prefix + name: tensor for name, tensor in weights.items()}
    torch.save(wrap(renamed), tmp_path / "weights.pth")
    bundle = convert_weights(tmp_path / "weights.pth", card, tmp_path / "converted")
    written = load_file(bundle.weight_files[0])
    assert all(torch.equal(written[name], weights[name]) for name in weights)


class _Attack:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_code_in_torch_weights_is_not_run(tmp_path, folder) -> None:
    torch.save({"head.bias": _Attack(tmp_path / "owned")}, tmp_path / "bad.pth")
    with pytest.raises(BundleError, match="holds more than tensors") as refused:
        convert_weights(tmp_path / "bad.pth", folder / "card.json", tmp_path / "converted")
    assert "weights_only" not in str(refused.value)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "damaged",
    [b"", b"PK\x03\x04", b"\x80\x02X\xff", b"\x80\x02h\x05.", b"\x80\x020.", b"\x80\x040."],
)
def test_damaged_torch_weights_are_refused_in_our_words_alone(
    tmp_path, folder, damaged, recwarn
) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(damaged)
    with pytest.raises(BundleError, match=r"bad\.pt holds .* or is damaged"):
        convert_weights(path, folder / "card.json", tmp_path / "converted")
    assert not recwarn.list


@pytest.mark.parametrize("held", ["card.json", "fold-1.safetensors"])
def test_a_model_is_not_converted_over_another(tmp_path, folder, weights, held) -> None:
    torch.save(weights, tmp_path / "weights.pth")
    other = tmp_path / "other"
    other.mkdir()
    (other / held).write_text("of another model")
    with pytest.raises(OutputError, match=rf"other holds a model already \({held}\)"):
        convert_weights(tmp_path / "weights.pth", folder / "card.json", other)
    assert [path.name for path in other.iterdir()] == [held]
    assert (other / held).read_text() == "of another model"


@pytest.mark.parametrize("content_of_file", [{"epoch": 3}, [1, 2]])
def test_torch_files_without_weights_are_refused(tmp_path, folder, content_of_file) -> None:
    torch.save(content_of_file, tmp_path / "bad.pth")
    with pytest.raises(BundleError, match="state dictionary"):
        convert_weights(tmp_path / "bad.pth", folder / "card.json", tmp_path / "converted")


def _theirs_attention(name: str) -> str:
    """Name a parameter as the authors' Att-U-Net does."""
    layers = {"0.conv": "0", "0.norm": "1", "1.conv": "3", "1.norm": "4"}
    layers |= {"join.conv": "0", "join.norm": "1", "refine.conv": "3", "refine.norm": "4"}
    parts = {"query": "W_g", "key": "W_x", "score": "psi"}
    block, *rest = name.split(".")
    if block == "head":
        return f"Conv_1x1.{rest[0]}"
    level, inner, last = int(rest[0]), rest[1:-1], rest[-1]
    if block == "encoders":
        return f"Conv{level + 1}.conv.{layers['.'.join(inner)]}.{last}"
    if block == "decoders":
        return f"Up_conv{5 - level}.conv.{layers['.'.join(inner)]}.{last}"
    if block == "gates":
        return f"Att{5 - level}.{parts[inner[0]]}.{['conv', 'norm'].index(inner[1])}.{last}"
    return f"Up{5 - level}.up.{['', 'conv', 'norm'].index(inner[0])}.{last}"


def _theirs_residual(name: str) -> str:
    """Name a parameter as the authors' Res-U-Net does."""
    block, *rest = name.split(".")
    if block == "head":
        return f"final.model.1.{rest[-1]}"
    if block == "residuals":
        return f"r{int(rest[0]) + 1}.model.{rest[2]}.{rest[3]}"
    return f"{ {'downs': 'down', 'ups': 'up'}[block] }{int(rest[0]) + 1}.model.0.{rest[-1]}"


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("attention_unet", _theirs_attention), ("residual_unet", _theirs_residual)],
)
def test_names_of_the_authors_code_are_understood(name, theirs) -> None:
    ours = list(build_network({"name": name, "width": 1}, device="meta").state_dict())
    renamed = {theirs(key): key for key in ours}
    assert len(renamed) == len(ours)
    assert all(ours_again == key for ours_again, key in with_our_names(renamed).items())
