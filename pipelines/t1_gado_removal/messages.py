"""Jobs and settings as text, the only thing that crosses between nipype's nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clinica_gado.bids import Contrast, Evidence, Job, Source, Visit
from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.pipelines.texts import read_linear


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


def read_settings(text: str) -> RemovalSettings:
    """Return the settings of the synthesis that `write_settings` wrote."""
    content: dict[str, Any] = json.loads(text)
    content["bids"], content["caps"] = Path(content["bids"]), Path(content["caps"])
    return RemovalSettings(linear=read_linear(content.pop("linear")), **content)
