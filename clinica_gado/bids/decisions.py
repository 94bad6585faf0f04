"""The role of each T1w of a visit, and the reason in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from clinica_gado.bids.assessment import AssessedImage
from clinica_gado.bids.contrast import NO_EVIDENCE, Contrast, Evidence
from clinica_gado.bids.filters import EntityFilter
from clinica_gado.bids.images import Unusable
from clinica_gado.bids.preference import (
    preferred_reference,
    preferred_source,
    why_reference,
    why_source,
)
from clinica_gado.bids.visits import Visit


class Role(Enum):
    """What becomes of an image."""

    SOURCE = "source"
    INPUT = "input"
    REFERENCE = "reference"
    REJECTED = "rejected"
    LEFT_ALONE = "left-alone"


@dataclass(frozen=True)
class Decision:
    """The role of one file and why; a line of selection.tsv."""

    visit: Visit
    filename: str
    role: Role
    reason: str
    evidence: Evidence = NO_EVIDENCE
    notes: tuple[str, ...] = ()
    reference: str = ""
    unreadable_name: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether a person should look: unknown, contradicted, or something could not be read."""
        unknown = self.evidence.contrast is Contrast.UNKNOWN
        return unknown or self.evidence.contradicted or bool(self.notes) or self.unreadable_name


@dataclass(frozen=True)
class Reference:
    """The image without contrast to compare with, and the words for choosing it."""

    image: AssessedImage
    reason: str


@dataclass(frozen=True)
class VisitChoice:
    """The input of a visit and its reference, each None when there is none, and every role."""

    source: AssessedImage | None = None
    reference: Reference | None = None
    decisions: tuple[Decision, ...] = field(default=())


def choose_source(assessed: Sequence[AssessedImage], wanted: EntityFilter) -> AssessedImage | None:
    """Return the contrast-enhanced T1w to treat: filter first, then the rule of preference."""
    matching = [a for a in enhanced_of(assessed) if a.usable and wanted.matches(a.image.name)]
    if not matching:
        return None
    name = preferred_source([a.image.name for a in matching])
    return next(a for a in matching if a.image.name is name)


def choose_reference(
    candidates: Sequence[AssessedImage], source: AssessedImage
) -> AssessedImage | None:
    """Return the T1w without contrast that is nearest to the source by its entities."""
    usable = [a for a in candidates if a.usable and a.image != source.image]
    if not usable:
        return None
    name = preferred_reference([a.image.name for a in usable], source.image.name)
    return next(a for a in usable if a.image.name is name)


def enhanced_of(assessed: Iterable[AssessedImage]) -> list[AssessedImage]:
    """Keep the contrast-enhanced images."""
    return [a for a in assessed if a.evidence.contrast is Contrast.ENHANCED]


def non_enhanced_of(assessed: Iterable[AssessedImage]) -> list[AssessedImage]:
    """Keep the images known to have no contrast."""
    return [a for a in assessed if a.evidence.contrast is Contrast.NON_ENHANCED]


def decide(
    assessed: Sequence[AssessedImage],
    wanted: EntityFilter,
    source: AssessedImage | None,
    reference: Reference | None,
) -> tuple[Decision, ...]:
    """Give every T1w of a visit its role, once its source and its reference are chosen."""
    context = _Context(tuple(assessed), wanted, source, reference)
    return tuple(_decide_one(a, context) for a in assessed)


def decision_of_unusable(unusable: Unusable) -> Decision:
    """Reject a file that looks like a T1w and whose name cannot be used."""
    return Decision(
        unusable.visit, unusable.filename, Role.REJECTED, unusable.reason, unreadable_name=True
    )


def decision_of_reference(reference: Reference) -> Decision:
    """Record an image as reference."""
    return _decision(reference.image, Role.REFERENCE, reference.reason)


@dataclass(frozen=True)
class _Context:
    assessed: tuple[AssessedImage, ...]
    wanted: EntityFilter
    source: AssessedImage | None
    reference: Reference | None


def _decide_one(a: AssessedImage, context: _Context) -> Decision:
    if a.rejection:
        return _decision(a, Role.REJECTED, a.rejection)
    if a is context.source:
        return _decide_source(a, context)
    if a.evidence.contrast is Contrast.ENHANCED:
        return _decision(a, Role.REJECTED, _why_not_source(a, context))
    if context.reference is not None and a.image == context.reference.image.image:
        return decision_of_reference(context.reference)
    if a.evidence.contrast is Contrast.UNKNOWN:
        return _decision(a, Role.LEFT_ALONE, _why_unknown(a.evidence))
    return _decide_non_enhanced(a, context)


def _decide_source(a: AssessedImage, context: _Context) -> Decision:
    decision = _decision(a, Role.SOURCE, _why_chosen(a, context))
    if context.reference is None:
        return decision
    return replace(decision, reference=context.reference.image.image.filename)


def _decide_non_enhanced(a: AssessedImage, context: _Context) -> Decision:
    if context.source is None:
        passing = " that passes --input-filter" if enhanced_of(context.assessed) else ""
        reason = f"left alone: no contrast-enhanced T1w{passing} in this visit"
        return _decision(a, Role.LEFT_ALONE, reason)
    if context.reference is None:
        return _decision(a, Role.LEFT_ALONE, "left alone: not the reference")
    winner, source = context.reference.image, context.source
    if winner.image.visit != a.image.visit:
        reason = f"{winner.filename} is the reference (--pairs-tsv)"
        return _decision(a, Role.REJECTED, reason)
    why = why_reference(winner.image.name, a.image.name, source.image.name)
    return _decision(a, Role.REJECTED, f"{winner.filename} is the reference: {why}")


def _why_chosen(a: AssessedImage, context: _Context) -> str:
    passing = f" that passes --input-filter {context.wanted}" if context.wanted.conditions else ""
    rivals = [other for other in _matching(context) if other is not a]
    if not rivals:
        return f"the only contrast-enhanced T1w of this visit{passing}"
    runner_up = preferred_source([other.image.name for other in rivals])
    why = why_source(a.image.name, runner_up)
    return f"chosen among {len(rivals) + 1} contrast-enhanced T1w{passing}: {why}"


def _why_not_source(a: AssessedImage, context: _Context) -> str:
    unmet = context.wanted.first_unmet(a.image.name)
    if unmet is not None or context.source is None:
        return f"does not pass --input-filter {unmet}"
    why = why_source(context.source.image.name, a.image.name)
    return f"{context.source.filename} was chosen: {why}"


def _why_unknown(evidence: Evidence) -> str:
    if evidence.other_agent:
        return "left alone: contrast of another kind than gadolinium"
    return "left alone: contrast unknown, neither input nor reference; --contrast-tsv can state it"


def _matching(context: _Context) -> list[AssessedImage]:
    enhanced = enhanced_of(context.assessed)
    return [a for a in enhanced if a.usable and context.wanted.matches(a.image.name)]


def _decision(a: AssessedImage, role: Role, reason: str) -> Decision:
    return Decision(a.image.visit, a.image.filename, role, reason, a.evidence, a.notes)
