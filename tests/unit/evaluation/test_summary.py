"""The summary against numbers worked out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from clinica_gado.evaluation.metrics import Metric
from clinica_gado.evaluation.paired import IDENTITY
from clinica_gado.evaluation.summary import COLUMNS, summarise

METRICS = {
    "psnr_db_as_is": Metric("", math.inf),
    "gm_bias_cm3": Metric(""),
    "gm_csf_contrast": Metric(""),
    "absent": Metric(""),
}
PSNR = {IDENTITY: (20.0, 22.0, 24.0), "model": (23.0, 21.8, 23.0)}
BIAS = {IDENTITY: (10.0, 20.0, 30.0), "model": (-4.0, 2.0, float("nan"))}


def summary():
    rows = [
        {
            "participant_id": f"sub-{case}", "session_id": "ses-1", "image": image,
            "psnr_db_as_is": PSNR[image][case], "gm_bias_cm3": BIAS[image][case],
            "gm_csf_contrast": 0.3,
        }
        for case in range(3)
        for image in (IDENTITY, "model")
    ]  # fmt: skip
    return summarise(pd.DataFrame(rows), METRICS).set_index(["image", "metric"])


def test_mean_spread_and_worst_case():
    row = summary().loc["model", "psnr_db_as_is"]
    assert (row["n"], row["median"], row["worst"], row["worst_case"]) == (
        *(3, 23, 21.8), "sub-1_ses-1",
    )  # fmt: skip
    assert row["mean"] == pytest.approx(67.8 / 3)
    assert row["sd"] == pytest.approx(math.sqrt((2 * 0.4**2 + 0.8**2) / 2))
    assert row["gain"] == pytest.approx(22.6 - 22)


def test_a_psnr_is_worse_by_more_than_the_margin_only():
    """Case 1 lost 0.2 dB, which is not counted; case 2 lost 1 dB."""
    assert summary().loc["model", "psnr_db_as_is"]["n_worse"] == 1
    assert summary().loc[IDENTITY, "psnr_db_as_is"]["n_worse"] == 0


def test_a_bias_is_cut_over_the_cases_that_both_have():
    row = summary().loc["model", "gm_bias_cm3"]
    assert (row["n"], row["mean"], row["identity_mean"]) == (2, -1, 15)
    assert row["cut_percent"] == pytest.approx(100 * (1 - 1 / 15))
    assert row["ratio_to_identity"] == pytest.approx(-1 / 15)
    assert (row["worst"], row["worst_case"], row["n_worse"]) == (-4, "sub-0_ses-1", 0)


def test_what_has_no_best_value_is_not_ranked():
    row = summary().loc["model", "gm_csf_contrast"]
    assert row["mean"] == pytest.approx(0.3)
    assert row[["worst", "n_worse", "gain"]].isna().all()


def test_columns_are_defined():
    assert list(summary().reset_index().columns) == [
        *("image", "metric"), *[name for name in COLUMNS if name not in ("image", "metric")],
    ]  # fmt: skip
