"""`detect`: every T1w of a dataset, its contrast, and what somebody must look at, as one table."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from clinica_gado.bids import IDS, Contrast, Evidence, Job, Source, Visit, list_visits
from clinica_gado.bids.assessment import AssessedImage, Assessor
from clinica_gado.bids.contrast_table import ContrastTable, read_contrast_table
from clinica_gado.bids.images import BidsImage, DatasetReader
from clinica_gado.bids.visits import Problem, VisitListing, list_in_words
from clinica_gado.caps import linear_paths, read_sidecar, removal_paths
from clinica_gado.detection.classifier import SHA256, Picture, judge_image, load_classifier
from clinica_gado.detection.placing import place_on_template
from clinica_gado.detection.verdict import decide, with_dicom_fields
from clinica_gado.errors import GadoError, InputImageError, SelectionError
from clinica_gado.files import read_table, sha256_of, write_tsv
from clinica_gado.outcomes import failure, write_failures
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, read_volume
from clinica_gado.runs.each import run_each
from clinica_gado.runs.progress import show_progress
from clinica_gado.runs.shards import Shard

logger = logging.getLogger(__name__)

SAVE_S, SAVE_SHARE = 30.0, 20.0
"""Between two savings of the table: seconds, and times what the last one took."""
COLUMNS = (
    *IDS,
    *("filename", "contrast", "evidence", "review"),
    *("picture", "probability", "detail", "failure", "source_sha256", "classifier_sha256"),
)


@dataclass(frozen=True)
class DetectionRequest:
    """What to look at.

    Attributes
    ----------
    output : the table, read again to go on where it stopped.
    caps : where t1-linear images may be found, of Clinica or of this package.
    visits_tsv, contrast_tsv : as for `clinica run t1-gado-removal`.
    only_unknown : do not look at images whose metadata say something.
    shard : share of the participants; None for all.
    n_procs : images at once, each in a process of its own if there are several.
    timeout_s : of an image in such a process.
    """

    bids: Path
    output: Path
    caps: Path | None = None
    visits_tsv: Path | None = None
    contrast_tsv: Path | None = None
    only_unknown: bool = False
    shard: Shard | None = None
    n_procs: int = 1
    timeout_s: float = 1800.0


class _Candidate(NamedTuple):
    image: BidsImage
    evidence: Evidence
    rejection: str


class _Seen(NamedTuple):
    """What looking at an image brought: nothing where it was not looked at."""

    checksum: str | None = None
    picture: Picture | None = None
    failure: str | None = None


def detect(request: DetectionRequest) -> int:
    """Write the table, image by image; return how many images or visits failed.

    Raises
    ------
    SelectionError, ResourceError, OutputError
        Nothing can start: one line that says why.
    """
    load_classifier()
    earlier = _earlier_rows(request.output)
    kept = _pictures(earlier)
    listing = list_visits(request.bids, request.visits_tsv)
    if request.shard is not None:
        listing = listing.only(request.shard.holds)
    candidates, problems = _candidates(request, listing)
    logger.info("Looking at %d T1w of %s.", len(candidates), request.bids)
    given = [(c, request, kept.get(c.image.filename, {})) for c in candidates]
    table = _Table(request.output, earlier)
    table.save()  # a place that cannot be written is known before hours of looking
    try:
        with show_progress(len(candidates), unit="image") as progress:
            for index, seen in run_each(_look_at, given, request.n_procs, request.timeout_s):
                if isinstance(seen, GadoError):  # its process came to no end
                    seen = _Seen(failure=_reason(candidates[index], seen))
                row = _row(candidates[index], seen)
                table.add(row)
                progress.add(bool(row["failure"]))
                progress.tick()
                logger.debug("%s", _in_words(row))
    except BaseException:
        table.save()  # what an earlier run saw and this one has not come to yet is not lost
        raise
    _write(request.output, [*table.rows, *_rows_of_others(request, listing, earlier)])
    # What is no T1w of a visit cannot be in a table that `--contrast-tsv` reads.
    beside = request.output.with_name(f"{request.output.stem}_failures.tsv")
    failed = write_failures(beside, [], problems) + sum(bool(row["failure"]) for row in table.rows)
    review = sum(bool(row["review"]) for row in table.rows)
    counts = (request.output, len(candidates), review, failed)
    logger.info("%s: %d T1w, %d to review, %d failed.", *counts)
    return failed


def _rows_of_others(
    request: DetectionRequest, listing: VisitListing, earlier: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the rows of an earlier run whose visits were not asked for now."""
    if request.visits_tsv is None and request.shard is None:
        return []
    asked = {folder.visit for folder in listing.folders}
    rows = earlier.values()
    return [row for row in rows if Visit(row["participant_id"], row["session_id"]) not in asked]


class _Table:
    """The rows of a run and, of an earlier one, those of images that it has not come to yet."""

    def __init__(self, output: Path, earlier: dict[str, dict[str, Any]]) -> None:
        self.rows: list[dict[str, Any]] = []
        self._output, self._earlier = output, earlier
        self._next_save = time.monotonic() + SAVE_S

    def add(self, row: dict[str, Any]) -> None:
        """Take a row; save all of them now and then."""
        self.rows.append(row)
        self._earlier.pop(row["filename"], None)
        if time.monotonic() > self._next_save:
            self.save()

    def save(self) -> None:
        """Write the table, which takes seconds when it is long: the longer, the more seldom."""
        begin = time.monotonic()
        _write(self._output, [*self.rows, *self._earlier.values()])
        self._next_save = time.monotonic() + max(SAVE_S, SAVE_SHARE * (time.monotonic() - begin))


def _candidates(
    request: DetectionRequest, listing: VisitListing
) -> tuple[list[_Candidate], list[Problem]]:
    """List the T1w that could be taken, with what their metadata say, and the visits that fail."""
    reader, table = DatasetReader(request.bids), read_contrast_table(request.contrast_tsv)
    assessor = Assessor(reader, table)
    candidates: list[_Candidate] = []
    problems = list(listing.problems)
    for folder in listing.folders:
        try:
            assessed, unusable = assessor.assess(folder)
        except OSError as error:
            reason = f"cannot read its anat folder: {error.strerror}"
            problems.append(Problem(folder.visit, "", reason))
            continue
        candidates += (_candidate(a, reader) for a in assessed if a.usable or not a.image.present)
        problems += (Problem(u.visit, u.filename, u.reason) for u in unusable)
    _refuse_faults(table)
    return candidates, problems


def _candidate(assessed: AssessedImage, reader: DatasetReader) -> _Candidate:
    fields = reader.metadata_of(assessed.image).fields
    evidence = with_dicom_fields(assessed.evidence, fields)
    return _Candidate(assessed.image, evidence, assessed.rejection)


def _refuse_faults(table: ContrastTable) -> None:
    if errors := list(dict.fromkeys(table.errors)):
        raise SelectionError(list_in_words("Cannot use --contrast-tsv", errors))


def _look_at(
    candidate: _Candidate, request: DetectionRequest, kept: Mapping[str, Picture]
) -> _Seen:
    """Judge an image; `kept` has what was seen in the same file before, by its checksum."""
    if request.only_unknown and _is_stated(candidate.evidence):
        return _Seen()
    checksum = None
    try:
        checksum = _checksum(candidate)
        picture = kept.get(checksum) or _look(candidate.image, checksum, request.caps)
    except Exception as error:
        return _Seen(checksum, failure=_reason(candidate, error))
    return _Seen(checksum, picture)


def _reason(candidate: _Candidate, error: Exception) -> str:
    image = candidate.image
    return failure(Job(image.visit, image.path, candidate.evidence), error).reason


def _row(candidate: _Candidate, seen: _Seen) -> dict[str, Any]:
    image, picture = candidate.image, seen.picture
    verdict = decide(candidate.evidence, picture)
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {**image.visit._asdict(), "filename": image.filename}
    row |= {
        "contrast": verdict.contrast.value,
        "evidence": verdict.source.value,
        "detail": verdict.detail,
        "review": verdict.review or None,
        "failure": seen.failure,
        "source_sha256": seen.checksum,
    }
    if picture is not None:
        row |= {"picture": picture.contrast.value, "probability": picture.probability}
        row["classifier_sha256"] = SHA256
    return row


def _is_stated(evidence: Evidence) -> bool:
    """Tell whether metadata say it; that a sibling has `ce-` is a guess."""
    known = evidence.contrast is not Contrast.UNKNOWN and evidence.source is not Source.COMPANION
    return known or evidence.other_agent


def _checksum(candidate: _Candidate) -> str:
    if candidate.rejection:
        raise InputImageError(candidate.rejection)
    try:
        return sha256_of(candidate.image.path)
    except OSError as error:
        raise InputImageError(
            f"{candidate.image.path} cannot be opened ({error.strerror}); check its permissions."
        ) from error


def _look(image: BidsImage, checksum: str, caps: Path | None) -> Picture:
    """Judge the t1-linear image that CAPS holds, or the image placed on the template here."""
    found = None if caps is None else _prepared(image, checksum, caps)
    if found is None:
        found = place_on_template(read_volume(image.path))
    return judge_image(found.data)


def _prepared(image: BidsImage, checksum: str, caps: Path) -> Volume | None:
    """Read what t1-gado-removal or Clinica's t1-linear made of an image; None when there is none.

    The latter says not of which file it was made: it must be younger than the image.
    """
    ours = removal_paths(caps, image.path, image.visit)
    theirs = linear_paths(caps, image.path, image.visit).cropped
    if (read_sidecar(ours.linear_sidecar) or {}).get("SourceSha256") == checksum:
        path = ours.linear
    elif theirs.is_file() and theirs.stat().st_mtime >= image.path.stat().st_mtime:
        path = theirs
    else:
        return None
    try:
        volume = read_volume(path)
    except InputImageError as error:
        logger.warning("%s It is not used.", error)
        return None
    return volume if volume.data.shape == CROP_GRID.shape else None


def _earlier_rows(output: Path) -> dict[str, dict[str, Any]]:
    """Return the rows that an earlier run left, by file name."""
    if not output.is_file():
        return {}
    table = read_table(output, COLUMNS).astype(object)
    records = table.where(table.notna(), None).to_dict("records")
    return {str(row["filename"]): {str(k): v for k, v in row.items()} for row in records}


def _pictures(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Picture]]:
    """Return what the same classifier saw: file name to checksum to picture."""
    return {
        filename: {
            str(row["source_sha256"]): Picture(float(row["probability"]), Contrast(row["picture"]))
        }
        for filename, row in rows.items()
        if row["classifier_sha256"] == SHA256 and row["probability"] is not None
    }


def _write(output: Path, rows: list[dict[str, Any]]) -> None:
    """Write what is known so far, what somebody must look at first."""
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    keys = pd.DataFrame({"calm": table["review"].isna() & table["failure"].isna()})
    order = keys.join(table[[*IDS, "filename"]].fillna(""))
    names = ["calm", *IDS, "filename"]
    write_tsv(output, table.loc[order.sort_values(names).index])


def _in_words(row: Mapping[str, Any]) -> str:
    doubts = [text for text in (row["review"], row["failure"]) if text]
    return f"{row['filename']}: {row['contrast']}" + (f" ({'; '.join(doubts)})" if doubts else "")
