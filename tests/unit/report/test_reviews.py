"""Reviews: what a report saves is what `evaluate` and `export` read."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinica_gado.bids import Visit
from clinica_gado.errors import SelectionError
from clinica_gado.report.reviews import COLUMNS, Review, read_reviews, rejected_visits

HEAD = "\t".join(COLUMNS)


def write(folder: Path, *lines: str) -> Path:
    path = folder / "reviews.tsv"
    path.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return path


def test_reviews_are_read_by_visit(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "sub-1\tses-1\taccept\tn/a\tab\t2026-01-01",
        "sub-2\tses-1\treject\tmotion, é\tn/a\t2026-01-02",
        "sub-3\tses-1\tn/a\tlook again\tn/a\tn/a",
    )
    reviews = read_reviews(path)
    assert reviews == {
        Visit("sub-1", "ses-1"): Review("accept", "", "ab", "2026-01-01"),
        Visit("sub-2", "ses-1"): Review("reject", "motion, é", "", "2026-01-02"),
        Visit("sub-3", "ses-1"): Review("", "look again"),
    }
    assert rejected_visits(reviews) == {Visit("sub-2", "ses-1")}


def test_the_latest_review_of_a_visit_counts(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "sub-1\tses-1\treject\tn/a\tn/a\t2026-01-02",
        "sub-1\tses-1\taccept\tn/a\tn/a\t2026-01-01",
    )
    assert rejected_visits(read_reviews(path)) == {Visit("sub-1", "ses-1")}


def test_three_columns_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "reviews.tsv"
    path.write_text("participant_id\tsession_id\tdecision\nsub-1\tses-1\treject\n")
    assert read_reviews(path) == {Visit("sub-1", "ses-1"): Review("reject")}


def test_another_word_than_accept_or_reject_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "sub-1\tses-1\tmaybe\tn/a\tn/a\tn/a")
    with pytest.raises(SelectionError, match="neither accept nor reject: maybe"):
        read_reviews(path)
