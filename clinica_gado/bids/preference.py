"""Which of several matching T1w is taken: one rule, the same on every machine.

Among contrast-enhanced images that pass the filter, in this order: no `rec-`; fewest entities
(`sub`, `ses`, `ce`, `run` not counted); lowest run number (none first, run-2 before run-10);
name. A reference is first judged by how well its `acq`, its `rec`, its other entities and its run
agree with those of the image it is compared with, then by the same rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clinica_gado.bids.entities import BidsName, run_key, same_label

_Key = tuple[Any, ...]
_NOT_COUNTED = ("sub", "ses", "ce", "run")
_WHY_SOURCE = ("it has no rec-", "it has fewer entities", "its run number is lower", "by name")
_WHY_REFERENCE = (
    *("its acq is that of the source", "its rec is that of the source"),
    *("its entities are nearer to the source", "its run is that of the source"),
)


def preferred_source(names: Sequence[BidsName]) -> BidsName:
    """Return the name that the rule takes."""
    return min(names, key=_plainness)


def preferred_reference(names: Sequence[BidsName], source: BidsName) -> BidsName:
    """Return the name that the rule takes as reference of `source`."""
    return min(names, key=_nearness(source))


def why_source(winner: BidsName, other: BidsName) -> str:
    """Say in words why the rule takes one name and not the other."""
    return _first_difference(_plainness, _WHY_SOURCE, winner, other)


def why_reference(winner: BidsName, other: BidsName, source: BidsName) -> str:
    """Say in words why the rule takes one name as reference of `source` and not the other."""
    return _first_difference(_nearness(source), _WHY_REFERENCE + _WHY_SOURCE, winner, other)


def _plainness(name: BidsName) -> _Key:
    extra = [entity for entity in name.entities if entity not in _NOT_COUNTED]
    return ("rec" in name.entities, len(extra), run_key(name), str(name))


def _nearness(source: BidsName) -> Callable[[BidsName], _Key]:
    def key(name: BidsName) -> _Key:
        entities = (source.entities.keys() | name.entities.keys()) - {"sub", "ses", "ce"}
        differing = {e for e in entities if not same_label(e, source.get(e), name.get(e))}
        others = len(differing - {"acq", "rec", "run"})
        nearness = ("acq" in differing, "rec" in differing, others, "run" in differing)
        return nearness + _plainness(name)

    return key


def _first_difference(
    key: Callable[[BidsName], _Key], words: Sequence[str], winner: BidsName, other: BidsName
) -> str:
    pairs = zip(words, key(winner), key(other), strict=True)
    return next((word for word, first, second in pairs if first != second), words[-1])
