"""Jobs and settings as text, the only thing that crosses between nipype's nodes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clinica_gado.bids import Contrast, Evidence, Job, Source, Visit
from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.validation.settings import ValidationSettings


def write_job(job: Job) -> str:
    """Return what the steps need of a job: its visit, its source and its reference."""
    content = {
        "visit": job.visit,
        "source": str(job.source),
        "reference": str(job.reference) if job.reference else None,
        "reference_visit": job.reference_visit,
    }
    return json.dumps(content)


def read_job(text: str) -> Job:
    """Return the job that `write_job` wrote."""
    content = json.loads(text)
    evidence = Evidence(Contrast.ENHANCED, Source.NONE, "chosen before")
    reference, visit = content["reference"], content["reference_visit"]
    return Job(
        Visit(*content["visit"]),
        Path(content["source"]),
        evidence,
        reference=Path(reference) if reference else None,
        reference_visit=Visit(*visit) if visit else None,
    )


def write_settings(settings: RemovalSettings | ValidationSettings) -> str:
    """Return settings as text."""
    return json.dumps(asdict(settings), default=str)


def read_settings(text: str) -> RemovalSettings:
    """Return the settings of the synthesis that `write_settings` wrote."""
    content: dict[str, Any] = json.loads(text)
    content["bids"], content["caps"] = Path(content["bids"]), Path(content["caps"])
    return RemovalSettings(linear=_read_linear(content.pop("linear")), **content)


def read_validation_settings(text: str) -> ValidationSettings:
    """Return the settings of the validation that `write_settings` wrote."""
    content: dict[str, Any] = json.loads(text)
    content["caps"] = Path(content["caps"])
    content["tpm"] = Path(content["tpm"]) if content["tpm"] else None
    return ValidationSettings(linear=_read_linear(content.pop("linear")), **content)


def _read_linear(content: dict[str, Any]) -> LinearOptions:
    template = content.pop("template")
    return LinearOptions(template=Path(template) if template else None, **content)
