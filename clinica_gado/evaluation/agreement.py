"""Bias and limits of agreement of tissue volumes (Bland and Altman 1986)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clinica_gado.evaluation.tissue import TISSUES, require_columns
from clinica_gado.roles import REMOVAL_ROLES, Roles

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMITS_SD = 1.96
COLUMNS = [
    "test_set", "engine", "tissue", "image", "n", "bias_cm3", "sd_cm3", "loa_low_cm3",
    "loa_high_cm3", "note",
]  # fmt: skip


def agreement(differences: pd.DataFrame, roles: Roles = REMOVAL_ROLES) -> pd.DataFrame:
    """Return the signed bias of each image against the real one, with its limits of agreement.

    Bias is the mean of V_x - V_real (TIV-normalised, see `volume_differences`), positive when the
    image has more of the tissue; the limits are bias ± 1.96 SD, SD with n - 1.

    Returns
    -------
    One row an engine, test set, tissue and image (`COLUMNS`), in cm³.
    """
    signed = [f"{image}_signed_cm3" for image in roles.compared]
    require_columns(differences, ["test_set", "engine", "tissue", *signed], "differences")
    rows = []
    for (engine, test_set), table in differences.groupby(["engine", "test_set"]):
        for tissue in TISSUES:
            cell = table[table["tissue"] == tissue]
            rows += [
                {"test_set": test_set, "engine": engine, "tissue": tissue, "image": image}
                | limits_of_agreement(cell[column].dropna().to_numpy(dtype=np.float64))
                for image, column in zip(roles.compared, signed, strict=True)
            ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": int})


def limits_of_agreement(signed: NDArray[np.float64]) -> dict[str, Any]:
    """Return n, bias, SD and limits of signed differences, (n,), in cm³."""
    n = len(signed)
    values = np.sort(signed)
    bias = float(values.mean()) if n else float("nan")
    sd = float(values.std(ddof=1)) if n > 1 else float("nan")
    note = "" if n > 1 else f"limits of agreement need 2 visits; there {_are(n)}"
    return {
        "n": n,
        "bias_cm3": bias,
        "sd_cm3": sd,
        "loa_low_cm3": bias - LIMITS_SD * sd,
        "loa_high_cm3": bias + LIMITS_SD * sd,
        "note": note,
    }


def _are(n: int) -> str:
    return "is 1" if n == 1 else "is none"
