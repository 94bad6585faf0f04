"""Paired tests of what t1-virtual-enhance makes, measure by measure (Bône 2022, table 4)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from clinica_gado.bids import IDS
from clinica_gado.evaluation.statistics import (
    COUNTS,
    TEST_COLUMNS,
    by_participant,
    compare_pairs,
    mean_of,
)
from clinica_gado.evaluation.tissue import Visits
from clinica_gado.roles import CE, LOW_DOSE, ROUTINE, SYNTHETIC, T1W

OF_BRAIN = (
    "mae_as_is", "psnr_db_as_is", "ssim_as_is", "mae_matched", "psnr_db_matched", "ssim_matched",
)  # fmt: skip
OF_CONTRAST = ("cnr", "lbr", "cep_percent")
OF_LESIONS = ("p2_tumour_l2_e4", "p3_tumour_mae", "p3_tumour_psnr_db")
FAMILIES = {
    "likeness": OF_BRAIN,
    "contrast of lesions": OF_CONTRAST,
    "likeness in lesions": OF_LESIONS,
}
"""What is tested, and which tests Bonferroni's correction takes together."""
OTHERS = (T1W, LOW_DOSE, ROUTINE, CE)
COLUMNS = [
    "desc", "family", "measure", "image", *COUNTS, "mean_image", "sd_image", "mean_synthetic",
    "sd_synthetic", *TEST_COLUMNS,
]  # fmt: skip
_VISIT = ["desc", *IDS]


def compare_measures(
    similarity: pd.DataFrame,
    contrast: pd.DataFrame,
    exclude: Visits = frozenset(),
    m: int | None = None,
) -> pd.DataFrame:
    """Test the synthetic image against each other image of the same visits, in every measure.

    Two-sided paired t-test and Wilcoxon's signed-rank test as of `test_differences`. The difference
    is synthetic - image, over the visits that have both numbers, averaged by participant. What was
    amplified and what was synthesised (`desc`) are not mixed.

    Parameters
    ----------
    similarity : one row a desc, visit and image, with columns of `similarity_row`.
    contrast : one row a desc and visit, with columns such as `cnr_synthetic`.
    exclude : visits to leave out.
    m : tests in a family; by default its measures times the images compared, those without a single
        visit not counted.

    Returns
    -------
    One row a desc, measure and image (`COLUMNS`); what cannot be computed is NaN, with the reason
    in `note`.
    """
    values = pd.concat([_of_brain(similarity), _of_lesions(contrast)])
    excluded = [tuple(visit) in exclude for visit in values[IDS].to_numpy()]
    values = values[~np.array(excluded, dtype=bool)].dropna(subset="value")
    wide = values.pivot(index=_VISIT, columns=["measure", "image"], values="value")
    rows = chain.from_iterable(
        _test_family(table, desc, family, m)
        for desc, table in wide.groupby(level="desc")
        for family in FAMILIES
    )
    return pd.DataFrame(rows, columns=COLUMNS).astype(
        {**dict.fromkeys(COUNTS, int), "m": int, "df": "Int64"}
    )


def _of_brain(similarity: pd.DataFrame) -> pd.DataFrame:
    """Return desc, visit, image, measure, value."""
    columns = [name for name in OF_BRAIN if name in similarity]
    return _long(similarity[[*_VISIT, "image", *columns]].melt([*_VISIT, "image"], columns))


def _of_lesions(contrast: pd.DataFrame) -> pd.DataFrame:
    """Return desc, visit, image, measure, value."""
    names = {
        f"{measure}_{image}": (measure, image)
        for measure in (*OF_CONTRAST, *OF_LESIONS)
        for image in (*OTHERS, SYNTHETIC)
    }
    columns = [name for name in names if name in contrast]
    found = contrast[[*_VISIT, *columns]].melt(_VISIT, columns)
    measures, images = ([names[name][part] for name in found["variable"]] for part in (0, 1))
    return _long(found.assign(variable=measures, image=images))


def _long(table: pd.DataFrame) -> pd.DataFrame:
    found = table.rename(columns={"variable": "measure"})
    return found.assign(value=pd.to_numeric(found["value"], errors="coerce"))


def _test_family(
    table: pd.DataFrame, desc: str, family: str, m: int | None
) -> Iterable[dict[str, Any]]:
    pairs = {
        (measure, image): both
        for measure in FAMILIES[family]
        for image in OTHERS
        if len(both := _both(table, measure, image))
    }
    size = len(pairs) if m is None else m
    for (measure, image), both in pairs.items():
        yield {
            **{"desc": desc, "family": family, "measure": measure, "image": image},
            **_describe(both[SYNTHETIC], "synthetic"),
            **_describe(both[image], "image"),
            **compare_pairs(both, size),
        }


def _both(table: pd.DataFrame, measure: str, image: str) -> pd.DataFrame:
    """Return the numbers of the synthetic and of another image, of the visits that have both."""
    columns = [(measure, SYNTHETIC), (measure, image)]
    found = table.reindex(columns=pd.MultiIndex.from_tuples(columns)).dropna()
    return found.droplevel(0, axis=1).astype(float)


def _describe(by_visit: pd.Series, image: str) -> dict[str, float]:
    values = by_participant(by_visit.to_frame()).to_numpy()[:, 0]
    sd = float(np.sort(values).std(ddof=1)) if len(values) > 1 else float("nan")
    return {f"mean_{image}": mean_of(values), f"sd_{image}": sd}
