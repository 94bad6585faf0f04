"""Contrast agent in the fields that converters take over from DICOM, weaker than the BIDS ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clinica_gado.bids.agent_words import AGENT, AGENT_IN_GENERAL, NEGATIONS, plain_text
from clinica_gado.bids.contrast import Contrast, Evidence, Source

AMOUNTS = ("ContrastBolusVolume", "ContrastBolusTotalDose")
"""DICOM 0018,1041 and 0018,1044: above zero, something was injected."""
DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "ImageComments")

_ALONE_IS_NO_AGENT = frozenset("c")
_WITHOUT_ALL = frozenset(["native", "nativ", "unenhanced", "precontrast", "noncontrast", "nce"])
_BEFORE = frozenset(["pre", "avant", "before", "prima"])
_AFTER = frozenset(["post", "apres", "after", "nach", "dopo"])


def dicom_evidence(fields: Mapping[str, Any]) -> Evidence | None:
    """Say what amounts and descriptions in a sidecar tell of the contrast; None when nothing."""
    for key in AMOUNTS:
        if _above_zero(fields.get(key)):
            return Evidence(Contrast.ENHANCED, Source.DICOM, f"sidecar {key}={fields[key]}")
    for key in DESCRIPTIONS:
        text = str(fields.get(key) or "")
        contrast = contrast_in_words(text)
        if contrast is not None:
            return Evidence(contrast, Source.DICOM, f"sidecar {key} says {_telling_words(text)}")
    return None


def _is_agent(word: str) -> bool:
    known = AGENT_IN_GENERAL | _ALONE_IS_NO_AGENT
    return word in known or AGENT.fullmatch(word) is not None


def _telling_words(text: str) -> str:
    """Return the words that tell of contrast: whatever else was typed may be of the patient."""
    known = _WITHOUT_ALL | _BEFORE | _AFTER | NEGATIONS
    return " ".join(word for word in _words(text) if word in known or _is_agent(word))


def contrast_in_words(text: str) -> Contrast | None:
    """Read the description of a series (English, French, German, Italian, Spanish).

    None when it says nothing, or both: a word for "without" that belongs to no agent makes any
    other word doubtful.
    """
    words = _words(text)
    found: set[Contrast] = set()
    loose = 0
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word in _WITHOUT_ALL or (word in _BEFORE and not after):
            found.add(Contrast.NON_ENHANCED)
        elif word in _AFTER and not after:
            found.add(Contrast.ENHANCED)
        elif word in NEGATIONS or word in _BEFORE:
            loose += not _is_agent(after)
        elif _is_agent(word):
            is_without = before in NEGATIONS or before in _BEFORE
            if is_without or before in _AFTER or word not in _ALONE_IS_NO_AGENT:
                found.add(Contrast.NON_ENHANCED if is_without else Contrast.ENHANCED)
    return found.pop() if len(found) == 1 and not loose else None


def _words(text: str) -> list[str]:
    """Split into plain words; `+C` and `C+` become an agent, `w/o` a word."""
    sign = r"(?<![a-z0-9])(\+ ?(c|gd|gado)|c\+)(?![a-z0-9])"
    plain = re.sub(sign, " gd ", plain_text(text))
    return re.findall(r"[a-z]+", plain)


def _above_zero(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False
