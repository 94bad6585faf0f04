"""Choice of the images to treat in a BIDS dataset, with the reason for each T1w found.

In each visit, the T1w known to be contrast-enhanced is the input (see `preference` when there are
several) and the T1w known to have no contrast is the reference it can be compared with. An image
of which nothing is known is never taken for either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clinica_gado.bids.assessment import AssessedImage, Assessor
from clinica_gado.bids.contrast import Contrast, Evidence, Source
from clinica_gado.bids.contrast_table import ContrastTable, is_named, read_contrast_table
from clinica_gado.bids.decisions import (
    Decision,
    Reference,
    Role,
    VisitChoice,
    choose_reference,
    choose_source,
    decide,
    decision_of_reference,
    decision_of_unusable,
    enhanced_of,
    non_enhanced_of,
)
from clinica_gado.bids.filters import EntityFilter
from clinica_gado.bids.images import BidsImage, DatasetReader
from clinica_gado.bids.pairs import Pair, PairsTable, read_pairs_table
from clinica_gado.bids.visits import (
    IDS,
    Problem,
    Visit,
    VisitFolder,
    find_visit,
    list_in_words,
    list_visits,
)
from clinica_gado.errors import SelectionError
from clinica_gado.words import counted, first_few

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_NO_FILTER = EntityFilter()


@dataclass(frozen=True)
class Job:
    """One contrast-enhanced T1w to treat, and the real T1w without contrast when there is one."""

    visit: Visit
    source: Path
    evidence: Evidence
    cross_sectional: bool = False
    reference: Path | None = None
    reference_visit: Visit | None = None
    reference_evidence: Evidence | None = None


@dataclass(frozen=True)
class Selection:
    """Jobs in order of their visits, the role of every T1w found, and what cannot be treated."""

    jobs: list[Job] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def table(self) -> pd.DataFrame:
        """The table written as selection.tsv: one row for each T1w found, doubtful rows first."""
        import pandas as pd

        rows = sorted(self.decisions, key=lambda d: (not d.doubtful, d.visit, d.filename))
        return pd.DataFrame([_row(decision) for decision in rows], columns=list(SELECTION_COLUMNS))


SELECTION_COLUMNS = (
    *IDS,
    *("filename", "contrast", "evidence"),
    *("role", "reason", "detail", "reference", "doubtful"),
)


def select(
    bids: Path,
    *,
    visits_tsv: Path | None = None,
    input_filter: EntityFilter = _NO_FILTER,
    contrast_tsv: Path | None = None,
    pairs_tsv: Path | None = None,
    infer_companions: bool = True,
    keep: Callable[[Visit], bool] | None = None,
) -> Selection:
    """Choose the images to treat; nothing is asked of the user, and nothing is guessed.

    Parameters
    ----------
    bids
        Root of the dataset.
    visits_tsv
        Visits to look at (`participant_id`, `session_id`); all of them by default.
    input_filter
        Conditions on the entities of the input; references are not filtered.
    contrast_tsv
        What the user knows of the contrast (`participant_id`, `session_id`, `contrast`, and
        `filename`, `path` or `run` where a visit has several T1w).
    pairs_tsv
        References in other sessions (`participant_id`, `session_id`, `reference_session_id`, and
        `reference_filename` if needed). An image named so is taken to have no contrast.
    infer_companions
        Take a T1w of which no source says anything for one without contrast when a T1w of its
        visit carries `ce-`.
    keep
        Tells which of these visits to look at, such as those of one shard; all by default.

    Raises
    ------
    SelectionError
        The folder is no dataset, or a table cannot be used; every fault is listed at once.
    """
    listing = list_visits(bids, visits_tsv)
    n_visits = len(listing.folders)
    if keep is not None:
        listing = listing.only(keep)
    contrast = read_contrast_table(contrast_tsv)
    pairs = read_pairs_table(pairs_tsv, bids)
    assessor = Assessor(DatasetReader(bids), contrast, infer_companions)
    selector = _Selector(bids, assessor, input_filter, pairs)
    n_here = len(listing.folders)
    share = f"{n_here} of the " if n_here < n_visits else ""
    logger.info("Choosing among the T1w of %s%s in %s.", share, counted(n_visits, "visit"), bids)
    for folder in listing.folders:
        selector.add(folder, asked_for=visits_tsv is not None)
    if errors := list(dict.fromkeys([*contrast.errors, *pairs.errors])):
        raise SelectionError(list_in_words("Cannot use the tables", errors))
    selection = selector.selection(listing.problems)
    _warn_of_absent_visits(contrast, listing.folders, bids)
    _warn_of_idle_filter(input_filter, selector.entities_seen)
    _summarise(selection)
    return selection


class _Selector:
    """Gathers jobs, decisions and problems visit by visit."""

    def __init__(
        self, bids: Path, assessor: Assessor, wanted: EntityFilter, pairs: PairsTable
    ) -> None:
        self.entities_seen: set[str] = set()
        self._bids, self._assessor, self._wanted, self._pairs = bids, assessor, wanted, pairs
        self._jobs: list[Job] = []
        self._decisions: dict[str, Decision] = {}
        self._references: list[Decision] = []
        self._problems: list[Problem] = []

    def add(self, folder: VisitFolder, asked_for: bool) -> None:
        """Decide on the images of one visit; a visit named by the user must have a T1w."""
        try:
            assessed, unusable = self._assessor.assess(folder)
        except OSError as error:
            reason = f"cannot read its anat folder: {error.strerror}"
            self._problems.append(Problem(folder.visit, "", reason))
            return
        if asked_for and not assessed:
            self._problems.append(
                Problem(folder.visit, "", "no T1w that can be used in this visit")
            )
        choice = self._choose(assessed)
        rejected = map(decision_of_unusable, unusable)
        self._decisions.update((d.filename, d) for d in (*choice.decisions, *rejected))
        self.entities_seen.update(entity for a in assessed for entity in a.image.name.entities)
        if choice.source is not None:
            self._jobs.append(_job(choice.source, choice.reference, folder))
        else:
            self._problems += _missing_inputs(assessed)

    def selection(self, problems: Iterable[Problem]) -> Selection:
        """Return what was gathered; a reference elsewhere keeps its role in its own visit."""
        for decision in self._references:
            known = self._decisions.get(decision.filename)
            self._decisions[decision.filename] = _merged(known, decision)
        problems = [*problems, *self._problems]
        return Selection(self._jobs, list(self._decisions.values()), problems)

    def _choose(self, assessed: Sequence[AssessedImage]) -> VisitChoice:
        source = choose_source(assessed, self._wanted)
        reference = self._reference(source, assessed) if source is not None else None
        decisions = decide(assessed, self._wanted, source, reference)
        return VisitChoice(source, reference, decisions)

    def _reference(
        self, source: AssessedImage, assessed: Sequence[AssessedImage]
    ) -> Reference | None:
        pair = self._pairs.pairs.get(source.image.visit)
        if pair is not None:
            return self._paired_reference(source, pair)
        found = choose_reference(non_enhanced_of(assessed), source)
        reason = f"T1w without contrast of the same visit as {source.filename}"
        return Reference(found, reason) if found is not None else None

    def _paired_reference(self, source: AssessedImage, pair: Pair) -> Reference | None:
        """Find the reference that the user's table names; what is wrong is listed at the end."""
        folder = find_visit(self._bids, pair.reference_visit)
        if folder is None:  # already among the faults of the table
            return None
        try:
            candidates, fault = _candidates(self._assessor.assess(folder)[0], pair)
        except OSError as error:
            candidates, fault = [], f"cannot read {pair.reference_visit}: {error.strerror}"
        found = choose_reference(candidates, source)
        if found is None:
            self._pairs.errors.append(f"{pair.place}: {fault}")
            return None
        reference = Reference(_stated_by_pair(found, pair), f"reference of {pair.visit}")
        self._references.append(decision_of_reference(reference))
        return reference


def _candidates(assessed: Sequence[AssessedImage], pair: Pair) -> tuple[list[AssessedImage], str]:
    """List the images that a pair may mean, and what is wrong when none of them can be taken."""
    visit, named = pair.reference_visit, pair.reference_filename
    if named:
        assessed = [a for a in assessed if is_named(a.image, named)]
        if not assessed:
            return [], f"{visit} has no T1w named {named}"
    known = [a for a in non_enhanced_of(assessed) if a.usable]
    open_ones = [a for a in assessed if _is_open(a) and a.usable]
    return known or open_ones, f"{visit} has no usable T1w without contrast {named}".rstrip()


def _is_open(a: AssessedImage) -> bool:
    return a.evidence.contrast is Contrast.UNKNOWN and not a.evidence.other_agent


def _stated_by_pair(found: AssessedImage, pair: Pair) -> AssessedImage:
    """Take an image of unknown contrast, named by the user as reference, to have none."""
    if found.evidence.contrast is Contrast.NON_ENHANCED:
        return found
    stated = Evidence(Contrast.NON_ENHANCED, Source.PAIRS_TSV, f"{pair.place} takes it so")
    return replace(found, evidence=stated)


def _job(source: AssessedImage, reference: Reference | None, folder: VisitFolder) -> Job:
    job = Job(folder.visit, source.image.path, source.evidence, folder.cross_sectional)
    if reference is None:
        return job
    image: BidsImage = reference.image.image
    return replace(
        job,
        reference=image.path,
        reference_visit=image.visit,
        reference_evidence=reference.image.evidence,
    )


def _missing_inputs(assessed: Sequence[AssessedImage]) -> list[Problem]:
    """List contrast-enhanced images that are not there, in a visit left without input by that."""
    missing = [a for a in enhanced_of(assessed) if not a.image.present]
    return [Problem(a.image.visit, a.image.filename, a.rejection) for a in missing]


def _merged(known: Decision | None, decision: Decision) -> Decision:
    """Let a reference of several visits say so; any role but reference gives way."""
    if known is None or known.role is not Role.REFERENCE or known.reason == decision.reason:
        return decision
    return replace(decision, reason=f"{known.reason}; {decision.reason}")


def _row(decision: Decision) -> dict[str, object]:
    values = (
        *decision.visit,
        decision.filename,
        decision.evidence.contrast.value,
        decision.evidence.source.value,
        decision.role.value,
        decision.reason,
        "; ".join([decision.evidence.detail, *decision.notes]),
        decision.reference or None,
        decision.doubtful,
    )
    return dict(zip(SELECTION_COLUMNS, values, strict=True))


def _warn_of_absent_visits(
    contrast: ContrastTable, folders: Sequence[VisitFolder], bids: Path
) -> None:
    listed = {folder.visit for folder in folders}
    absent = [v for v in contrast.visits if v not in listed and find_visit(bids, v) is None]
    if absent:
        logger.warning(
            "--contrast-tsv names %s not in %s: %s.",
            *(counted(len(absent), "visit"), bids, first_few(absent)),
        )


def _warn_of_idle_filter(wanted: EntityFilter, seen: set[str]) -> None:
    for condition in wanted.conditions:
        if seen and condition.entity not in seen:
            logger.warning("--input-filter %s: no T1w carries %s-.", condition, condition.entity)


def _summarise(selection: Selection) -> None:
    logger.info(
        "%d T1w found: %s, %d of them with a reference, %d doubtful; %s.",
        len(selection.decisions),
        counted(len(selection.jobs), "input"),
        sum(job.reference is not None for job in selection.jobs),
        sum(decision.doubtful for decision in selection.decisions),
        counted(len(selection.problems), "problem"),
    )
