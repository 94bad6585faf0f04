"""What was typed about a contrast agent: English, French, German, Italian, Spanish.

The lists are closed. A word that is on none of them may be a person's, and is never repeated.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from enum import Enum

NEGATIONS = frozenset((
    *("no", "non", "not", "none", "nil", "without", "wo", "sans", "ohne", "senza", "sin"),
    *("kein", "keine", "keinen", "keiner", "nein", "aucun", "aucune"),
))  # fmt: skip
AGENT = re.compile(
    r"gad|gado|gado(?:lin|but|ter|ben|pent|dia|xet|vers|fos|pic)\w*|gadovist|gadavist|gadograf"
    r"|gd|gd(?:dtpa|dota|bopta|hpdo3a|do3a|btdo3a|eob|eobdtpa)|postgado|postgd|dotarem|dotagraf"
    r"|dotagita|clariscan|prohance|multihance|magnevist|magnegita|magnograf|omniscan|optimark"
    r"|vueway|elucirem|artirem|primovist|eovist|ablavar|vasovist|cyclolux"
)
_OTHER_AGENT_IN = re.compile(
    r"iod|iohexol|iopamidol|iopromide|iomeprol|iobitridol|omnipaque|visipaque|ultravist|barium"
    r"|xenon|carbondioxide|co2|ferumoxytol|feraheme|mangan"
)
"""Anywhere in a text without blanks."""
OTHER_AGENT = re.compile(
    rf"{_OTHER_AGENT_IN.pattern}|iode|iodato|iodiert\w*|iodine|iodinated|manganese|mangafodipir"
)
AGENT_IN_GENERAL = frozenset((
    *("contrast", "contraste", "contrasto", "contrasts", "kontrast", "kontrastmittel"),
    *("km", "mdc", "ce", "enhanced"),
    *("inj", "injection", "injected", "injecte", "injectee", "injektion", "iniezione"),
))  # fmt: skip
_BESIDE_AGENT = frozenset((
    *("agent", "agente", "bolus", "media", "medium", "material", "dye", "enhancement"),
    *("iv", "i", "v", "given", "administered", "applied", "used", "gegeben"),
    *("produit", "mezzo", "medio", "di", "de"),
))  # fmt: skip
"""Alone they say nothing: of a text that denies an agent they change nothing."""
_ALONE = frozenset(("native", "nativ", "plain", "nce", "n", "false", "unenhanced"))
_COMPOUND = re.compile(
    r"(?:no|non|without|un|sans|wo|ohne|senza|sin)"
    r"(?:iv|contrast|gad|gado|gadolinium|gd|ce|km|enhanced|injected|bolus|injection|agent)+"
    r"|pre(?!.*post)\w*"
)
"""Of one word, such as a label of an entity."""
_OPEN = frozenset((
    *("unknown", "unk", "na", "nan", "unspecified", "undefined", "unbekannt", "inconnu"),
    *("notavailable", "notapplicable", "notknown", "notspecified", "notrecorded"),
))  # fmt: skip
_TOLD_TOO = frozenset((
    *("known", "available", "applicable", "specified", "recorded"),
    *("pre", "post", "precontrast", "postcontrast", "carbon", "dioxide"),
))  # fmt: skip
_NO_AMOUNT = re.compile(r"0+(?:[.,]0+)? ?(?:ml|cc|mmol|mmol/kg)?")
_AMOUNT = re.compile(r"\d+(?:[.,]\d+)? ?(?:ml|cc|mmol)\b")


class Said(Enum):
    """What a text says: an agent with or without gadolinium, none, or neither."""

    AGENT, OTHER_AGENT, NONE, OPEN = range(4)


def plain_text(text: str) -> str:
    """Return a text in lower case, without accents, `w/o` as a word."""
    ascii_text = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return ascii_text.replace("w/o", " without ").strip()


def read_agent(text: str) -> Said:
    """Read the name of an agent, or words for none or unknown; anything else is an agent.

    A text that begins by denying one and goes on in words that are not known leaves it open.
    """
    plain = plain_text(text)
    words = re.findall(r"[a-z0-9]+", plain)
    joined = "".join(words)
    if not words or joined in _OPEN or words[0] == "unknown":
        return Said.OPEN
    if _NO_AMOUNT.fullmatch(plain) or _denies(words):
        return Said.NONE
    if words[0] in NEGATIONS and words[1:2] != ["ionic"]:
        return Said.OPEN
    if _OTHER_AGENT_IN.search(joined) and not re.search(r"gad|gd", joined):
        return Said.OTHER_AGENT
    return Said.AGENT


def _denies(words: list[str]) -> bool:
    """Tell whether words say that there was none, and nothing else."""
    first, *others = words
    if first not in NEGATIONS and first not in _ALONE and not _COMPOUND.fullmatch(first):
        return False
    known = AGENT_IN_GENERAL | _BESIDE_AGENT | {"gadolinium", "gado", "gad", "gd"}
    return all(word in known for word in others)


def telling_words(text: str) -> str:
    """Return the words of a text that tell of an agent, and dots for the others."""
    plain = plain_text(text)
    if _NO_AMOUNT.fullmatch(plain):
        return plain
    told = [
        match.group() if _may_be_told(match.group()) else "…"
        for match in re.finditer(rf"{_AMOUNT.pattern}|[a-z0-9]+", plain)
    ]
    return " ".join(word for word, _ in itertools.groupby(told)) or "…"


def _may_be_told(word: str) -> bool:
    lists = (NEGATIONS, AGENT_IN_GENERAL, _BESIDE_AGENT, _ALONE, _OPEN, _TOLD_TOO)
    patterns = (AGENT, OTHER_AGENT, _AMOUNT)
    return any(word in known for known in lists) or any(p.fullmatch(word) for p in patterns)
