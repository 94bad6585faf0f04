"""Where the images that a network takes lie in BIDS, and what the user says about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clinica_gado.bids.filters import EntityFilter, parse_filter
from clinica_gado.errors import SelectionError
from clinica_gado.sequences import ADC, FLAIR, INPUT_NAMES, T1W, T1W_CE, T1W_LOW_DOSE, T2W

_NO_FILTER = EntityFilter()
LOW_DOSE = parse_filter(["acq=lowdose,lowDose,LowDose,low"])
"""BIDS has no entity or field for a dose: this is the habit, and the user's filter may differ."""


@dataclass(frozen=True)
class Place:
    """Images of one suffix in one folder of a visit.

    Attributes
    ----------
    entities : what their names must carry.
    is_series : whether they are diffusion series, of which the map is computed.
    without_b_values : whether it is for those alone that no `.bval` file belongs to.
    """

    modality: str
    suffix: str
    entities: EntityFilter = _NO_FILTER
    is_series: bool = False
    without_b_values: bool = False


_T1W = (Place("anat", "T1w"),)
_PLACES: Mapping[str, tuple[Place, ...]] = {
    T1W: _T1W,
    T2W: (Place("anat", "T2w"),),
    FLAIR: (Place("anat", "FLAIR"),),
    ADC: (
        Place("dwi", "ADC"),
        Place("anat", "ADC"),
        Place("dwi", "dwi", parse_filter(["acq=ADC,adc"])),
        Place("dwi", "dwi", parse_filter(["desc=ADC,adc"])),
        Place("dwi", "dwi", parse_filter(["acq!=ADC,adc", "desc!=ADC,adc"]), is_series=True),
    ),
    T1W_LOW_DOSE: _T1W,
    T1W_CE: _T1W,
}
"""Of each input, the places looked at, the first that has one being taken: an ADC map under its
name in BIDS, under older names, else a diffusion series to compute it of."""
_NAMES_OF_MAPS = ("acq", "desc", "rec")
"""Entities that tell a map from its series in older datasets; `dir` or `run` tell series apart."""


@dataclass(frozen=True)
class InputRequest:
    """Which images are wanted of each visit.

    Attributes
    ----------
    names : of `clinica_gado.sequences`, in the order of the network's channels.
    required : those without which a visit cannot be treated.
    substitutes : inputs whose place another image takes; `{"T1w-lowdose": "T1w-ce"}` amplifies
        the routine image (Bône 2022).
    filters : conditions of the user for an input; those for `T1w-lowdose` say what a low dose is,
        and those for `ADC` what a map is called (see `places_of`).
    assume_plain : whether a T1w of unknown contrast is taken for one without.
    reference : an image that results are compared with where a visit has it; no input.
    """

    names: tuple[str, ...]
    required: frozenset[str]
    substitutes: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, EntityFilter] = field(default_factory=dict)
    assume_plain: bool = False
    reference: str | None = None

    @property
    def low_dose(self) -> EntityFilter:
        """What tells a low dose by its name."""
        return self.filters.get(T1W_LOW_DOSE, LOW_DOSE)

    def kind_of(self, name: str) -> str:
        """Return which image is taken for an input."""
        return self.substitutes.get(name, name)

    def places_of(self, name: str) -> tuple[Place, ...]:
        """Return where to look for the image taken for an input.

        Where the user's filter has the name of an ADC map, a file in `dwi/` that passes it and has
        no b-values is that map.
        """
        kind = self.kind_of(name)
        wanted = self.filters.get(kind, _NO_FILTER)
        named = any(c.names_a_value and c.entity in _NAMES_OF_MAPS for c in wanted.conditions)
        if kind != ADC or not named:
            return _PLACES[kind]
        *maps, series = _PLACES[ADC]
        return (*maps, Place("dwi", "dwi", wanted, without_b_values=True), series)

    def filter_of(self, name: str) -> EntityFilter:
        """Return the user's conditions for the image taken for an input."""
        kind = self.kind_of(name)
        return _NO_FILTER if kind == T1W_LOW_DOSE else self.filters.get(kind, _NO_FILTER)


def parse_input_filters(texts: Iterable[str]) -> dict[str, EntityFilter]:
    """Read conditions such as `FLAIR:acq=3d` or `T1w-lowdose:acq=quarter`, by input.

    Raises
    ------
    SelectionError
        A text names no input, or its conditions cannot be read.
    """
    conditions: dict[str, list[str]] = {}
    for text in texts:
        name, colon, condition = text.partition(":")
        if not colon or name not in INPUT_NAMES or not condition.strip():
            raise SelectionError(
                f"--input-filter cannot read {text!r}: write INPUT:entity=value, with one of "
                f"{', '.join(INPUT_NAMES)} for INPUT, as in FLAIR:acq=3d."
            )
        conditions.setdefault(name, []).append(condition)
    return {name: parse_filter(parts, f"{name}:") for name, parts in conditions.items()}
