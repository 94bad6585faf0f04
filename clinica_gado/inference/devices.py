"""Where a network runs and in which precision."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from clinica_gado.errors import DeviceError

Precision = Literal["fp32", "bf16"]
PRECISIONS = ("auto", "fp32", "bf16")

_DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")
_CPU_BF16 = ("amx_bf16", "avx512_bf16")


@dataclass(frozen=True)
class Compute:
    """A device, a precision, and the memory layout that is fastest with them."""

    device: torch.device
    precision: Precision

    @property
    def dtype(self) -> torch.dtype:
        """The type of weights and maps."""
        return _DTYPES[self.precision]

    @property
    def memory_format(self) -> torch.memory_format:
        """Channels last where convolutions are made for it: oneDNN, and bfloat16 on a GPU."""
        if self.device.type == "cpu":
            fast = torch.backends.mkldnn.is_available()
        else:
            fast = self.precision == "bf16"
        return torch.channels_last_3d if fast else torch.contiguous_format

    def place_network(self, network: nn.Module) -> None:
        """Bring a network to the device, in the type and layout, in place."""
        network.to(self.device, self.dtype).to(memory_format=self.memory_format)  # type: ignore[call-overload]

    def place_images(self, images: torch.Tensor) -> torch.Tensor:
        """Bring images `(B, C, D, H, W)` to the device, in the type and layout."""
        return images.to(self.device, self.dtype, memory_format=self.memory_format)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run without gradients, and fp32 in full: no shortened products on a GPU."""
        cudnn = torch.backends.cudnn
        # Named one by one: what is not named would be switched off, cuDNN itself too.
        as_it_is = {"enabled": cudnn.enabled, "benchmark": cudnn.benchmark}
        in_full = cudnn.flags(**as_it_is, deterministic=cudnn.deterministic, allow_tf32=False)
        with torch.inference_mode(), in_full:
            yield


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Turn what the user asked for into a device and a precision that are there.

    Parameters
    ----------
    device
        `auto` (a GPU when there is one), `cpu`, `cuda` or `cuda:N`.
    precision
        `auto` (bf16 where the device computes in it natively, else fp32), `fp32` or `bf16`.

    Raises
    ------
    DeviceError
        The device is not there, or cannot do the precision.
    """
    chosen = _choose_device(device)
    if precision not in PRECISIONS:
        raise DeviceError(
            f"Unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}."
        )
    if precision == "auto":
        return Compute(chosen, "bf16" if _gains_from_bf16(chosen) else "fp32")
    if precision == "bf16" and chosen.type == "cuda" and not _gains_from_bf16(chosen):
        raise DeviceError(f"{chosen} cannot compute in bf16; use --precision fp32.")
    return Compute(chosen, "bf16" if precision == "bf16" else "fp32")


def _choose_device(name: str) -> torch.device:
    if not _DEVICE.fullmatch(name):
        raise DeviceError(f"Unknown device {name!r}; choose auto, cpu, cuda or cuda:N.")
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and n_gpus == 0):
        return torch.device("cpu")
    index = int(name.partition(":")[2] or 0)
    if n_gpus == 0:
        raise DeviceError(
            f"Device {name!r} was asked for, but PyTorch sees no CUDA GPU here; "
            "use --device auto or cpu, or install a CUDA build of PyTorch."
        )
    if index >= n_gpus:
        raise DeviceError(
            f"Device {name!r} was asked for, but PyTorch sees {n_gpus} GPU (cuda:0 to "
            f"cuda:{n_gpus - 1}); choose one of these."
        )
    return torch.device("cuda", index)


def _gains_from_bf16(device: torch.device) -> bool:
    if device.type == "cpu":
        return torch.backends.mkldnn.is_available() and _cpu_has_bf16()
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)


def _cpu_has_bf16() -> bool:
    """Ask PyTorch for native bfloat16 products; a release that cannot tell is taken to say no."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        found = capabilities()
        return any(found.get(name, False) for name in _CPU_BF16)
    older = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(bool(getattr(torch.cpu, name, lambda: False)()) for name in older)
