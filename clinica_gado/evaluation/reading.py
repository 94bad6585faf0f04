"""What readers found and how they graded: tables in, scores and tests out (Bône 2022)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clinica_gado.bids.visits import IDS, Visit, list_in_words, read_visit_table
from clinica_gado.errors import SelectionError
from clinica_gado.evaluation.detection import (
    COMPARISON_COLUMNS,
    MAX_LESIONS,
    SCORE_COLUMNS,
    STRATA_MM,
    compare_readings,
    detect,
    score_readings,
    without_crowded,
)
from clinica_gado.evaluation.lesion_axes import Lesion, Marks, lesions_of_mask, read_marks
from clinica_gado.evaluation.lesions import ENHANCING, read_label_map
from clinica_gado.evaluation.metrics import records
from clinica_gado.evaluation.readers import AVERAGE, compare_grades, compare_readers
from clinica_gado.files import write_json, write_tsv
from clinica_gado.provenance import INTENDED_USE, generated_by

if TYPE_CHECKING:
    from clinica_gado.evaluation.detection import Reading

LESION_COLUMNS = (*IDS, "image", "reader", "long_axis_mm", "found")
LEFT_OUT_COLUMNS = (*IDS, "reason")


@dataclass(frozen=True)
class DetectionStudy:
    """Lesions found on each kind of image by each reader.

    Attributes
    ----------
    scores : `image`, `reader` (the last `average`, where there are several) and `SCORE_COLUMNS`.
    comparisons : `first`, `second` (kinds of image) and `COMPARISON_COLUMNS`, over the readers
        that read both.
    lesions : each reference lesion in each reading (`LESION_COLUMNS`).
    left_out : visits that count nowhere, and why (`LEFT_OUT_COLUMNS`).
    """

    scores: pd.DataFrame
    comparisons: pd.DataFrame
    lesions: pd.DataFrame
    left_out: pd.DataFrame


@dataclass(frozen=True)
class GradeStudy:
    """Grades, or reading times: kinds of image, and readers, against each other."""

    images: pd.DataFrame
    readers: pd.DataFrame


def read_reference(
    source: Path, enhancing: tuple[int, ...] = ENHANCING, min_voxels: int = 1
) -> dict[Visit, Sequence[Lesion]]:
    """Read the reference lesions of each visit.

    Parameters
    ----------
    source : table of axes (see `read_marks`), or folder of label maps
        `sub-X/ses-Y/anat/*_dseg.nii.gz`, whose connected parts are measured.
    enhancing, min_voxels : labels that count, and the least part of them; for label maps.

    Raises
    ------
    SelectionError, InputImageError
        The table or a label map cannot be read, there is none, or the table has a visit twice.
    """
    if source.is_file():
        return _of_table(source)
    files = sorted(source.glob("sub-*/ses-*/anat/*_dseg.nii*"))
    if not files:
        raise SelectionError(
            f"{source} has no label map sub-X/ses-Y/anat/*_dseg.nii.gz; give a folder that has, or "
            "a table of axes."
        )
    found: dict[Visit, Sequence[Lesion]] = {}
    for path in files:
        visit = Visit(path.parents[2].name, path.parents[1].name)
        if visit not in found:  # of several the first by name, as everywhere
            labels, affine = read_label_map(path)
            found[visit] = lesions_of_mask(np.isin(labels, enhancing), affine, min_voxels)
    return found


def _of_table(source: Path) -> dict[Visit, Sequence[Lesion]]:
    marks = read_marks(source)
    found: dict[Visit, Sequence[Lesion]] = {mark.visit: mark.lesions for mark in marks}
    if len(found) < len(marks):
        raise SelectionError(
            f"{source.name} has several readers or images of a visit: a reference has one."
        )
    return found


def study_detection(
    reference: Mapping[Visit, Sequence[Lesion]],
    marks: Iterable[Marks],
    strata: Sequence[float] = STRATA_MM,
    max_lesions: int = MAX_LESIONS,
) -> DetectionStudy:
    """Score every reader on every kind of image, and compare the kinds.

    Only visits that every reader has read on every kind of image count: a visit without any mark
    has a row of its own in the table of marks.

    Raises
    ------
    SelectionError
        No visit is left.
    """
    by_reading: dict[tuple[str, str], dict[Visit, tuple[Lesion, ...]]] = {}
    for mark in marks:
        by_reading.setdefault((mark.image, mark.reader), {})[mark.visit] = mark.lesions
    left_out = _left_out(reference, by_reading, max_lesions)
    visits = sorted(set(reference) - set(left_out))
    if not visits:
        raise SelectionError(
            "No visit has reference lesions and was read by every reader on every kind of image: "
            f"{_first_reasons(left_out)}."
        )
    readings: dict[str, dict[str, Reading]] = {}
    for (image, reader), read in by_reading.items():
        found = {visit: detect(reference[visit], read[visit]) for visit in visits}
        readings.setdefault(image, {})[reader] = found
    reasons = [(*visit, reason) for visit, reason in sorted(left_out.items())]
    return DetectionStudy(
        scores=_scores(readings, strata),
        comparisons=_comparisons(readings, strata),
        lesions=_lesions(readings),
        left_out=pd.DataFrame(reasons, columns=list(LEFT_OUT_COLUMNS)),
    )


def _left_out(
    reference: Mapping[Visit, Sequence[Lesion]],
    by_reading: Mapping[tuple[str, str], Mapping[Visit, Sequence[Lesion]]],
    max_lesions: int,
) -> dict[Visit, str]:
    kept = without_crowded(reference, max_lesions)
    reasons = {
        visit: f"{len(reference[visit])} lesions, more than {max_lesions}"
        for visit in reference
        if visit not in kept
    }
    for (image, reader), read in by_reading.items():
        by, on = f" by {reader}" if reader else "", f" on {image}" if image else ""
        for visit in kept:
            if visit not in read:
                reasons.setdefault(visit, f"not read{by}{on}")
        reasons |= {visit: "no reference lesions known" for visit in read if visit not in reference}
    return reasons


def _first_reasons(left_out: Mapping[Visit, str]) -> str:
    counted = pd.Series(list(left_out.values()), dtype=object).value_counts()
    return "; ".join(f"{n} {reason}" for reason, n in counted.head(3).items()) or "there is none"


def _scores(readings: Mapping[str, Mapping[str, Reading]], strata: Sequence[float]) -> pd.DataFrame:
    tables = []
    for image, by_reader in readings.items():
        for reader, found in by_reader.items():
            tables.append(score_readings([found], strata).assign(image=image, reader=reader))
        if len(by_reader) > 1:
            found_by_all = score_readings(list(by_reader.values()), strata)
            tables.append(found_by_all.assign(image=image, reader=AVERAGE))
    return pd.concat(tables, ignore_index=True)[["image", "reader", *SCORE_COLUMNS]]


def _comparisons(
    readings: Mapping[str, Mapping[str, Reading]], strata: Sequence[float]
) -> pd.DataFrame:
    tables = []
    for first, second in combinations(readings, 2):
        both = [reader for reader in readings[first] if reader in readings[second]]
        if both:
            one, other = ([readings[image][reader] for reader in both] for image in (first, second))
            tables.append(compare_readings(one, other, strata).assign(first=first, second=second))
    if not tables:
        return pd.DataFrame(columns=["first", "second", *COMPARISON_COLUMNS])
    return pd.concat(tables, ignore_index=True)[["first", "second", *COMPARISON_COLUMNS]]


def _lesions(readings: Mapping[str, Mapping[str, Reading]]) -> pd.DataFrame:
    rows = [
        (*visit, image, reader, round(float(size), 3), bool(is_found))
        for image, by_reader in readings.items()
        for reader, cases in by_reader.items()
        for visit, case in cases.items()
        for size, is_found in zip(case.sizes_mm, case.is_found, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(LESION_COLUMNS))


def read_grades(path: Path, value: str) -> pd.DataFrame:
    """Read a table of `participant_id`, `session_id`, `image`, `reader` and a number.

    Raises
    ------
    SelectionError
        The table cannot be read, or a value is no number; every fault is listed.
    """
    rows, errors = read_visit_table(path, ("image", "reader", value))
    grades = []
    for row in rows:
        try:
            number = float(row.cells[value])
        except ValueError:
            errors.append(f"{row.place}: {value} must be a number, not {row.cells[value]!r}")
            continue
        grades.append((*row.visit, row.cells["image"], row.cells["reader"], number))
    if errors:
        raise SelectionError(list_in_words(f"Cannot use the grades of {path.name}", errors))
    return pd.DataFrame(grades, columns=[*IDS, "image", "reader", value])


def study_grades(grades: pd.DataFrame, value: str) -> GradeStudy:
    """Compare kinds of image for each reader, and readers on each kind, by paired t-tests.

    Raises
    ------
    SelectionError
        There is nothing to compare: one kind of image, and one reader.
    """
    images, readers = compare_grades(grades, value), compare_readers(grades, value)
    if images.empty and readers.empty:
        raise SelectionError("The grades are of one image by one reader: nothing to compare.")
    return GradeStudy(images, readers)


def write_study(
    folder: Path,
    study: DetectionStudy | GradeStudy,
    settings: Mapping[str, object],
    definitions: Mapping[str, str],
) -> None:
    """Write the tables of a study, and all of them in one JSON with the definitions."""
    tables = {item.name: getattr(study, item.name) for item in fields(study)}
    for name, table in tables.items():
        write_tsv(folder / f"{name}.tsv", table)
    content = {
        "Description": "What readers found or graded",
        "IntendedUse": INTENDED_USE,
        "GeneratedBy": generated_by(),
        "Settings": dict(settings),
        "Definitions": dict(definitions),
    }
    rows = {name.title().replace("_", ""): records(table) for name, table in tables.items()}
    write_json(folder / "readers.json", {**content, **rows})
