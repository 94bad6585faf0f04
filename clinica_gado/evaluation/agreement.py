"""Bias and limits of agreement of tissue volumes (Bland and Altman 1986, 2007)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clinica_gado.evaluation.statistics import COUNTS, PARTICIPANT, mean_of
from clinica_gado.evaluation.tissue import TISSUES, require_columns
from clinica_gado.roles import REMOVAL_ROLES, Roles

LIMITS_SD = 1.96
COLUMNS = [
    "test_set", "engine", "tissue", "image", *COUNTS, "bias_cm3", "sd_cm3", "loa_low_cm3",
    "loa_high_cm3", "note",
]  # fmt: skip


def agreement(differences: pd.DataFrame, roles: Roles = REMOVAL_ROLES) -> pd.DataFrame:
    """Return the signed bias of each image against the real one, with its limits of agreement.

    Bias is the mean of V_x - V_real (TIV-normalised, see `volume_differences`), positive when the
    image has more of the tissue; the limits are bias ± 1.96 SD, SD with n - 1. Where participants
    have several visits, the variances between and within them are added (`standard_deviation`).

    Returns
    -------
    One row an engine, test set, tissue and image (`COLUMNS`), in cm³.
    """
    signed = [f"{image}_signed_cm3" for image in roles.compared]
    columns = ["test_set", "engine", "tissue", PARTICIPANT, *signed]
    require_columns(differences, columns, "differences")
    rows = []
    for (engine, test_set), table in differences.groupby(["engine", "test_set"]):
        for tissue in TISSUES:
            cell = table[table["tissue"] == tissue].set_index(PARTICIPANT)
            rows += [
                {"test_set": test_set, "engine": engine, "tissue": tissue, "image": image}
                | limits_of_agreement(cell[column].dropna())
                for image, column in zip(roles.compared, signed, strict=True)
            ]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(COUNTS, int))


def limits_of_agreement(signed: pd.Series) -> dict[str, Any]:
    """Return counts, bias, SD and limits of signed differences, in cm³.

    Parameters
    ----------
    signed : of each visit, with `participant_id` as its index.
    """
    n, n_visits = signed.index.nunique(), len(signed)
    bias = mean_of(signed.to_numpy(dtype=np.float64))
    sd = standard_deviation(signed)
    note = "" if n > 1 else f"limits of agreement need 2 participants; there {_are(n)}"
    return {
        "n": n,
        "n_visits": n_visits,
        "bias_cm3": bias,
        "sd_cm3": sd,
        "loa_low_cm3": bias - LIMITS_SD * sd,
        "loa_high_cm3": bias + LIMITS_SD * sd,
        "note": note,
    }


def standard_deviation(signed: pd.Series) -> float:
    """Return the SD of one visit of one participant, from repeated visits (Bland and Altman 2007).

    The variance within participants, and that between them, of a one-way analysis of variance: with
    a visit each it is the common SD with n - 1. NaN for fewer than two participants.
    """
    in_order = signed.sort_values()  # not even the last digit depends on the order of the rows
    grouped = in_order.groupby(level=0)
    sizes, means = grouped.size().to_numpy(), grouped.mean().to_numpy()
    n, n_visits = len(sizes), len(signed)
    if n < 2:
        return float("nan")
    squares_within = float(((in_order - grouped.transform("mean")) ** 2).sum())
    within = squares_within / (n_visits - n) if n_visits > n else 0.0
    between = float((sizes * (means - in_order.mean()) ** 2).sum()) / (n - 1)
    visits_each = (n_visits - (sizes**2).sum() / n_visits) / (n - 1)
    return float(np.sqrt(within + max(0.0, (between - within) / visits_each)))


def _are(n: int) -> str:
    return "is 1" if n == 1 else "is none"
