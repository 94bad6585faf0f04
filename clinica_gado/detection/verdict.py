"""What to believe of an image, given what its metadata say and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from clinica_gado.bids import Contrast, Evidence, Source
from clinica_gado.bids.dicom_fields import dicom_evidence

if TYPE_CHECKING:
    from clinica_gado.detection.classifier import Picture


class Verdict(NamedTuple):
    """A row's state and source, and why somebody must look at the image; empty when nobody need."""

    contrast: Contrast
    source: Source
    detail: str
    review: str = ""


def with_dicom_fields(evidence: Evidence, fields: Mapping[str, Any]) -> Evidence:
    """Add what converters took over from DICOM, which counts less than entity, sidecar and table.

    It counts more than the absence of `ce-` beside a sibling that carries it.
    """
    found = dicom_evidence(fields)
    if found is None or evidence.other_agent:
        return evidence
    weaker = evidence.contrast is Contrast.UNKNOWN or evidence.source is Source.COMPANION
    first, second = (found, evidence) if weaker else (evidence, found)
    known = second.contrast is not Contrast.UNKNOWN
    if not known or second.contrast is first.contrast:
        return first
    detail = f"{first.detail}; contradicted: {second.detail}"
    return Evidence(first.contrast, first.source, detail, contradicted=True)


def decide(evidence: Evidence, picture: Picture | None) -> Verdict:
    """Weigh metadata and picture; where they disagree, or neither is sure, somebody must look.

    Metadata that say something stand. That an image has no `ce-` beside one that has is no more
    than a guess, which the picture must confirm.
    """
    shown = Contrast.UNKNOWN if picture is None else picture.contrast
    stated = evidence.contrast
    if stated is Contrast.UNKNOWN or evidence.source is Source.COMPANION:
        return _by_picture(evidence, picture, shown)
    reasons = ["metadata contradict each other"] * evidence.contradicted
    if shown not in (Contrast.UNKNOWN, stated):
        reasons.append(f"metadata say {stated.value}, the image {shown.value}")
    return Verdict(stated, evidence.source, evidence.detail, "; ".join(reasons))


def _by_picture(evidence: Evidence, picture: Picture | None, shown: Contrast) -> Verdict:
    if evidence.other_agent:
        return Verdict(Contrast.UNKNOWN, evidence.source, evidence.detail, "another agent")
    if picture is None:
        return Verdict(Contrast.UNKNOWN, evidence.source, evidence.detail, "not judged")
    detail = f"{evidence.detail}; probability of gadolinium {picture.probability:.3f}"
    if shown is Contrast.UNKNOWN:
        return Verdict(shown, Source.IMAGE, detail, "the image leaves it open")
    if evidence.source is Source.COMPANION and shown is not evidence.contrast:
        return Verdict(Contrast.UNKNOWN, Source.IMAGE, detail, f"the image shows {shown.value}")
    return Verdict(shown, Source.IMAGE, detail)
