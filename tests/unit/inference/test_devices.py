"""Which device and precision are chosen."""

from __future__ import annotations

import pytest
import torch

from clinica_gado.errors import DeviceError
from clinica_gado.inference import devices
from clinica_gado.inference.devices import choose_compute


@pytest.fixture
def two_gpus(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_running_shortens_no_products_and_changes_nothing_else() -> None:
    def settings() -> dict[str, bool]:
        cudnn = torch.backends.cudnn
        return {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")}

    before = settings()
    with choose_compute("cpu").running():
        assert settings() == before
        assert not torch.backends.cudnn.allow_tf32
        assert torch.is_inference_mode_enabled()


def test_auto_is_the_cpu_where_there_is_no_gpu() -> None:
    assert choose_compute("auto", "fp32").device == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "expected"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")]
)
def test_a_gpu_is_taken_when_there_is_one(name, expected) -> None:
    assert str(choose_compute(name, "fp32").device) == expected


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_refused_with_the_remedy() -> None:
    with pytest.raises(DeviceError, match="--device auto or cpu"):
        choose_compute("cuda", "auto")


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_number_beyond_the_last_is_refused() -> None:
    with pytest.raises(DeviceError, match="cuda:1"):
        choose_compute("cuda:2", "auto")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "mps"])
def test_an_unknown_device_is_refused(name) -> None:
    with pytest.raises(DeviceError, match="choose auto, cpu, cuda"):
        choose_compute(name, "auto")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(DeviceError, match="auto, fp32, bf16"):
        choose_compute("cpu", "fp16")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"amx_bf16": True}, "bf16"), ({"avx512_bf16": True}, "bf16"), ({"avx2": True}, "fp32")],
)
def test_auto_precision_follows_what_the_cpu_can_do(monkeypatch, capabilities, expected) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_compute("cpu", "auto").precision == expected


def test_a_release_that_cannot_tell_computes_in_fp32(monkeypatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not devices._cpu_has_bf16()
