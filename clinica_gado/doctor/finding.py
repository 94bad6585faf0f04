"""One line of the diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "absent", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What was looked for and what was found.

    Attributes
    ----------
    state : `absent` is not there; `wrong` is there and cannot be used as it is.
    text : version, place or reason.
    advice : what to do, or what happens without it; empty where nothing needs doing.
    needed : the main job cannot run unless the state is ok.
    """

    name: str
    state: State
    text: str = ""
    advice: str = ""
    needed: bool = False

    @property
    def blocks(self) -> bool:
        """Whether the main job cannot run because of this."""
        return self.needed and self.state != "ok"
