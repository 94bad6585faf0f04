"""Bias and limits of agreement against values computed by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from clinica_gado.evaluation.agreement import COLUMNS, agreement


def signed(ce, synthetic):
    return pd.DataFrame({
        "test_set": "all", "engine": "spm", "tissue": "gm", "ce_signed_cm3": ce,
        "synthetic_signed_cm3": synthetic,
    })  # fmt: skip


def test_bias_and_limits_by_hand():
    """2, 4, 9: mean 5, sum of squares 26, SD sqrt(13)."""
    table = agreement(signed([2.0, 4, 9], [-1.0, 0, 1]))
    assert list(table.columns) == COLUMNS
    assert len(table) == 6
    ce, synthetic = (
        table[(table.tissue == "gm") & (table.image == image)].iloc[0]
        for image in ("ce", "synthetic")
    )
    assert (ce.n, ce.bias_cm3, ce.sd_cm3) == (3, 5, pytest.approx(math.sqrt(13)))
    assert ce.loa_low_cm3 == pytest.approx(5 - 1.96 * math.sqrt(13))
    assert ce.loa_high_cm3 == pytest.approx(5 + 1.96 * math.sqrt(13))
    assert (synthetic.bias_cm3, synthetic.sd_cm3) == (0, 1)
    assert ce.note == ""


def test_one_visit_has_a_bias_and_no_limits():
    table = agreement(signed([2.0], [1.0]))
    row = table[table.tissue == "gm"].iloc[0]
    assert (row.n, row.bias_cm3) == (1, 2)
    assert math.isnan(row.loa_low_cm3)
    assert row.note == "limits of agreement need 2 visits; there is 1"


def test_nothing_gives_an_empty_table():
    assert list(agreement(signed([], [])).columns) == COLUMNS
