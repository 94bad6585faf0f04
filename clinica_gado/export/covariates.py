"""The covariates of exported images, in the form that neuroHarmonize takes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clinica_gado.bids import IDS, Visit
from clinica_gado.errors import SelectionError
from clinica_gado.export.candidates import SYNTHETIC
from clinica_gado.files import read_table
from clinica_gado.words import counted, first_few

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

SITE, IS_SYNTHETIC = "SITE", "SYNTHETIC"


def covariates(origins: Sequence[tuple[Visit, str]], path: Path | None) -> pd.DataFrame:
    """Return a row an exported visit: ids, `SITE`, and numbers; visits with a gap are left out.

    The user's table gives the columns. Without a `SITE` there, real and synthetic images are the
    two sites, so that what distinguishes them is harmonised; with one, `SYNTHETIC` is a number
    beside the others, unless all images are of one origin.

    Raises
    ------
    SelectionError
        The table cannot be read, or a column holds words, which neuroHarmonize does not take.
    """
    import pandas as pd

    table = pd.DataFrame([(*visit, origin) for visit, origin in origins], columns=[*IDS, "origin"])
    own = _users_table(path)
    keys = [name for name in IDS if name in own.columns]
    table = table.merge(own, on=keys, how="left", validate="many_to_one") if keys else table
    if SITE not in table:
        table.insert(2, SITE, table["origin"])
    elif table["origin"].nunique() > 1:
        table[IS_SYNTHETIC] = (table["origin"] == SYNTHETIC).astype(int)
    table = table[[*IDS, SITE, *(c for c in table if c not in (*IDS, SITE, "origin"))]]
    incomplete = table.isna().any(axis=1)
    if incomplete.any():
        names = first_few(" ".join(ids) for ids in table.loc[incomplete, IDS].to_numpy())
        logger.warning(
            "%s without covariates in %s, so not in covariates.tsv: %s.",
            *(counted(int(incomplete.sum()), "visit"), path, names),
        )
    return table[~incomplete]


def _users_table(path: Path | None) -> pd.DataFrame:
    """Read the user's columns, all but `SITE` as numbers; one row a participant or visit."""
    import pandas as pd

    if path is None:
        return pd.DataFrame()
    table = read_table(path, ("participant_id",))
    keys = [name for name in IDS if name in table.columns]
    if table.duplicated(keys).any():
        raise SelectionError(f"{path} has several rows of one {' and '.join(keys)}.")
    wrong = []
    for name in table.columns.difference([*keys, SITE]):
        numbers = pd.to_numeric(table[name], errors="coerce")
        if (numbers.isna() & table[name].notna()).any():
            wrong.append(name)
        table[name] = numbers
    if wrong:
        raise SelectionError(
            f"{path} holds words in {', '.join(wrong)}, and neuroHarmonize takes numbers only; "
            "write them as numbers (sex as 0 and 1, say) or leave the column out."
        )
    return table
