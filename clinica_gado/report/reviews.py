"""What reviewers decided: the TSV that the report saves, and `evaluate` and `export` read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from clinica_gado.bids import IDS, Visit
from clinica_gado.errors import SelectionError
from clinica_gado.files import read_table

ACCEPT, REJECT = "accept", "reject"
COLUMNS = (*IDS, "decision", "comment", "reviewer", "date")


class Review(NamedTuple):
    """A reviewer's word on a visit: `decision` is accept, reject, or empty for a comment alone."""

    decision: str
    comment: str = ""
    reviewer: str = ""
    date: str = ""


def read_reviews(path: Path) -> dict[Visit, Review]:
    """Read a TSV of reviews; of several on one visit the latest counts (then the last line).

    Raises
    ------
    SelectionError
        The file is no such table, or a decision is neither accept nor reject.
    """
    table = read_table(path, COLUMNS[:3]).fillna("")
    wrong = sorted(set(table["decision"]) - {ACCEPT, REJECT, ""})
    if wrong:
        raise SelectionError(
            f"{path} has decisions that are neither accept nor reject: {', '.join(wrong)}."
        )
    reviews: dict[Visit, Review] = {}
    for row in table.to_dict("records"):
        visit = Visit(str(row["participant_id"]), str(row["session_id"]))
        review = Review(*(str(row.get(name, "")) for name in COLUMNS[2:]))
        earlier = reviews.get(visit)
        if earlier is None or review.date >= earlier.date:
            reviews[visit] = review
    return reviews


def rejected_visits(reviews: Mapping[Visit, Review]) -> set[Visit]:
    """Return the visits to leave out."""
    return {visit for visit, review in reviews.items() if review.decision == REJECT}
