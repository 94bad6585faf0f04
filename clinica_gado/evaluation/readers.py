"""Grades and reading times: kinds of image against each other, and readers (Bône 2022)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from clinica_gado.bids import IDS
from clinica_gado.evaluation.statistics import by_participant, paired_t_test
from clinica_gado.evaluation.tissue import require_columns

AVERAGE = "average"
"""The mean over the readers of each case who graded it on both images."""
DEFINITIONS = {
    "n": "participants with a case that has both; of several cases the mean counts",
    "mean_difference": "mean of first minus second, with its interval by Student's t",
    "p": "of the paired t-test, two-sided",
    "reader": f"who graded; `{AVERAGE}`: the mean over the readers of each case who graded both",
}
COLUMNS = (
    *("reader", "first", "second", "n", "mean_first", "sd_first", "mean_second", "sd_second"),
    *("mean_difference", "ci_low", "ci_high", "t", "p", "note"),
)


def compare_grades(grades: pd.DataFrame, value: str = "grade") -> pd.DataFrame:
    """Compare the kinds of image for each reader and for their average, by paired t-tests.

    Parameters
    ----------
    grades : `participant_id`, `session_id`, `reader`, `image` and the value, a row each; a case
        graded twice counts by the mean.
    value : column to compare: a grade, a reading time, or a measure of contrast.

    Returns
    -------
    One row a reader and pair of images (`COLUMNS`), over the cases that have both, averaged by
    participant.
    """
    require_columns(grades, [*IDS, "reader", "image", value], "grades")
    wide = grades.pivot_table(index=IDS, columns=["reader", "image"], values=value)
    images = list(dict.fromkeys(grades["image"]))
    rows = []
    for reader in [*dict.fromkeys(grades["reader"]), AVERAGE]:
        readers = wide if reader == AVERAGE else wide[[reader]]
        rows += [
            {"reader": reader, **_compare(_both(readers, pair), *pair)}
            for pair in combinations(images, 2)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _both(wide: pd.DataFrame, pair: tuple[str, str]) -> pd.DataFrame:
    """Return the mean grade of two images, a row a participant.

    A reader who graded but one of them on a case is left out of its mean: how strict that reader is
    would pass for a difference of the images.
    """
    by_reader = wide.stack("reader", future_stack=True).reindex(columns=list(pair)).dropna()
    return by_participant(by_reader.groupby(level=IDS).mean())


def compare_readers(grades: pd.DataFrame, value: str = "grade") -> pd.DataFrame:
    """Compare each two readers on each kind of image, by paired t-tests; `reader` is the image."""
    swapped = grades.rename(columns={"reader": "image", "image": "reader"})
    found = compare_grades(swapped, value)
    return (
        found[found["reader"] != AVERAGE].rename(columns={"reader": "image"}).reset_index(drop=True)
    )


def _compare(both: pd.DataFrame, first: str, second: str) -> dict[str, object]:
    one, other = (both[name].to_numpy(dtype=np.float64) for name in (first, second))
    row: dict[str, object] = {
        "first": first,
        "second": second,
        "n": len(both),
        "mean_first": _mean(one),
        "sd_first": _sd(one),
        "mean_second": _mean(other),
        "sd_second": _sd(other),
        "mean_difference": _mean(one - other),
    }
    if len(both) < 2:
        return {**row, "note": f"{_have(len(both))} both: a test needs 2"}
    test = paired_t_test(one - other)
    return {
        **row,
        "ci_low": test.ci_low,
        "ci_high": test.ci_high,
        "t": test.t,
        "p": test.p,
        "note": test.note,
    }


def _have(n: int) -> str:
    return "1 participant has" if n == 1 else f"{n or 'no'} participants have"


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
