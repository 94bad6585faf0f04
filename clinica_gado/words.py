"""Numbers and lists as messages say them."""

from __future__ import annotations

from collections.abc import Iterable

MAX_NAMED = 5
"""Of a list that may be long; the rest is counted."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, whose plural ends in s: `1 visit`, `2 visits`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def first_few(items: Iterable[object], n_named: int = MAX_NAMED, between: str = ", ") -> str:
    """Return the first few of a list in words, and how many more there are."""
    words = [str(item) for item in items]
    more = f" and {len(words) - n_named} more" if len(words) > n_named else ""
    return between.join(words[:n_named]) + more
