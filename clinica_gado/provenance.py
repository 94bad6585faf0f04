"""What made a file: versions, parameters and checksums, without names of people or machines."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from clinica_gado import __version__

INTENDED_USE = "research, not for diagnosis"
PACKAGES = ("clinica", "torch", "antspyx", "nipype", "nibabel", "numpy", "scipy")


def software_versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    versions = {"clinica-gado": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return versions


def generated_by() -> list[dict[str, Any]]:
    """Return the `GeneratedBy` entry of BIDS derivatives."""
    return [{"Name": "clinica-gado", "Version": __version__, "Software": software_versions()}]
