"""Bias and limits of agreement against values computed by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from clinica_gado.evaluation.agreement import COLUMNS, agreement


def signed(ce, synthetic, participants=None):
    return pd.DataFrame({
        "test_set": "all", "engine": "spm", "tissue": "gm", "ce_signed_cm3": ce,
        "synthetic_signed_cm3": synthetic,
        "participant_id": participants or [f"sub-{n}" for n in range(len(ce))],
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
    assert row.note == "limits of agreement need 2 participants; there is 1"


def test_visits_of_one_participant_count_as_such():
    """Bland and Altman 2007, by hand: two participants of two visits, 1, 3 and 7, 9.

    Within: squares 4 over 2 degrees of freedom, 2. Between: 2 · (3² + 3²) / 1 = 36, so
    (36 - 2) / 2 = 17. SD sqrt(19).
    """
    table = agreement(signed([1.0, 7, 3, 9], [0.0, 0, 0, 0], ["sub-1", "sub-2"] * 2))
    row = table[(table.tissue == "gm") & (table.image == "ce")].iloc[0]
    assert (row.n, row.n_visits, row.bias_cm3) == (2, 4, 5)
    assert row.sd_cm3 == pytest.approx(math.sqrt(19))


def test_nothing_gives_an_empty_table():
    assert list(agreement(signed([], [])).columns) == COLUMNS
