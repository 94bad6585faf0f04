"""Jobs and settings as text, the only thing that crosses between nipype's nodes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clinica_gado.bids import Contrast, Evidence, Job, Source, Visit
from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.preprocessing.t1_linear import LinearOptions


def write_job(job: Job) -> str:
    """Return what the steps need of a job: its visit and its source."""
    return json.dumps({"visit": job.visit, "source": str(job.source)})


def read_job(text: str) -> Job:
    """Return the job that `write_job` wrote."""
    content = json.loads(text)
    evidence = Evidence(Contrast.ENHANCED, Source.NONE, "chosen before")
    return Job(Visit(*content["visit"]), Path(content["source"]), evidence)


def write_settings(settings: RemovalSettings) -> str:
    """Return settings as text."""
    return json.dumps(asdict(settings), default=str)


def read_settings(text: str) -> RemovalSettings:
    """Return the settings that `write_settings` wrote."""
    content: dict[str, Any] = json.loads(text)
    linear = content.pop("linear")
    template = linear.pop("template")
    options = LinearOptions(template=Path(template) if template else None, **linear)
    content["bids"], content["caps"] = Path(content["bids"]), Path(content["caps"])
    return RemovalSettings(linear=options, **content)
