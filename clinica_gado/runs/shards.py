"""A share of the visits, the same on every machine, for sites that start one command a share."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from clinica_gado.bids import Visit
from clinica_gado.errors import SelectionError

_FORM = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Shard:
    """Share `index` (from 1) of `count`."""

    index: int
    count: int

    def holds(self, visit: Visit) -> bool:
        """Tell whether a visit is of this share.

        It depends on its participant alone, so no share moves when the dataset grows.
        """
        return zlib.crc32(visit.participant_id.encode()) % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """Read `i/n`.

    Raises
    ------
    SelectionError
        It is no share, or none of that many.
    """
    match = _FORM.fullmatch(text.strip())
    shard = Shard(*map(int, match.groups())) if match else Shard(0, 0)
    if not 1 <= shard.index <= shard.count:
        raise SelectionError(f"--shard {text}: give i/n with i from 1 to n, such as 1/4.")
    return shard
