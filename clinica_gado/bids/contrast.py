"""Evidence that a T1w was acquired with, or without, a gadolinium contrast agent.

Order of evidence: the `ce-` entity, the sidecar (`ContrastBolusIngredient`, then
`ContrastBolusAgent`), the user's table, and last, an inference from the other T1w of the visit.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

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

_OTHER_AGENTS = re.compile(
    r"iod|iohexol|iopamidol|iopromide|iomeprol|iobitridol|omnipaque|visipaque|ultravist|barium"
    r"|xenon|carbondioxide|co2|ferumoxytol|feraheme|mangan"
)
_GADOLINIUM = re.compile(r"gad|gd")
_NEGATION = r"no|non|not|none|nil|without|wo|sans|un|ohne|kein(?:e|en|er)?|nein|aucune?|senza|sin"
_WITHOUT = re.compile(
    r"native|nativ|plain|nce|n|false|0+|pre(?!.*post)\w*"
    rf"|(?:{_NEGATION})"
    r"(?:iv|contrast\w*|kontrast\w*|km|mdc|gad\w*|gd|ce|enhanced|enhancement|bolus|agent|inject\w*"
    r"|injektion|given|administered|applied|used|gegeben|produit|mezzo|medio|de|di)*"
)
"""Of a text without blanks and signs, whole."""
_NO_AMOUNT = re.compile(r"0+([.,]0+)? ?(ml|cc|mmol|mmol/kg)?")
_DENIES = re.compile(rf"(?:{_NEGATION})(?![\W_]*ionic)(?![a-z0-9])")
"""Of a text that begins with a word for "without", but for the agents that are called non-ionic."""
_TELLING = re.compile(
    rf"{_NEGATION}|unknown|unk|gad|gado|gd|gado(?:lin|but|ter|ben|pent|dia|xet|vers|fos|pic|vist)\w*"
    r"|gadavist|dotarem|clariscan|prohance|multihance|magnevist|omniscan|vueway|elucirem|artirem"
    r"|primovist|eovist|ablavar|optimark|contrast\w*|iod\w*|omnipaque|visipaque|ultravist|barium"
    r"|xenon|carbon|dioxide|co2|ferumoxytol|feraheme|mangan\w*"
)
"""Words of a sidecar that may be repeated in tables and reports; others may be of the patient."""
_UNKNOWN = frozenset((
    *("unknown", "unk", "na", "nan", "unspecified", "undefined", "unbekannt", "inconnu"),
    *("notavailable", "notapplicable", "notknown", "notspecified", "notrecorded"),
))  # fmt: skip
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
    if value is None:
        return None
    words = value if isinstance(value, list) else [value]
    text = " ".join(" ".join(map(str, words)).split())
    return _judge(text, Source.SIDECAR, f"sidecar {key}={_telling(text)}") if text else None


def _telling(text: str) -> str:
    """Return the words of a free text that tell of an agent, and dots for the others."""
    words = re.findall(r"[a-z0-9]+", _simple(text))
    told = (word if _TELLING.fullmatch(word) else "…" for word in words)
    return " ".join(word for word, _ in itertools.groupby(told)) or "…"


def _judge(text: str, source: Source, detail: str) -> Evidence | None:
    """Read the name of an agent, or words for none or unknown; anything else is an agent.

    A text that begins by denying one and goes on in words that are not known leaves it open.
    """
    plain, simple = _plain(text), _simple(text).strip()
    if not plain or plain in _UNKNOWN:
        return Evidence(Contrast.UNKNOWN, source, f"{detail} leaves it open")
    if _WITHOUT.fullmatch(plain) or _NO_AMOUNT.fullmatch(simple):
        return Evidence(Contrast.NON_ENHANCED, source, detail)
    if _DENIES.match(simple) or plain.startswith("unknown"):
        return Evidence(Contrast.UNKNOWN, source, f"{detail} leaves it open")
    if _OTHER_AGENTS.search(plain) and not _GADOLINIUM.search(plain):
        why = f"{detail} is contrast of another kind than gadolinium"
        return Evidence(Contrast.UNKNOWN, source, why, other_agent=True)
    return Evidence(Contrast.ENHANCED, source, detail)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", _simple(text))


def _simple(text: str) -> str:
    """Return a text in lower case, without accents, `w/o` as a word."""
    ascii_text = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return ascii_text.replace("w/o", "wo")


def _meaning(evidence: Evidence) -> tuple[Contrast, bool]:
    return evidence.contrast, evidence.other_agent
