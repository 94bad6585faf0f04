"""Covariates: what neuroHarmonize takes, a number in every cell but those of SITE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clinica_gado.bids import Visit
from clinica_gado.errors import SelectionError
from clinica_gado.export.covariates import covariates

ORIGINS = [
    (Visit("sub-A", "ses-M000"), "real"),
    (Visit("sub-A", "ses-M012"), "synthetic"),
    (Visit("sub-B", "ses-M000"), "synthetic"),
]


@pytest.fixture
def users_table(tmp_path: Path) -> Any:
    def write(*lines: str) -> Path:
        path = tmp_path / "own.tsv"
        path.write_text("\n".join("\t".join(line.split()) for line in lines) + "\n")
        return path

    return write


def test_origin_is_the_site_without_a_table() -> None:
    assert covariates(ORIGINS, None)["SITE"].tolist() == ["real", "synthetic", "synthetic"]


def test_the_users_site_leaves_the_origin_as_a_number(users_table: Any) -> None:
    table = covariates(ORIGINS, users_table("participant_id SITE age", "sub-A 1 50", "sub-B 2 60"))
    assert list(table.columns) == ["participant_id", "session_id", "SITE", "age", "SYNTHETIC"]
    assert table["age"].tolist() == [50, 50, 60]
    assert table["SYNTHETIC"].tolist() == [0, 1, 1]


def test_a_constant_origin_is_no_covariate(users_table: Any) -> None:
    table = covariates(ORIGINS[1:], users_table("participant_id SITE", "sub-A 1", "sub-B 2"))
    assert "SYNTHETIC" not in table


def test_visits_with_gaps_are_left_out_and_named(
    users_table: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "participant_id session_id age", "sub-A ses-M000 50", "sub-A ses-M012 n/a"
    table = covariates(ORIGINS, users_table(*rows))
    assert table["session_id"].tolist() == ["ses-M000"]
    assert "2 visits without covariates" in caplog.text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("participant_id sex", "sub-A F"), "holds words in sex"),
        (("participant_id age", "sub-A 1", "sub-A 2"), "several rows of one participant_id"),
        (("subject age", "sub-A 1"), "no column participant_id"),
    ],
)
def test_a_table_that_neuroharmonize_cannot_take_is_refused(
    users_table: Any, lines: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SelectionError, match=message):
        covariates([], users_table(*lines))
