"""Who can segment tissue here: SPM, by running it, and the built-in segmenter."""

from __future__ import annotations

import os
from pathlib import Path

from clinica_gado.doctor.finding import Finding, State
from clinica_gado.errors import GadoError

_WITHOUT_SPM = "the built-in segmenter will be used"
_HOSTS = {"standalone": "standalone", "matlab": "in MATLAB", "octave": "in GNU Octave"}
_VARIABLES = ("SPMSTANDALONE_HOME", "SPM_HOME")


def spm(tpm: Path | None = None) -> list[Finding]:
    """Run SPM, and say its version and its tissue probability map."""
    from clinica_gado.segmentation.spm_search import search

    reasons = []
    for attempt in search():
        if attempt.found is not None:
            found = attempt.found
            text = f"{found.name} release {found.release}, {_HOSTS[found.host]}"
            return [Finding("SPM", "ok", text), _tpm(found.folder, tpm)]
        reasons.append(f"{_HOSTS[attempt.host]}: {attempt.reason}")
    is_configured = any(os.environ.get(name) for name in _VARIABLES)
    state: State = "wrong" if is_configured else "absent"
    return [Finding("SPM", state, "; ".join(reasons), _WITHOUT_SPM)]


def _tpm(spm_folder: Path, wanted: Path | None) -> Finding:
    from clinica_gado.segmentation.tpm import locate_tpm, tpm_sha256

    try:
        path = locate_tpm(spm_folder, wanted)
    except GadoError as error:
        return Finding("SPM's TPM", "wrong", str(error), "until then " + _WITHOUT_SPM)
    return Finding("SPM's TPM", "ok", f"{path}, sha256 {tpm_sha256(path)[:12]}")


def builtin() -> Finding:
    """Say whether the built-in segmenter has what it needs."""
    name = "built-in"
    try:
        from clinica_gado.segmentation.builtin import BuiltinSegmenter

        BuiltinSegmenter().describe()
    except (ImportError, GadoError) as error:
        return Finding(name, "wrong", str(error), "reinstall clinica-gado")
    return Finding(name, "ok", "used when there is no SPM")
