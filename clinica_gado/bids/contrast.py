"""Evidence that a T1w was acquired with, or without, a gadolinium contrast agent.

Order of evidence: the `ce-` entity, the sidecar (`ContrastBolusIngredient`, then
`ContrastBolusAgent`), the user's table, and last, an inference from the other T1w of the visit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from clinica_gado.bids.agent_words import Said, plain_text, read_agent, telling_words
from clinica_gado.bids.entities import BidsName


class Contrast(Enum):
    """State of a T1w; `unknown` never stands for "no contrast"."""

    ENHANCED = "ce"
    NON_ENHANCED = "nce"
    UNKNOWN = "unknown"


class Source(Enum):
    """Where the evidence comes from, in order of precedence."""

    ENTITY = "entity"
    SIDECAR = "sidecar"
    CONTRAST_TSV = "contrast-tsv"
    PAIRS_TSV = "pairs-tsv"
    DICOM = "dicom"
    IMAGE = "image"
    COMPANION = "companion"
    NONE = "none"


@dataclass(frozen=True)
class Evidence:
    """What is known of the contrast of an image, by which source, and in which words.

    `contradicted` says that a source lower in the order says otherwise; `other_agent`, that the
    image has contrast of another kind than gadolinium and can be neither input nor reference.
    """

    contrast: Contrast
    source: Source
    detail: str
    contradicted: bool = False
    other_agent: bool = False

    @property
    def silent(self) -> bool:
        """Whether no source says anything, not even that the contrast is unknown."""
        return self.source is Source.NONE


NO_EVIDENCE = Evidence(Contrast.UNKNOWN, Source.NONE, "nothing says whether it has contrast")

_WORDS_OF_TABLE = {
    Contrast.ENHANCED: "ce yes true 1 enhanced contrast gadolinium gad gado gd post postcontrast",
    Contrast.NON_ENHANCED: "nce no false 0 none non pre precontrast plain nocontrast unenhanced",
    Contrast.UNKNOWN: "unknown unk",
}
_CONTRAST_BY_WORD = {
    word: contrast for contrast, words in _WORDS_OF_TABLE.items() for word in words.split()
}


def contrast_evidence(
    name: BidsName,
    fields: Mapping[str, Any] | None = None,
    stated: Evidence | None = None,
) -> Evidence:
    """Weigh what the name, the sidecar and the user's table say of one image.

    Parameters
    ----------
    name
        File name of the image.
    fields
        Its sidecar, inherited fields included.
    stated
        What the user's table says of it.
    """
    statements = [s for s in (_from_entity(name), *_from_sidecar(fields or {}), stated) if s]
    decisive = [s for s in statements if s.contrast is not Contrast.UNKNOWN or s.other_agent]
    winner = next(iter(decisive or statements), NO_EVIDENCE)
    against = [s for s in decisive if _meaning(s) != _meaning(winner)]
    details = [winner.detail, *(f"contradicted: {s.detail}" for s in against)]
    return Evidence(
        winner.contrast, winner.source, "; ".join(details), bool(against), winner.other_agent
    )


def companion_of(sibling: str) -> Evidence:
    """Evidence for an image of which no source says anything, beside a sibling with `ce-`."""
    detail = f"inferred: {sibling} of the same visit carries ce-, this one does not"
    return Evidence(Contrast.NON_ENHANCED, Source.COMPANION, detail)


def entity_says_enhanced(name: BidsName) -> bool:
    """Tell whether the `ce-` entity alone says that the image has gadolinium contrast."""
    statement = _from_entity(name)
    return statement is not None and statement.contrast is Contrast.ENHANCED


def contrast_of_word(word: str) -> Contrast | None:
    """Return the state that a word of the user's table stands for, or None when it is no such."""
    plain = _plain(word)
    return Contrast.UNKNOWN if not plain else _CONTRAST_BY_WORD.get(plain)


def _from_entity(name: BidsName) -> Evidence | None:
    label = name.get("ce")
    return _judge(label, Source.ENTITY, f"entity ce-{label}") if label else None


def _from_sidecar(fields: Mapping[str, Any]) -> list[Evidence | None]:
    keys = ("ContrastBolusIngredient", "ContrastBolusAgent")
    return [_from_field(key, fields.get(key)) for key in keys]


def _from_field(key: str, value: Any) -> Evidence | None:
    """Judge a field; of a list whose texts say different things nothing is known."""
    if value is None:
        return None
    texts = [
        " ".join(str(text).split()) for text in (value if isinstance(value, list) else [value])
    ]
    told = f"sidecar {key}={', '.join(map(telling_words, texts))}"
    found = [_judge(text, Source.SIDECAR, told) for text in texts if text]
    decisive = [e for e in found if e.contrast is not Contrast.UNKNOWN or e.other_agent]
    if len({_meaning(evidence) for evidence in decisive}) > 1:
        return Evidence(Contrast.UNKNOWN, Source.SIDECAR, f"{told} contradicts itself")
    return next(iter([*decisive, *found]), None)


def _judge(text: str, source: Source, detail: str) -> Evidence:
    """Read the name of an agent, or words for none or unknown; anything else is an agent."""
    said = read_agent(text)
    if said is Said.OTHER_AGENT:
        why = f"{detail} is contrast of another kind than gadolinium"
        return Evidence(Contrast.UNKNOWN, source, why, other_agent=True)
    if said is Said.OPEN:
        return Evidence(Contrast.UNKNOWN, source, f"{detail} leaves it open")
    contrast = Contrast.NON_ENHANCED if said is Said.NONE else Contrast.ENHANCED
    return Evidence(contrast, source, detail)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", plain_text(text))


def _meaning(evidence: Evidence) -> tuple[Contrast, bool]:
    return evidence.contrast, evidence.other_agent
