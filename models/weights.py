"""Weight files: names, shapes and types are compared with a network before a tensor is made."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from clinica_gado.errors import BundleError
from clinica_gado.files import atomic_path
from clinica_gado.models.registry import build_network

Weights = Mapping[str, torch.Tensor]
Header = dict[str, tuple[tuple[int, ...], str]]
"""Shape and type (`F32`, `I64`) of each tensor by name."""

_DTYPES = {torch.float32: "F32", torch.int64: "I64"}
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def expected_header(architecture: Mapping[str, Any]) -> Header:
    """Return the header of a network's weights; nothing is allocated."""
    return header_of(build_network(architecture, device="meta").state_dict())


def header_of(weights: Weights) -> Header:
    """Return the header that weights in memory would have."""
    return {
        name: (tuple(tensor.shape), _DTYPES.get(tensor.dtype, str(tensor.dtype)))
        for name, tensor in weights.items()
    }


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file, and nothing else.

    Raises
    ------
    BundleError
        It is no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as weights:
            slices = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
            return {
                name: (tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()
            }
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path} is not a safetensors file: {error}. Get it again.") from error


def check_header(found: Header, expected: Header, source: str) -> None:
    """Compare a header with that of a network.

    Raises
    ------
    BundleError
        A tensor is missing, foreign, or of another shape or type.
    """
    missing = sorted(set(expected) - set(found))
    foreign = sorted(set(found) - set(expected))
    differing = [name for name in expected if name in found and found[name] != expected[name]]
    if missing or foreign:
        raise BundleError(
            f"{source} does not fit the card's architecture: {_some('missing', missing)}"
            f"{'; ' if missing and foreign else ''}{_some('not known', foreign)}. "
            "Correct the architecture in the card, or use the weights it was written for."
        )
    if differing:
        name = differing[0]
        raise BundleError(
            f"{source} does not fit the card's architecture: {name} is {_as_text(found[name])} "
            f"instead of {_as_text(expected[name])}, and {len(differing) - 1} more differ. "
            "Correct the numbers in the card."
        )


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors file whose header was checked."""
    with safe_open(path, framework="pt", device="cpu") as weights:
        return {name: weights.get_tensor(name) for name in weights.keys()}  # noqa: SIM118


def write_weights(path: Path, weights: Weights) -> None:
    """Write tensors as safetensors, atomically."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic_path(path) as partial:
        # Not by `save_file`: its files can be read by their owner alone, whatever the umask.
        partial.write_bytes(save(contiguous, metadata={"format": "pt"}))


def read_torch_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the state dictionary of a `.pth` or `.pt` file; code in it is refused, not run.

    A dictionary around it (`state_dict`, `model_state_dict`, `model`) and the `module.` that
    parallel training puts before each name are taken off.

    Raises
    ------
    BundleError
        The file holds anything but tensors by name.
    """
    content = _load_tensors(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(
        isinstance(tensor, torch.Tensor) for tensor in content.values()
    ):
        raise BundleError(f"{path} holds no state dictionary (names and tensors); save one first.")
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def _load_tensors(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, on how a file that it may refuse was pickled
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, and advises to run what it refuses
        raise BundleError(
            f"{path} holds more than tensors, or is damaged, and was not read; "
            "save the state dictionary alone, or get it again."
        ) from error


def _some(word: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{word} {names[0]}{more}"


def _as_text(entry: tuple[tuple[int, ...], str]) -> str:
    return f"{'×'.join(map(str, entry[0])) or 'one number'} {entry[1]}"
