"""One or several devices and machines, by Lightning Fabric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from clinica_gado.errors import DeviceError, TrainingError
from clinica_gado.inference.devices import choose_compute
from clinica_gado.training.augmentation import MISSING

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_FABRIC_PRECISION: dict[str, Literal["32-true", "bf16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
}


@dataclass(frozen=True)
class Devices:
    """Where to train: `device` as in `choose_compute`, how many of its kind, on how many machines.

    With several, each takes batches of its own, and gradients are averaged.
    """

    device: str = "auto"
    devices: int = 1
    nodes: int = 1


def start_fabric(wanted: Devices, precision: str) -> Fabric:
    """Return the engine, which finds out by itself whether torchrun or SLURM started it.

    Raises
    ------
    DeviceError, TrainingError
        A device is not there, or Lightning Fabric is not.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise TrainingError(MISSING.format(error=error)) from error
    compute = choose_compute(wanted.device, precision)
    kind = compute.device.type
    if kind == "cuda":
        import torch

        if wanted.devices > torch.cuda.device_count():
            raise DeviceError(
                f"{wanted.devices} GPUs were asked for; there are {torch.cuda.device_count()}."
            )
    alone = [compute.device.index or 0] if kind == "cuda" else 1
    return Fabric(
        accelerator=kind,
        devices=wanted.devices if wanted.devices > 1 else alone,
        num_nodes=wanted.nodes,
        precision=_FABRIC_PRECISION[compute.precision],
    )
