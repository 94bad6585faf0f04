"""Python packages, and the programs that some options call."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version

from clinica_gado.doctor.finding import Finding

CLINICA_RELEASE = "0.12"
SLURM_PROGRAMS = ("sbatch", "squeue", "scancel")
_VERSION_TIMEOUT_S = 60


def python() -> Finding:
    """Say which Python runs."""
    return Finding("Python", "ok", f"{platform.python_version()} on {platform.system()}")


def clinica() -> Finding:
    """Say which Clinica is installed, and whether its release is the one this was written for."""
    try:
        found = version("clinica")
    except PackageNotFoundError:
        advice = f"pip install 'clinica=={CLINICA_RELEASE}.*'"
        return Finding("Clinica", "absent", advice=advice, needed=True)
    if not found.startswith(f"{CLINICA_RELEASE}."):
        advice = f"written for {CLINICA_RELEASE}: pip install 'clinica=={CLINICA_RELEASE}.*'"
        return Finding("Clinica", "wrong", found, advice, needed=True)
    return Finding("Clinica", "ok", found, needed=True)


def plugin() -> Finding:
    """Say whether stock `clinica run` knows the pipelines of this package."""
    from clinica_gado._plugins import own_plugins

    try:
        import clinica.pipelines  # noqa: F401 (its import runs the hook)
        from clinica.pipelines.cli import cli
    except ImportError as error:
        return Finding("clinica run", "wrong", f"Clinica cannot be imported: {error}", needed=True)
    ours = own_plugins()
    if not ours:
        advice = "install clinica-gado with pip"
        return Finding("clinica run", "absent", "no pipeline announced", advice, needed=True)
    names, missing = ", ".join(ours), [name for name in ours if name not in cli.commands]
    if missing:
        advice = "the start-up hook is off or failed; `clinica-gado run` does the same"
        return Finding("clinica run", "absent", ", ".join(missing), advice)
    return Finding("clinica run", "ok", names)


def torch() -> Finding:
    """Say which PyTorch is installed, after importing it."""
    try:
        import torch as library
    except (ImportError, OSError) as error:
        return Finding(
            "PyTorch", "wrong", str(error), "pip install torch, the CPU build will do", needed=True
        )
    return Finding("PyTorch", "ok", str(library.__version__), needed=True)


def antspyx() -> Finding:
    """Say which antspyx is installed: it registers and corrects bias by default."""
    try:
        return Finding("antspyx", "ok", version("antspyx"), needed=True)
    except PackageNotFoundError:
        return Finding("antspyx", "absent", advice="pip install antspyx", needed=True)


def ants_programs() -> Finding:
    """Look for the ANTs programs that `--preprocessing clinica` runs."""
    from clinica_gado.preprocessing.ants_programs import PROGRAMS

    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        which = "" if len(missing) == len(PROGRAMS) else ", ".join(missing)
        advice = "needed by --preprocessing clinica only"
        return Finding("ANTs programs", "absent", which, advice)
    return Finding("ANTs programs", "ok", _first_line("antsRegistration", "--version"))


def dask() -> Finding:
    """Look for what `harmonize` needs for its engines other than `processes`."""
    found = []
    for name in ("distributed", "dask-jobqueue"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            advice = "pip install 'clinica-gado[warehouse]', or harmonize with --engine processes"
            return Finding("Dask", "absent", f"without {name}", advice)
    return Finding("Dask", "ok", ", ".join(found))


def slurm() -> Finding:
    """Look for the commands of SLURM, and ask its version."""
    if any(shutil.which(name) is None for name in SLURM_PROGRAMS):
        return Finding("SLURM", "absent", advice="needed by harmonize --engine slurm only")
    return Finding("SLURM", "ok", _first_line("sbatch", "--version"))


def matlab() -> Finding:
    """Look for MATLAB; it is run only where SPM is in it."""
    path = shutil.which("matlab")
    if path is None:
        return Finding("MATLAB", "absent", advice="not needed")
    return Finding("MATLAB", "ok", path)


def octave() -> Finding:
    """Look for GNU Octave, and ask its version."""
    if shutil.which("octave") is None:
        return Finding("GNU Octave", "absent", advice="not needed")
    said = _first_line("octave", "--version")
    return Finding("GNU Octave", "ok", said.removeprefix("GNU Octave, version "))


def _first_line(program: str, option: str) -> str:
    try:
        done = subprocess.run(
            [program, option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "does not tell its version"
    return next((line.strip() for line in done.stdout.splitlines() if line.strip()), "")
