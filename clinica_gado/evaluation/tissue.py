"""Differences of tissue volume from the real non-enhanced image (Bottani 2022, section 2.4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clinica_gado.bids import IDS
from clinica_gado.errors import SelectionError
from clinica_gado.roles import REMOVAL_ROLES, Roles

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFERENCE = REMOVAL_ROLES.real
COMPARED = REMOVAL_ROLES.compared
TISSUES = ("gm", "wm", "csf")
ALL = "all"
"""The one test set when no quality was given."""
UNRATED = "unrated"
"""Test set of the visits that a table of qualities does not name."""
EXCLUDED = "excluded on request"
_VOLUMES = [f"{tissue}_cm3" for tissue in TISSUES]
_KEYS = ["engine", *IDS]

Visits = AbstractSet[tuple[str, str]]


def difference_columns(roles: Roles = REMOVAL_ROLES) -> list[str]:
    """Return the columns of `volume_differences`."""
    distances = [f"{image}_cm3" for image in roles.compared]
    signed = [f"{image}_signed_cm3" for image in roles.compared]
    keys = [*IDS, "test_set", "engine", "tissue"]
    return [*keys, *distances, *signed, f"{roles.real}_normalised_cm3", "mean_tiv_cm3"]


def volume_differences(
    volumes: pd.DataFrame,
    tiers: pd.DataFrame | None = None,
    exclude: Visits = frozenset(),
    roles: Roles = REMOVAL_ROLES,
) -> pd.DataFrame:
    """Compare the tissue volumes of each visit's images with those of its real one.

    As Bottani 2022 does for the removal of contrast, whose names stand here; `roles` gives those of
    another pipeline.

    A volume is divided by the TIV (GM + WM + CSF) of its own image and multiplied by the mean TIV:
    signed = (V_x / TIV_x - V_nce / TIV_nce) * mean(TIV), and `ce_cm3`, `synthetic_cm3` are its
    absolute value, for x in ce, synthetic. The mean TIV is that of the nce images of all visits
    compared, over all test sets together, one number an engine (`mean_tiv_cm3`). Images are matched
    by participant and session. A visit that lacks one of the three is left out of everything, the
    mean TIV included; `left_out` says why. Engines are never mixed.

    Parameters
    ----------
    volumes : one row a visit, image (of `roles`) and engine, with volumes in cm³.
    tiers : participant_id, quality and, if a row is for one session only, session_id.
    exclude : visits to leave out.

    Returns
    -------
    One row an engine, test set, visit and tissue (`difference_columns`); volumes in cm³.

    Raises
    ------
    SelectionError
        A column is missing, an image is listed twice, or a visit has two qualities.
    """
    wide = _by_visit(volumes, roles)
    kept = wide[(_reasons(wide, exclude) == "").to_numpy()]
    tiv = _tiv(kept)
    mean_tiv = tiv[roles.real].groupby(level="engine").transform("mean")
    sets = find_test_sets(kept.index, tiers)
    rows = [_of_tissue(kept, tiv, mean_tiv, tissue, roles) for tissue in TISSUES]
    rows = [row.assign(test_set=sets) for row in rows]
    table = pd.concat(rows).reset_index()
    order = np.lexsort([
        table["tissue"].map(TISSUES.index).to_numpy(dtype=int),
        *(pd.factorize(table[key], sort=True)[0] for key in ("session_id", "participant_id")),
        *(pd.factorize(table[key], sort=True)[0] for key in ("test_set", "engine")),
    ])  # fmt: skip
    return table.iloc[order][difference_columns(roles)].reset_index(drop=True)


def left_out(
    volumes: pd.DataFrame,
    tiers: pd.DataFrame | None = None,
    exclude: Visits = frozenset(),
    roles: Roles = REMOVAL_ROLES,
) -> pd.DataFrame:
    """List the visits that `volume_differences` leaves out, each with the reason in words."""
    wide = _by_visit(volumes, roles)
    reasons = _reasons(wide, exclude)
    table = reasons[reasons != ""].rename("reason").to_frame()
    table["test_set"] = find_test_sets(table.index, tiers)
    return table.reset_index()[[*IDS, "test_set", "engine", "reason"]]


def planned_sets(tiers: pd.DataFrame | None = None) -> tuple[str, ...]:
    """Return the test sets that a table of qualities plans, whether or not a visit fills them."""
    return (ALL,) if tiers is None else tuple(sorted(set(_qualities(tiers).values())))


def find_test_sets(
    visits: Iterable[tuple[str, ...]], tiers: pd.DataFrame | None
) -> NDArray[np.object_]:
    """Return the test set of each visit: its quality, by its session's row or its participant's.

    Parameters
    ----------
    visits : tuples that end with participant and session.
    """
    rows = list(visits)
    if tiers is None:
        return np.full(len(rows), ALL, dtype=object)
    known = _qualities(tiers)
    found = [
        known.get((participant, session), known.get((participant, ""), UNRATED))
        for *_, participant, session in rows
    ]
    return np.array(found, dtype=object)


def require_columns(table: pd.DataFrame, columns: list[str], what: str) -> None:
    """Check a table given by the user or by a former step.

    Raises
    ------
    SelectionError
        A column is missing.
    """
    if missing := [name for name in columns if name not in table.columns]:
        raise SelectionError(f"The table of {what} has no column {', '.join(missing)}.")


def _by_visit(volumes: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """Return volumes: rows (engine, participant, session), sorted; columns (tissue, image)."""
    require_columns(volumes, [*_KEYS, "image", *_VOLUMES], "tissue volumes")
    images = (roles.real, *roles.compared)
    table = volumes[volumes["image"].isin(images)].copy()
    table[_KEYS] = table[_KEYS].astype(str)
    table[_VOLUMES] = table[_VOLUMES].apply(pd.to_numeric, errors="coerce")
    twice = table[table.duplicated([*_KEYS, "image"])]
    if len(twice):
        listed = ", ".join(sorted({" ".join(row) for row in twice[[*IDS, "image"]].to_numpy()}))
        raise SelectionError(f"The table of tissue volumes has several rows for: {listed}.")
    wide = table.pivot(index=_KEYS, columns="image", values=_VOLUMES)
    columns = pd.MultiIndex.from_product([_VOLUMES, images])
    return wide.reindex(columns=columns).sort_index()


def _tiv(wide: pd.DataFrame) -> pd.DataFrame:
    """Return the TIV in cm³ of each image (columns); NaN when a tissue is missing."""
    return sum((wide[tissue] for tissue in _VOLUMES[1:]), start=wide[_VOLUMES[0]])


def _reasons(wide: pd.DataFrame, exclude: Visits) -> pd.Series:
    """Return why each visit cannot be compared; empty when it can."""
    tiv = _tiv(wide)
    usable = np.isfinite(tiv) & (tiv > 0)
    for tissue in _VOLUMES:
        usable &= wide[tissue] >= 0
    reasons = []
    for (_, *visit), found in zip(wide.index, usable.to_numpy(dtype=bool), strict=True):
        missing = [image for image, there in zip(usable.columns, found, strict=True) if not there]
        reason = f"no tissue volumes of the image: {', '.join(missing)}" if missing else ""
        reasons.append(EXCLUDED if tuple(visit) in exclude else reason)
    return pd.Series(reasons, index=wide.index, dtype=object)


def _of_tissue(
    wide: pd.DataFrame, tiv: pd.DataFrame, mean_tiv: pd.Series, tissue: str, roles: Roles
) -> pd.DataFrame:
    normalised = (wide[f"{tissue}_cm3"] / tiv).mul(mean_tiv, axis=0)
    signed = {image: normalised[image] - normalised[roles.real] for image in roles.compared}
    return pd.DataFrame({
        "tissue": tissue,
        **{f"{image}_cm3": values.abs() for image, values in signed.items()},
        **{f"{image}_signed_cm3": values for image, values in signed.items()},
        f"{roles.real}_normalised_cm3": normalised[roles.real],
        "mean_tiv_cm3": mean_tiv,
    })  # fmt: skip


def _qualities(tiers: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return quality by (participant, session); the session is empty for all sessions."""
    require_columns(tiers, ["participant_id", "quality"], "qualities")
    cells = tiers.reindex(columns=[*IDS, "quality"]).fillna("").astype(str)
    found: dict[tuple[str, str], str] = {}
    clashes = set()
    for participant, session, quality in cells.to_numpy():
        key, label = (participant.strip(), session.strip()), quality.strip()
        if label and found.setdefault(key, label) != label:
            clashes.add(" ".join(key).strip())
    if clashes:
        raise SelectionError(
            f"The table of qualities gives several to: {', '.join(sorted(clashes))}; keep one."
        )
    return found
