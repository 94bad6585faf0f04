"""Models and resources, each verified by its sha256."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from clinica_gado.doctor.finding import Finding
from clinica_gado.errors import GadoError
from clinica_gado.files import sha256_of
from clinica_gado.words import counted

TASK = "t1-gado-removal"
_REINSTALL = "reinstall clinica-gado"


def models() -> list[Finding]:
    """Load every installed model; the default one of the main job is needed."""
    from clinica_gado.models.bundle import known_bundles

    needed = _default(TASK)
    found = [_model(name, folder, folder == needed) for name, folder in known_bundles().items()]
    if needed is None:
        found.append(Finding("default model", "absent", advice=_REINSTALL, needed=True))
    return found


def _default(task: str) -> Path | None:
    from clinica_gado.models.bundle import default_bundle

    try:
        return default_bundle(task)
    except GadoError:
        return None


def _model(name: str, folder: Path, is_needed: bool) -> Finding:
    from clinica_gado.models.bundle import load_bundle

    try:
        bundle = load_bundle(folder)
    except GadoError as error:
        advice = _REINSTALL if is_needed else f"import it again, or remove {folder}"
        return Finding(name, "wrong", str(error), advice, needed=is_needed)
    task = bundle.card.task
    used = f", default of {task}" if folder == _default(task) else ""
    return Finding(name, "ok", f"sha256 {bundle.sha256[:12]}{used}", needed=is_needed)


def templates() -> Finding:
    """Verify the registration templates."""
    from clinica_gado.preprocessing.templates import SHA256

    return _resources("templates", SHA256)


def atlas() -> Finding:
    """Verify the tissue atlas of the built-in segmenter."""
    from clinica_gado.segmentation.atlas import SHA256

    return _resources("tissue atlas", SHA256)


def contrast_classifier() -> Finding:
    """Verify the classifier of `detect`; the main job runs without it."""
    from clinica_gado.detection.classifier import FILENAME, SHA256

    return _resources("contrast classifier", {FILENAME: SHA256}, needed=False)


def _resources(name: str, expected: dict[str, str], *, needed: bool = True) -> Finding:
    folder = Path(str(files("clinica_gado.resources")))
    absent = [file for file in expected if not (folder / file).is_file()]
    if absent:
        return Finding(name, "absent", ", ".join(absent), _REINSTALL, needed=needed)
    altered = [file for file, digest in expected.items() if sha256_of(folder / file) != digest]
    if altered:
        return Finding(name, "wrong", f"altered: {', '.join(altered)}", _REINSTALL, needed=needed)
    verified = f"{counted(len(expected), 'file')}, verified by sha256"
    return Finding(name, "ok", verified, needed=needed)
