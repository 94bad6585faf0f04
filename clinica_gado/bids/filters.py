"""Filters by entity, as typed by the user after `--input-filter`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from clinica_gado.bids.entities import BidsName, same_label
from clinica_gado.errors import SelectionError

_CONDITION = re.compile(r"([A-Za-z0-9]+)(!?=)([^\s=]*)")


@dataclass(frozen=True)
class Condition:
    """One `entity=value` (or `!=`); an empty value stands for the absence of the entity."""

    entity: str
    values: tuple[str, ...]
    negated: bool

    def matches(self, name: BidsName) -> bool:
        """Tell whether the name satisfies the condition."""
        label = name.get(self.entity)
        equal = any(same_label(self.entity, label, value or None) for value in self.values)
        return equal is not self.negated

    @property
    def names_a_value(self) -> bool:
        """Whether it asks for the entity itself, not for another value or its absence."""
        return not self.negated and all(self.values)

    def __str__(self) -> str:
        return f"{self.entity}{'!=' if self.negated else '='}{','.join(self.values)}"


@dataclass(frozen=True)
class EntityFilter:
    """Conditions that must all hold."""

    conditions: tuple[Condition, ...] = ()

    def first_unmet(self, name: BidsName) -> Condition | None:
        """Return the first condition that a name does not satisfy, or None when it passes."""
        return next((c for c in self.conditions if not c.matches(name)), None)

    def matches(self, name: BidsName) -> bool:
        """Tell whether the name satisfies every condition."""
        return self.first_unmet(name) is None

    def __str__(self) -> str:
        return " ".join(map(str, self.conditions))


def parse_filter(texts: Iterable[str], before: str = "") -> EntityFilter:
    """Read conditions such as `acq=mprage`, `run=1,2`, `rec!=norm`, `rec=` (absent).

    Each text may hold several conditions separated by spaces. Runs are compared as numbers.

    Parameters
    ----------
    texts
        The conditions.
    before
        What stood before them, such as `FLAIR:`, to be said in an error.

    Raises
    ------
    SelectionError
        A text is not of this form.
    """
    words = dict.fromkeys(word for text in texts for word in text.split())
    matches = {word: _CONDITION.fullmatch(word) for word in words}
    if wrong := [f"{before}{word}" for word, match in matches.items() if match is None]:
        forms = f"{before}entity=value, {before}entity!=value or {before}entity= (absent)"
        examples = f"{before}acq=mprage, {before}run=1,2, {before}rec!=norm"
        raise SelectionError(
            f"--input-filter cannot read {', '.join(map(repr, wrong))}: write {forms}, "
            f"as in {examples}."
        )
    return EntityFilter(tuple(_condition_of(match) for match in matches.values() if match))


def _condition_of(match: re.Match[str]) -> Condition:
    entity, operator, values = match.groups()
    labels = tuple(value.removeprefix(f"{entity}-") for value in values.split(","))
    return Condition(entity, labels, negated=operator == "!=")
