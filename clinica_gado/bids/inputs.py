"""Choice of the images that a network takes of each visit, with the reason for each file found."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clinica_gado.bids.assessment import AssessedImage, Assessor, assess_images
from clinica_gado.bids.contrast import Contrast, Source
from clinica_gado.bids.contrast_table import read_contrast_table
from clinica_gado.bids.decisions import Decision, Role
from clinica_gado.bids.images import BidsImage, DatasetReader, Unusable, stem_of
from clinica_gado.bids.input_rules import InputRequest, Place
from clinica_gado.bids.preference import preferred_source, why_source
from clinica_gado.bids.visits import IDS, Problem, Visit, VisitFolder, list_in_words, list_visits
from clinica_gado.errors import SelectionError
from clinica_gado.sequences import T1W, T1W_CE, T1W_KINDS, T1W_LOW_DOSE
from clinica_gado.words import counted, first_few

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

INPUT_COLUMNS = (
    *IDS,
    *("filename", "input", "role", "reason"),
    *("contrast", "evidence", "detail", "doubtful"),
)
_STATED = (Source.ENTITY, Source.SIDECAR, Source.CONTRAST_TSV)


@dataclass(frozen=True)
class InputFile:
    """An image to take; with its b-values, a diffusion series to compute the ADC map of."""

    path: Path
    b_values: Path | None = None


@dataclass(frozen=True)
class InputJob:
    """The images of one visit by input, the inputs that it lacks, and what it is compared with."""

    visit: Visit
    files: Mapping[str, InputFile]
    missing: tuple[str, ...] = ()
    cross_sectional: bool = False
    reference: Path | None = None

    @property
    def source(self) -> Path:
        """The first image, which leads the others to the template and names the results."""
        return next(iter(self.files.values())).path


@dataclass(frozen=True)
class InputDecision(Decision):
    """What becomes of one file, and for which input it was looked at; a line of selection.tsv.

    Without a file name, it says of an input that the visit has no image for it.
    """

    input: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether a person should look; only of a T1w must the contrast be known."""
        if not self.filename:
            return False
        if self.input in T1W_KINDS or self.unreadable_name:
            return super().doubtful
        return self.evidence.contradicted or bool(self.notes)


@dataclass(frozen=True)
class InputSelection:
    """Jobs in order of their visits, the role of every file, and what cannot be treated.

    Attributes
    ----------
    incomplete : visits that lack a required image; among `problems` too if they were asked for.
    """

    jobs: list[InputJob] = field(default_factory=list)
    decisions: list[InputDecision] = field(default_factory=list)
    incomplete: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def table(self) -> pd.DataFrame:
        """The table written as selection.tsv: a row for each file, doubtful rows first.

        A visit that is left alone has a row without a file for each image that it lacks.
        """
        import pandas as pd

        rows = sorted(self.decisions, key=lambda d: (not d.doubtful, d.visit, d.filename, d.input))
        return pd.DataFrame([_row(decision) for decision in rows], columns=list(INPUT_COLUMNS))


def select_inputs(
    bids: Path,
    request: InputRequest,
    *,
    visits_tsv: Path | None = None,
    contrast_tsv: Path | None = None,
) -> InputSelection:
    """Choose the images of each visit; nothing is asked of the user, and nothing is guessed.

    Parameters
    ----------
    bids
        Root of the dataset.
    request
        Which images, under which conditions.
    visits_tsv, contrast_tsv
        See `clinica_gado.bids.select`.

    Raises
    ------
    SelectionError
        The folder is no dataset, or a table cannot be used; every fault is listed at once.
    """
    listing = list_visits(bids, visits_tsv)
    contrast = read_contrast_table(contrast_tsv)
    reader = DatasetReader(bids)
    selection = InputSelection(problems=list(listing.problems))
    for folder in listing.folders:
        _add_visit(selection, request, Assessor(reader, contrast), folder)
    if visits_tsv is not None:
        selection.problems.extend(selection.incomplete)
    if contrast.errors:
        raise SelectionError(
            list_in_words("Cannot use the table", list(dict.fromkeys(contrast.errors)))
        )
    _summarise(selection, request)
    return selection


def _add_visit(
    selection: InputSelection, request: InputRequest, assessor: Assessor, folder: VisitFolder
) -> None:
    try:
        chooser = _Chooser(request, assessor, folder)
        job = chooser.choose()
    except OSError as error:
        reason = f"cannot read its folders: {error.strerror}"
        selection.problems.append(Problem(folder.visit, "", reason))
        return
    lacking = [name for name in job.missing if name in request.required]
    if lacking:
        reason = f"has no {', '.join(map(request.kind_of, lacking))}"
        chooser.leave_visit_alone(lacking, f"left alone: the visit {reason}")
        selection.incomplete.append(Problem(folder.visit, "", reason))
        selection.problems.extend(chooser.not_there(lacking))
    else:
        selection.jobs.append(job)
    selection.decisions.extend(chooser.decisions)


def _summarise(selection: InputSelection, request: InputRequest) -> None:
    n_jobs, names = counted(len(selection.jobs), "visit"), ", ".join(request.names)
    logger.info("%s to take (%s), %d left alone.", n_jobs, names, len(selection.incomplete))
    by_reason: dict[str, list[Visit]] = {}
    for problem in selection.incomplete:
        by_reason.setdefault(problem.reason, []).append(problem.visit)
    for reason, visits in by_reason.items():
        n_visits = counted(len(visits), "visit")
        logger.info("%s left alone (the visit %s): %s.", n_visits, reason, first_few(visits))


class _Chooser:
    """Chooses among the images of one visit, and says why."""

    def __init__(self, request: InputRequest, assessor: Assessor, folder: VisitFolder) -> None:
        self._decided: dict[tuple[str, str], InputDecision] = {}
        self._absent: set[str] = set()
        self._request, self._reader, self._folder = request, assessor.reader, folder
        self._t1w, unusable = assessor.assess(folder)
        self._record(_of_unusable(file, "") for file in unusable)

    @property
    def decisions(self) -> list[InputDecision]:
        """What becomes of each file looked at, by the input it was looked at for."""
        return list(self._decided.values())

    def not_there(self, names: Iterable[str]) -> list[Problem]:
        """List the files of inputs that are links to nothing: the visit would have them."""
        wanted = set(names)
        return [
            Problem(self._folder.visit, filename, decision.reason)
            for (filename, name), decision in self._decided.items()
            if name in wanted and filename in self._absent
        ]

    def _record(self, decisions: Iterable[InputDecision]) -> None:
        for decision in decisions:
            self._decided.setdefault((decision.filename, decision.input), decision)

    def choose(self) -> InputJob:
        """Return the job of the visit; `decisions` then has every file."""
        files = {}
        for name in self._request.names:
            found = self._choose_one(name)
            if found is not None:
                files[name] = found
        wanted = self._request.reference
        reference = self._choose_one(wanted) if wanted is not None else None
        self._leave_other_t1w_alone()
        missing = tuple(name for name in self._request.names if name not in files)
        return InputJob(
            *(self._folder.visit, files, missing, self._folder.cross_sectional),
            reference=None if reference is None else reference.path,
        )

    def leave_visit_alone(self, lacking: Iterable[str], reason: str) -> None:
        """Take nothing of a visit after all, and record each input that it has no image for."""
        for key, decision in self._decided.items():
            if decision.role in (Role.INPUT, Role.REFERENCE):
                self._decided[key] = replace(decision, role=Role.LEFT_ALONE, reason=reason)
        visit = self._folder.visit
        self._record(
            InputDecision(visit, "", Role.LEFT_ALONE, reason, input=name) for name in lacking
        )

    def _choose_one(self, name: str) -> InputFile | None:
        found = None
        for place in self._request.places_of(name):
            images = self._images_in(place, name)
            if found is None:
                found = self._among(images, place, name)
            else:
                reason = f"{found.path.name} was chosen: it comes first"
                self._reject([(a, a.rejection or reason) for a in images], name)
        return found

    def _images_in(self, place: Place, name: str) -> list[AssessedImage]:
        kind = self._request.kind_of(name)
        if kind in T1W_KINDS:
            return [a for a in self._t1w if self._kind_of_t1w(a) == kind]
        images, unusable = self._reader.images_of(self._folder, place.modality, place.suffix)
        self._record(_of_unusable(file, name) for file in unusable)
        if place.without_b_values:
            images = self._without_b_values(images)
        images = [image for image in images if place.entities.matches(image.name)]
        return assess_images(images, [self._reader.metadata_of(image) for image in images])

    def _without_b_values(self, images: Sequence[BidsImage]) -> list[BidsImage]:
        """Keep those without b-values, also where they inherit those that another has by its name.

        `sub-01_dwi.bval` applies to `sub-01_acq-adcmap_dwi.nii.gz`, but is of `sub-01_dwi.nii.gz`.
        """
        kept, stems = [], {stem_of(image.path.name) for image in images}
        for image in images:
            b_values = self._reader.file_beside(image, ".bval")
            others = stems - {stem_of(image.path.name)}
            if b_values is None or b_values.stem in others:
                kept.append(image)
        return kept

    def _among(self, images: Sequence[AssessedImage], place: Place, name: str) -> InputFile | None:
        self._absent |= {a.image.filename for a in images if not a.image.present}
        refused = {a.image.filename: self._why_refused(a, place, name) for a in images}
        usable = [a for a in images if not refused[a.image.filename]]
        self._reject([(a, why) for a in images if (why := refused[a.image.filename])], name)
        if not usable:
            return None
        best = preferred_source([a.image.name for a in usable])
        (winner,) = (a for a in usable if a.image.name is best)
        others = [a for a in usable if a is not winner]
        self._reject([(a, _why_other(winner, a)) for a in others], name)
        role = Role.REFERENCE if name == self._request.reference else Role.INPUT
        self._record([_decision(winner, role, _why_chosen(winner, others), name)])
        b_values = self._reader.file_beside(winner.image, ".bval") if place.is_series else None
        return InputFile(winner.image.path, b_values)

    def _why_refused(self, a: AssessedImage, place: Place, name: str) -> str:
        """Return why an image cannot be taken for an input; nothing if it can."""
        unmet = self._request.filter_of(name).first_unmet(a.image.name)
        enhanced = a.evidence.contrast is Contrast.ENHANCED
        if a.rejection:
            return a.rejection
        if unmet is not None:
            return f"does not pass --input-filter {self._request.kind_of(name)}:{unmet}"
        if self._request.kind_of(name) not in T1W_KINDS and enhanced:
            return f"acquired with contrast agent ({a.evidence.detail})"
        if place.is_series and self._reader.file_beside(a.image, ".bval") is None:
            return (
                "no .bval file belongs to it, so no ADC can be computed; "
                "if it is a map, --input-filter ADC:acq=… (or desc, rec) says so"
            )
        return ""

    def _kind_of_t1w(self, a: AssessedImage) -> str | None:
        """Return which input a T1w can be; None when its contrast is not known."""
        contrast, source = a.evidence.contrast, a.evidence.source
        if a.evidence.other_agent:
            return None
        if self._request.low_dose.matches(a.image.name):
            # A name that says low dose is no image without contrast, unless that is stated.
            is_plain = contrast is Contrast.NON_ENHANCED and source in _STATED
            return T1W if is_plain else T1W_LOW_DOSE
        if contrast is Contrast.UNKNOWN:
            return T1W if self._request.assume_plain else None
        return T1W_CE if contrast is Contrast.ENHANCED else T1W

    def _leave_other_t1w_alone(self) -> None:
        seen = {decision.filename for decision in self.decisions}
        for a in self._t1w:
            if a.image.filename in seen:
                continue
            kind = self._kind_of_t1w(a)
            reason = a.rejection or f"left alone: {kind} is not asked for"
            if not a.rejection and kind is None:
                reason = "left alone: contrast unknown or of another agent; --contrast-tsv tells"
            role = Role.REJECTED if a.rejection else Role.LEFT_ALONE
            self._record([_decision(a, role, reason, kind or T1W)])

    def _reject(self, images: Sequence[tuple[AssessedImage, str]], name: str) -> None:
        self._record(_decision(a, Role.REJECTED, why, name) for a, why in images)


def _decision(a: AssessedImage, role: Role, reason: str, name: str) -> InputDecision:
    image = a.image
    return InputDecision(image.visit, image.filename, role, reason, a.evidence, a.notes, input=name)


def _why_chosen(winner: AssessedImage, others: Sequence[AssessedImage]) -> str:
    if not others:
        return "the only one of this visit that can be taken"
    runner_up = preferred_source([other.image.name for other in others])
    why = why_source(winner.image.name, runner_up)
    return f"chosen among {len(others) + 1}: {why}"


def _why_other(winner: AssessedImage, other: AssessedImage) -> str:
    return f"{winner.filename} was chosen: {why_source(winner.image.name, other.image.name)}"


def _of_unusable(file: Unusable, name: str) -> InputDecision:
    return InputDecision(
        file.visit, file.filename, Role.REJECTED, file.reason, unreadable_name=True, input=name
    )


def _row(decision: InputDecision) -> dict[str, object]:
    evidence = decision.evidence
    detail = "; ".join([evidence.detail, *decision.notes])
    of_file = (evidence.contrast.value, evidence.source.value, detail)
    values = (
        *decision.visit,
        decision.filename or None,
        decision.input or None,
        decision.role.value,
        decision.reason,
        *(of_file if decision.filename else (None, None, None)),
        decision.doubtful,
    )
    return dict(zip(INPUT_COLUMNS, values, strict=True))
