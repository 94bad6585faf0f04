"""Taking paths, users and machines out of a report; the ids of participants and sessions stay."""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

PATH, NAME = "[path]", "[name]"
KEPT = frozenset(("participant_id", "session_id", "caption", "definition"))
"""What is never redacted: ids, and words of our own, which have formulae in them."""
HARMLESS = frozenset(
    ("n/a", "ce/nce", "nce/ce", "accept/reject", "and/or", "w/o", "mm/s", "mmol/kg", "mg/kg")
)
"""Words with a slash that name no place."""

_QUOTED = re.compile(r"""(["'`])(?=[^"'`\n]*[/\\])[^"'`\n]+\1""")
_TOKEN = re.compile(r"""[^\s"'`<>()\[\]{},;|]*[/\\][^\s"'`<>()\[\]{},;|]*""")
_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|[\w.+-]+@[\w-]+(?:\.[\w-]+)*")
_BIDS_NAME = re.compile(r"sub-[A-Za-z0-9]+(?:_[A-Za-z0-9]+(?:-[A-Za-z0-9]+)?)*(?:\.[A-Za-z]+)*")


class Redactor:
    """Redacts text, whole tables and provenance alike."""

    def __init__(self, names: Iterable[str], folders: Iterable[Path] = ()) -> None:
        places = {str(place) for folder in folders for place in (folder, folder.resolve())}
        self._places = sorted((place for place in places if len(place) > 1), key=len, reverse=True)
        words = sorted({name for name in names if len(name) > 1}, key=len, reverse=True)
        pattern = "|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in words)
        self._names = re.compile(pattern, re.IGNORECASE) if words else None

    def text(self, text: str) -> str:
        """Return a text without places and names; of a BIDS path its file name stays."""
        for place in self._places:
            text = text.replace(place, "/place")  # a token even where the place has spaces
        text = _QUOTED.sub(lambda match: _last_name(match.group()), text)
        text = _TOKEN.sub(lambda match: _last_name(match.group()), text)
        text = _ADDRESS.sub(NAME, text)
        return text if self._names is None else self._names.sub(NAME, text)

    def all(self, content: Any) -> Any:
        """Return a copy of nested mappings and lists, every text redacted but what is `KEPT`."""
        if isinstance(content, str):
            return self.text(content)
        if isinstance(content, Mapping):
            return {
                key: value if key in KEPT else self.all(value) for key, value in content.items()
            }
        if isinstance(content, list | tuple):
            return [self.all(value) for value in content]
        return content


def names_here() -> set[str]:
    """Return the names of this user and of this machine."""
    host = socket.gethostname()
    names = {host, host.split(".")[0], Path.home().name}
    with suppress(KeyError, OSError):  # a container's user without a name
        names.add(getpass.getuser())
    return names


def _last_name(token: str) -> str:
    """Return what may stay of a token with a slash in it."""
    word = token.strip("\"'`").rstrip(".:!?")
    ending = token[len(token.rstrip(".:!?")) :]
    if word.casefold() in HARMLESS or not word.strip("/\\|"):
        return token
    name = re.split(r"[/\\]", word)[-1]
    return (name if _BIDS_NAME.fullmatch(name) else PATH) + ending
