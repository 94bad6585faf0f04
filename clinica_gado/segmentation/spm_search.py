"""Find SPM by running it: standalone with its MATLAB runtime, in MATLAB, or in GNU Octave."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

logger = logging.getLogger(__name__)

Command = tuple[str, ...]
"""A program and its arguments, to which the path of a script file is added."""

START_TIMEOUT_S = 300
"""The first start of SPM standalone unpacks it, which takes minutes on a network drive."""
_TAG = re.compile(r"CLINICA-GADO\|(?P<name>[^|]*)\|(?P<release>[^|]*)\|(?P<folder>[^|]*)\|")
_ASK = (
    "[name, release] = spm('ver');\n"
    "fprintf('\\nCLINICA-GADO|%s|%s|%s|\\n', name, release, spm('dir'));\n"
)


@dataclass(frozen=True)
class SpmInstallation:
    """An SPM that ran and said its version.

    Attributes
    ----------
    host : `standalone`, `matlab` or `octave`.
    name, release : for instance `SPM12` and `7771`.
    folder : where SPM says it is.
    """

    host: str
    name: str
    release: str
    folder: Path
    command: Command

    @property
    def version(self) -> str:
        """The version as nipype states it, for instance 12.7771."""
        return f"{self.name.removeprefix('SPM')}.{self.release}"


@dataclass(frozen=True)
class Attempt:
    """One place where SPM was looked for: the installation, or in words why there is none."""

    host: str
    found: SpmInstallation | None
    reason: str = ""


def find_spm() -> SpmInstallation | None:
    """Return the first SPM that runs: standalone, then in MATLAB, then in Octave."""
    for attempt in search():
        if attempt.found is not None:
            return attempt.found
    return None


def search() -> Iterator[Attempt]:
    """Try the hosts in their order; each is run once in a process, when it is asked for."""
    for host, command_of in _HOSTS.items():
        command = command_of()
        if isinstance(command, str):
            yield Attempt(host, None, command)
        else:
            yield _run_once(host, command)


def working_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder whose path needs no quotes: nipype and SPM's scripts use none."""
    plain = re.compile(r"[\w./+-]+", re.ASCII)
    bases = (tempfile.gettempdir(), "/tmp", "/var/tmp")
    base = next((base for base in bases if plain.fullmatch(base) and Path(base).is_dir()), None)
    return tempfile.TemporaryDirectory(prefix="clinica-gado-spm-", dir=base)


def _standalone() -> Command | str:
    home, runtime = os.environ.get("SPMSTANDALONE_HOME"), os.environ.get("MCR_HOME")
    script = _newest(Path(home)) if home else _on_path()
    if script is None:
        return (
            f"no run_spm*.sh in SPMSTANDALONE_HOME={home}" if home else "SPMSTANDALONE_HOME not set"
        )
    if not runtime:
        return f"{script} is there, but MCR_HOME does not name its MATLAB runtime"
    if not Path(runtime).is_dir():
        return f"MCR_HOME={runtime} does not exist"
    return ("sh", str(script), runtime, "script")


def _newest(home: Path) -> Path | None:
    scripts = sorted(home.rglob("run_spm*.sh"), key=lambda path: path.name)
    return scripts[-1] if scripts else None


def _on_path() -> Path | None:
    found = (shutil.which(name) for name in ("run_spm25.sh", "run_spm12.sh"))
    return next((Path(path) for path in found if path), None)


def _matlab() -> Command | str:
    if shutil.which("matlab") is None:
        return "no matlab on PATH"
    return _adapted("spm_matlab.sh")


def _octave() -> Command | str:
    if shutil.which("octave") is None:
        return "no octave on PATH"
    return _adapted("spm_octave.sh")


def _adapted(script: str) -> Command | str:
    home = os.environ.get("SPM_HOME") or "-"
    if home != "-" and not (Path(home) / "spm.m").is_file():
        return f"SPM_HOME={home} has no spm.m"
    return ("sh", str(files("clinica_gado.segmentation") / script), home, "script")


_HOSTS: dict[str, Callable[[], Command | str]] = {
    "standalone": _standalone,
    "matlab": _matlab,
    "octave": _octave,
}


@lru_cache
def _run_once(host: str, command: Command) -> Attempt:
    with working_folder() as folder:
        script = Path(folder) / "version.m"
        script.write_text(_ASK, encoding="utf-8")
        try:
            done = subprocess.run(
                [*command, str(script)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=START_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Attempt(host, None, f"did not answer within {START_TIMEOUT_S} s")
    logger.debug("SPM, %s, said:\n%s", host, done.stdout)
    said = _TAG.search(done.stdout)
    if said is None:
        return Attempt(host, None, _why(host, done.stdout))
    return Attempt(
        host,
        SpmInstallation(host, said["name"], said["release"], Path(said["folder"]), command),
    )


def _why(host: str, output: str) -> str:
    if host != "standalone" and not os.environ.get("SPM_HOME") and "'spm'" in output:
        return "no SPM in its path, and SPM_HOME not set"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "undefined" in line.lower()]
    return f"does not run SPM: {(errors or lines[-1:] or ['it said nothing'])[0]}"
