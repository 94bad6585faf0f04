"""`export`: a CAPS of T1w without contrast, real or synthetic, that stock Clinica tools read."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clinica_gado.bids import IDS, Visit
from clinica_gado.caps import qc_folder, read_sidecar, sidecar_of, visit_folder
from clinica_gado.errors import GadoError, OutputError, SelectionError
from clinica_gado.export.candidates import (
    SYNTHETIC,
    Candidate,
    contrasts_of,
    find_candidate,
)
from clinica_gado.export.covariates import covariates
from clinica_gado.files import atomic_path, remove_leftovers, sha256_of, write_json, write_tsv
from clinica_gado.gado_removal import PIPELINE
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES, MNI_GRID
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.provenance import generated_by
from clinica_gado.report.reviews import REJECT, Review, read_reviews
from clinica_gado.runs.progress import show_progress
from clinica_gado.words import counted

logger = logging.getLogger(__name__)

DATASET_NAME = "T1w without contrast, real or synthetic"
MANIFEST_COLUMNS = (
    *IDS,
    *("origin", "filename", "flags", "decision", "comment"),
    *("source", "image_sha256", "model", "model_sha256"),
)
LEFT_OUT_COLUMNS = (*IDS, "status", "reason")
REJECTED, NOTHING, FAILED = "rejected", "no image", "failed"


@dataclass(frozen=True)
class ExportRequest:
    """What to export.

    Attributes
    ----------
    reviews : decisions saved by the report; rejected visits are left out.
    covariates : the user's covariates of participants or visits.
    link : hard links in place of copies, where both folders are on one file system.
    n_procs : visits at once.
    """

    caps: Path
    output: Path
    reviews: Path | None = None
    covariates: Path | None = None
    link: bool = False
    n_procs: int = 1


@dataclass
class _Export:
    """What became of the visits: rows of the manifest, and of those that are left out."""

    exported: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)

    def add(self, end: dict[str, Any]) -> None:
        """Take the row of a visit: a status is why it is left out."""
        (self.left_out if "status" in end else self.exported).append(end)


def export(request: ExportRequest) -> int:
    """Write the dataset, its manifest and covariates; return how many visits failed.

    Raises
    ------
    OutputError, SelectionError
        Nothing can start, or a table cannot be used.
    """
    reviews = {} if request.reviews is None else read_reviews(request.reviews)
    contrasts = contrasts_of(qc_folder(request.caps, PIPELINE) / "selection.tsv")
    visits = _visits(request.caps)
    covariates([], request.covariates)  # a table that cannot be used stops here
    _prepare(request)
    work = partial(_place_visit, request=request, contrasts=contrasts, reviews=reviews)
    result = _Export()
    with show_progress(len(visits)) as progress:
        for end in _in_order(work, visits, request.n_procs):
            result.add(end)
            progress.add(failed=end.get("status") == FAILED)
            progress.tick()
    _remove_absent(request.output, result)
    return _finish(request, result)


def _visits(caps: Path) -> list[Visit]:
    folders = sorted((caps / "subjects").glob("sub-*/ses-*"))
    if not folders:
        raise SelectionError(f"{caps} holds no subjects/sub-*/ses-*: give the root of a CAPS.")
    return [Visit(folder.parent.name, folder.name) for folder in folders]


def _prepare(request: ExportRequest) -> None:
    """Start the output folder, or take up one that an earlier export made; refuse any other."""
    output, caps = request.output.resolve(), request.caps.resolve()
    if output.is_relative_to(caps) or caps.is_relative_to(output):
        raise OutputError(
            f"{request.output} must neither hold {request.caps} nor lie in it; choose another."
        )
    description = output / "dataset_description.json"
    if (read_sidecar(description) or {}).get("Name") == DATASET_NAME:
        remove_leftovers(output)
        return
    if output.is_dir() and any(output.iterdir()):
        raise OutputError(f"{request.output} holds something else; give an empty or a new folder.")
    from clinica.dataset import BIDS_VERSION, CAPS_VERSION

    content = {
        "Name": DATASET_NAME,
        "BIDSVersion": str(BIDS_VERSION),
        "CAPSVersion": str(CAPS_VERSION),
        "DatasetType": "derivative",
        "Processing": [],
    }
    write_json(description, content)


def _in_order(
    work: Callable[[Visit], dict[str, Any]], visits: Sequence[Visit], n_procs: int
) -> Iterator[dict[str, Any]]:
    """Do the work for visits, so many at once, and give the ends in the order of the visits.

    Threads do: checksums, copies and gzip, which are all of it, leave Python to the others.
    """
    with ThreadPoolExecutor(n_procs) as pool:
        yield from pool.map(work, visits)


def _place_visit(
    visit: Visit,
    request: ExportRequest,
    contrasts: Mapping[str, str],
    reviews: Mapping[Visit, Review],
) -> dict[str, Any]:
    """Export a visit, or say why not; whatever is wrong with it stays its own."""
    review = reviews.get(visit, Review(""))
    if review.decision == REJECT:
        return _left_out(visit, REJECTED, review.comment)
    try:
        candidate = find_candidate(request.caps, visit, contrasts)
        if candidate is None:
            reason = "CAPS has no T1w of it that is without contrast, real or synthetic"
            return _left_out(visit, NOTHING, reason)
        checksum = _place(candidate, request)
    except GadoError as error:
        return _left_out(visit, FAILED, str(error))
    except OSError as error:
        why = f"its image cannot be copied: {error.strerror or error}; check permissions and space"
        return _left_out(visit, FAILED, why)
    except ValueError as error:
        reason = f"unexpected {type(error).__name__}: {error}; please report it."
        return _left_out(visit, FAILED, reason)
    return _row(candidate, request, checksum, review)


def _place(candidate: Candidate, request: ExportRequest) -> str:
    """Put the image and its sidecar in place unless they are there; return its checksum."""
    target = _target(candidate, request.output)
    checksum = sha256_of(candidate.image)
    content = _describe(candidate, request.caps, checksum)
    whole = target.with_name(target.name.replace("_desc-Crop", ""))
    wanted = {target, whole, sidecar_of(target)}
    there = target.parent.is_dir() and set(target.parent.iterdir()) == wanted
    if there and read_sidecar(sidecar_of(target)) == content:
        return checksum
    cropped = read_volume(candidate.image)
    if cropped.data.shape != CROP_GRID.shape:
        raise OutputError(f"{candidate.image} is not on t1-linear's grid; make it again.")
    shutil.rmtree(target.parent, ignore_errors=True)
    _put(candidate.image, target, request.link)
    if candidate.whole is not None:
        _put(candidate.whole, whole, request.link)
    else:
        save_volume(_uncropped(cropped), whole)
    write_json(sidecar_of(target), content)
    return checksum


def _target(candidate: Candidate, output: Path) -> Path:
    return visit_folder(output, candidate.visit) / "t1_linear" / candidate.exported_name


def _put(source: Path, target: Path, link: bool) -> None:
    with atomic_path(target) as partial:
        if link:
            os.link(source.resolve(), partial)
        else:
            shutil.copyfile(source, partial)


def _uncropped(cropped: Volume) -> Volume:
    """Return an image on the template's whole grid; what the crop cut away is zero."""
    whole = np.zeros(MNI_GRID.shape, dtype=np.float32)
    whole[CROP_SLICES] = cropped.data
    return Volume(whole, MNI_GRID.affine)


def _describe(candidate: Candidate, caps: Path, checksum: str) -> dict[str, Any]:
    return {
        "Description": "T1w without contrast under the name of Clinica's t1-linear",
        "Origin": candidate.origin,
        "SyntheticImage": candidate.origin == SYNTHETIC,
        "Sources": [candidate.image.relative_to(caps).as_posix()],
        "ImageSha256": checksum,
        "Model": candidate.sidecar.get("Model"),
        "ModelSha256": candidate.sidecar.get("ModelSha256"),
        "GeneratedBy": generated_by(),
    }


def _row(
    candidate: Candidate, request: ExportRequest, checksum: str, review: Review
) -> dict[str, Any]:
    return {
        **candidate.visit._asdict(),
        "origin": candidate.origin,
        "filename": _target(candidate, request.output).relative_to(request.output).as_posix(),
        "flags": "; ".join(candidate.flags) or None,
        "decision": review.decision or None,
        "comment": review.comment or None,
        "source": candidate.image.relative_to(request.caps).as_posix(),
        "image_sha256": checksum,
        "model": candidate.sidecar.get("Model"),
        "model_sha256": candidate.sidecar.get("ModelSha256"),
    }


def _left_out(visit: Visit, status: str, reason: str) -> dict[str, Any]:
    return {**visit._asdict(), "status": status, "reason": reason or None}


def _remove_absent(output: Path, result: _Export) -> None:
    """Remove what an earlier export made of visits that are left out now."""
    kept = {Visit(row["participant_id"], row["session_id"]) for row in result.exported}
    for folder in sorted((output / "subjects").glob("sub-*/ses-*")):
        if Visit(folder.parent.name, folder.name) not in kept:
            shutil.rmtree(folder / "t1_linear", ignore_errors=True)


def _finish(request: ExportRequest, result: _Export) -> int:
    """Write the three tables; return how many visits failed."""
    rows, left_out = result.exported, result.left_out
    manifest = pd.DataFrame(rows, columns=list(MANIFEST_COLUMNS))
    write_tsv(request.output / "manifest.tsv", manifest)
    rest = pd.DataFrame(left_out, columns=list(LEFT_OUT_COLUMNS))
    write_tsv(request.output / "left_out.tsv", rest)
    origins = [
        (Visit(row["participant_id"], row["session_id"]), str(row["origin"])) for row in rows
    ]
    write_tsv(request.output / "covariates.tsv", covariates(origins, request.covariates))
    failed = sum(row["status"] == FAILED for row in left_out)
    synthetic = sum(row["origin"] == SYNTHETIC for row in rows)
    logger.info(
        "%s: %s, %d of them synthetic; %d left out, %d of them failed.",
        *(request.output, counted(len(rows), "visit"), synthetic, len(left_out), failed),
    )
    return failed
