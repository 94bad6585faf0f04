"""Jobs and settings as text, the only thing that crosses between nipype's nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clinica_gado.bids import InputFile, InputJob, Visit
from clinica_gado.pipelines.texts import read_linear
from clinica_gado.virtual_enhancement import EnhancementSettings


def write_job(job: InputJob) -> str:
    """Return a job as text; its inputs keep their order."""
    files = [
        (name, str(file.path), str(file.b_values) if file.b_values else None)
        for name, file in job.files.items()
    ]
    content = {
        "visit": job.visit,
        "files": files,
        "missing": job.missing,
        "cross_sectional": job.cross_sectional,
        "reference": str(job.reference) if job.reference else None,
    }
    return json.dumps(content)


def read_job(text: str) -> InputJob:
    """Return the job that `write_job` wrote."""
    content = json.loads(text)
    reference = content["reference"]
    return InputJob(
        Visit(*content["visit"]),
        {name: InputFile(Path(path), Path(b) if b else None) for name, path, b in content["files"]},
        missing=tuple(content["missing"]),
        cross_sectional=content["cross_sectional"],
        reference=Path(reference) if reference else None,
    )


def read_settings(text: str) -> EnhancementSettings:
    """Return the settings that `write_settings` wrote."""
    content: dict[str, Any] = json.loads(text)
    content["bids"], content["caps"] = Path(content["bids"]), Path(content["caps"])
    for key in ("tpm", "lesions", "healthy"):
        content[key] = Path(content[key]) if content[key] else None
    content["enhancing_labels"] = tuple(content["enhancing_labels"])
    return EnhancementSettings(linear=read_linear(content.pop("linear")), **content)
