"""All findings in their order, as text for a screen and as JSON for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clinica_gado import __version__
from clinica_gado.doctor import machine, segmentation, shipped, software
from clinica_gado.doctor.finding import Finding

Diagnosis = Mapping[str, Sequence[Finding]]
"""Findings by the title of their section."""

_WIDTH = 100
_STATE_WIDTH = 8


def examine(caps: Path, tpm: Path | None = None) -> Diagnosis:
    """Look at everything; SPM and Octave are started, nothing is written."""
    return {
        "Software": [
            software.python(),
            software.clinica(),
            software.plugin(),
            software.torch(),
            software.antspyx(),
            software.ants_programs(),
        ],
        "Models and resources": [
            *shipped.models(),
            shipped.templates(),
            shipped.atlas(),
            shipped.contrast_classifier(),
        ],
        "Tissue segmentation": [
            *segmentation.spm(tpm),
            segmentation.builtin(),
            software.octave(),
            software.matlab(),
        ],
        "Warehouse": [
            software.dask(),
            software.slurm(),
        ],
        "Machine": [
            machine.gpu(),
            machine.processors(),
            machine.memory(),
            machine.disk(caps),
        ],
    }


def can_run(diagnosis: Diagnosis) -> bool:
    """Whether t1-gado-removal can run here."""
    return not any(finding.blocks for findings in diagnosis.values() for finding in findings)


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the diagnosis for programs."""
    return {
        "version": __version__,
        "can_run": can_run(diagnosis),
        "findings": [
            {"section": section, **asdict(finding)}
            for section, findings in diagnosis.items()
            for finding in findings
        ],
    }


def as_text(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as aligned columns: name, state, what was found and what to do."""
    findings = [finding for section in diagnosis.values() for finding in section]
    width = max(len(finding.name) for finding in findings) + 2
    lines = []
    for title, section in diagnosis.items():
        lines += [title, *(_row(finding, width) for finding in section), ""]
    return "\n".join([*lines, _verdict(findings)])


def _row(finding: Finding, width: int) -> str:
    start = f"  {finding.name:{width}}{finding.state:{_STATE_WIDTH}}"
    text = "; ".join(part.rstrip(".") for part in (finding.text, finding.advice) if part)
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _verdict(findings: Sequence[Finding]) -> str:
    blocking = [finding.name for finding in findings if finding.blocks]
    if blocking:
        return f"clinica-gado {__version__} cannot run yet: see {', '.join(blocking)}."
    return f"clinica-gado {__version__} can run."
