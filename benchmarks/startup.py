"""What the start-up hook costs: a Python start, and the import behind every `clinica` command.

Run it where the package is installed: `python benchmarks/startup.py`. Each figure is a median; the
variants alternate within one run, so that they see the same machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

import clinica_gado

PACKAGE = Path(clinica_gado.__file__).parent
CLINICA = "import clinica.cmdline"


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=60, help="Python starts per variant [60]")
    parser.add_argument("--imports", type=int, default=9, help="Clinica imports per variant [9]")
    options = parser.parse_args()
    print(f"{'':34}{'plain ms':>10}{'hook ms':>10}{'more ms':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        plain, hooked = environment(Path(folder, "plain")), environment(Path(folder, "hooked"))
        install_hook(hooked)
        report("Python start", options.starts, starter(plain), starter(hooked))
    off = {"CLINICA_GADO_NO_HOOK": "1"}
    report("import of the clinica command", options.imports, importer(**off), importer())


def environment(folder: Path) -> Path:
    """Make an empty environment and return its folder."""
    venv.create(folder, symlinks=True)
    return folder


def install_hook(environment_folder: Path) -> None:
    """Put what runs at start-up, and nothing else, into an environment."""
    site_packages = next(environment_folder.glob("lib/python3*/site-packages"))
    (site_packages / "clinica_gado").symlink_to(PACKAGE)
    line = "import clinica_gado._startup as _s; _s.install(); del _s\n"
    (site_packages / "clinica_gado.pth").write_text(line)


def starter(environment_folder: Path) -> Callable[[], None]:
    """Return a function that starts and ends the Python of an environment."""
    command = [str(environment_folder / "bin" / "python"), "-c", "pass"]
    return lambda: run(command, {})


def importer(**variables: str) -> Callable[[], None]:
    """Return a function that imports Clinica's command line in this environment."""
    return lambda: run([sys.executable, "-c", CLINICA], variables)


def run(command: list[str], variables: dict[str, str]) -> None:
    """Run a command with more environment variables than ours."""
    kept = {key: value for key, value in os.environ.items() if key != "CLINICA_GADO_NO_HOOK"}
    subprocess.run(command, env={**kept, **variables}, check=True, capture_output=True)


def report(name: str, repeats: int, plain: Callable[[], None], hooked: Callable[[], None]) -> None:
    """Time both variants in turn and print their medians."""
    plain()
    hooked()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for variant, measured in zip((plain, hooked), times, strict=True):
            begin = time.perf_counter()
            variant()
            measured.append(1000 * (time.perf_counter() - begin))
    before, after = map(statistics.median, times)
    print(f"{name:34}{before:10.2f}{after:10.2f}{after - before:10.2f}{after / before:8.3f}")


if __name__ == "__main__":
    main()
