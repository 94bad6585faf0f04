"""Lesions found by readers against reference lesions, by size (Bône 2022)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from clinica_gado.evaluation.proportions import clopper_pearson, mcnemar_mid_p, student_interval
from clinica_gado.evaluation.statistics import wilcoxon_test

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.bids import Visit
    from clinica_gado.evaluation.lesion_axes import Lesion

STRATA_MM = (0.0, 5.0, 10.0)
"""Least long axes; each stratum holds those above it."""
MAX_LESIONS = 20
"""Cases with more reference lesions are left out."""
SCORE_COLUMNS = (
    *("min_long_axis_mm", "n_cases", "n_lesions", "true_positives", "false_detections"),
    *("se", "se_low", "se_high", "fdr", "fdr_low", "fdr_high", "ppv", "f1"),
)
DEFINITIONS = {
    "min_long_axis_mm": "least long axis of the lesions, and of the marks, of a row",
    "n_lesions": "reference lesions",
    "true_positives": "of them found, readers averaged: a mark whose centre is nearer than half "
    "the mean of the four axes, one to one",
    "false_detections": "marks that find no lesion, readers averaged",
    "se": "sensitivity: lesions found of all; interval of Clopper and Pearson",
    "fdr": "false detections a case; interval of Student over cases",
    "ppv": "lesions found of all detections",
    "f1": "harmonic mean of se and ppv",
    "only_first": "lesions found on the first kind of image alone, readers averaged",
    "only_second": "lesions found on the second kind of image alone, readers averaged",
    "se_mid_p": "p of McNemar's test, mid-p, over these lesions",
    "fdr_wilcoxon": "Wilcoxon's signed-rank statistic of false detections, case by case, readers "
    "averaged, cases without a difference left out",
    "fdr_p": "its p",
}
"""Columns in words; those that end in `_low` and `_high` are the interval's."""
COMPARISON_COLUMNS = (
    *("min_long_axis_mm", "only_first", "only_second", "se_mid_p"),
    *("fdr_wilcoxon", "fdr_p", "note"),
)


@dataclass(frozen=True)
class CaseDetection:
    """What one reading of one case found.

    Attributes
    ----------
    sizes_mm : long axis of each reference lesion, (n,).
    is_found : whether it was marked, (n,).
    false_sizes_mm : long axis of each mark that is no reference lesion.
    """

    sizes_mm: NDArray[np.float64]
    is_found: NDArray[np.bool_]
    false_sizes_mm: NDArray[np.float64]

    def found(self, min_mm: float) -> NDArray[np.bool_]:
        """Return whether each reference lesion of a stratum was found."""
        chosen: NDArray[np.bool_] = self.is_found[self.sizes_mm >= min_mm]
        return chosen

    def n_false(self, min_mm: float) -> int:
        """Return the number of false detections of a stratum."""
        return int((self.false_sizes_mm >= min_mm).sum())


Reading = Mapping["Visit", CaseDetection]
"""One reader, one kind of image, case by case."""


def detect(reference: Sequence[Lesion], marks: Sequence[Lesion]) -> CaseDetection:
    """Pair marks with reference lesions, one to one, as many as can be, the nearest together.

    A pair's centres are nearer than half the mean of its four axes: the paper's "half the average
    of their long and short axes".
    """
    pairs = pair_lesions(reference, marks)
    found = np.zeros(len(reference), dtype=bool)
    found[[first for first, _ in pairs]] = True
    paired = {second for _, second in pairs}
    false = [mark.long_mm for number, mark in enumerate(marks) if number not in paired]
    sizes = np.array([lesion.long_mm for lesion in reference], dtype=np.float64)
    return CaseDetection(sizes, found, np.array(false, dtype=np.float64))


def pair_lesions(first: Sequence[Lesion], second: Sequence[Lesion]) -> list[tuple[int, int]]:
    """Return the numbers of the lesions of each pair; see `detect`."""
    if not first or not second:
        return []
    distances = np.array(
        [[np.linalg.norm(a.centre - b.centre) for b in second] for a in first], dtype=np.float64
    )
    reach = np.array([[_mean_axis(a, b) / 2 for b in second] for a in first])
    allowed = distances < reach
    # Too far costs more than all that is near, so that no near pair is given up for another.
    cost = np.where(allowed, distances, 1e3 * (1 + distances.max()) * len(first))
    rows, columns = linear_sum_assignment(cost)
    chosen = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in chosen if allowed[row, column]]


def _mean_axis(a: Lesion, b: Lesion) -> float:
    return (a.long_mm + a.short_mm + b.long_mm + b.short_mm) / 4


def without_crowded(
    reference: Mapping[Visit, Sequence[Lesion]], max_lesions: int = MAX_LESIONS
) -> dict[Visit, Sequence[Lesion]]:
    """Leave out cases of more than so many reference lesions."""
    return {visit: found for visit, found in reference.items() if len(found) <= max_lesions}


def score_readings(
    readings: Sequence[Reading], strata: Iterable[float] = STRATA_MM
) -> pd.DataFrame:
    """Return the scores of one kind of image, its readers averaged (`SCORE_COLUMNS`).

    SE: lesions found of all, with Clopper-Pearson's interval (counts averaged over readers need not
    be whole). FDR: false detections a case, with Student's interval over cases, readers averaged.
    PPV: lesions found of all detections. F1: harmonic mean of SE and PPV.

    Raises
    ------
    ValueError
        The readings are not of the same cases.
    """
    cases = _same_cases(readings)
    rows = []
    for min_mm in strata:
        n_lesions = sum(len(readings[0][case].found(min_mm)) for case in cases)
        found = [sum(int(r[case].found(min_mm).sum()) for case in cases) for r in readings]
        false = np.array([[r[case].n_false(min_mm) for case in cases] for r in readings])
        rows.append(_scores(min_mm, n_lesions, float(np.mean(found)), false.mean(axis=0)))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _scores(
    min_mm: float, n_lesions: int, found: float, false_by_case: NDArray[np.float64]
) -> dict[str, float]:
    false = float(false_by_case.sum())
    f1 = _ratio(2 * found, found + false + n_lesions) if n_lesions else float("nan")
    se = _ratio(found, n_lesions)
    ppv = _ratio(found, found + false)
    se_interval, fdr_interval = clopper_pearson(found, n_lesions), student_interval(false_by_case)
    values = (
        *(min_mm, len(false_by_case), n_lesions, found, false),
        *(se, *se_interval, _ratio(false, len(false_by_case)), *fdr_interval),
        *(ppv, f1),
    )
    return dict(zip(SCORE_COLUMNS, values, strict=True))


def compare_readings(
    first: Sequence[Reading], second: Sequence[Reading], strata: Iterable[float] = STRATA_MM
) -> pd.DataFrame:
    """Test two kinds of image, or two readers, against each other (`COMPARISON_COLUMNS`).

    SE by McNemar's mid-p over lesions, FDR by Wilcoxon's signed-rank test over cases without those
    that do not differ. Readers are averaged in both: a lesion that each of them finds on one image
    alone is one lesion.

    Raises
    ------
    ValueError
        The readings are not of the same cases, or not of as many readers.
    """
    cases = _same_cases([*first, *second])
    if len(first) != len(second):
        raise ValueError(f"{len(first)} readings cannot be paired with {len(second)}.")
    rows = []
    for min_mm in strata:
        found = [
            np.array([np.concatenate([r[case].found(min_mm) for case in cases]) for r in readings])
            for readings in (first, second)
        ]
        only_first = float((found[0] & ~found[1]).sum(axis=1).mean())
        only_second = float((found[1] & ~found[0]).sum(axis=1).mean())
        false = [
            np.mean([[r[case].n_false(min_mm) for case in cases] for r in readings], axis=0)
            for readings in (first, second)
        ]
        test = wilcoxon_test(np.sort(false[0] - false[1]))
        mid_p = mcnemar_mid_p(only_first, only_second)
        values = (min_mm, only_first, only_second, mid_p, test.statistic, test.p, test.note)
        rows.append(dict(zip(COMPARISON_COLUMNS, values, strict=True)))
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def _same_cases(readings: Sequence[Reading]) -> list[Visit]:
    cases = sorted(readings[0])
    if any(sorted(reading) != cases for reading in readings):
        raise ValueError("Readings can be averaged and compared only over the same cases.")
    return cases


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
