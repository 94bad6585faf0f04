"""Tables of a whole CAPS dataset, gathered from what each visit left beside its images."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from clinica_gado.bids import IDS, Visit, parse_name
from clinica_gado.caps import ENHANCEMENT, REMOVAL, read_sidecar, segmentation_paths
from clinica_gado.evaluation.agreement import agreement
from clinica_gado.evaluation.paired_measures import compare_measures
from clinica_gado.evaluation.statistics import test_differences
from clinica_gado.evaluation.tables import save_table, table1, table2
from clinica_gado.evaluation.tissue import (
    UNRATED,
    find_test_sets,
    left_out,
    planned_sets,
    volume_differences,
)
from clinica_gado.files import read_table, write_tsv
from clinica_gado.roles import ENHANCEMENT_ROLES
from clinica_gado.words import counted, first_few

logger = logging.getLogger(__name__)

VOLUMES = ["gm_cm3", "wm_cm3", "csf_cm3", "tiv_cm3"]
DESC = "desc"
SYNTHESISED = "SynthCE"
"""Column of t1-virtual-enhance that says what was made, `SynthCE` or `Amplified`."""
QUALITIES = "qualities.tsv"
"""The table of qualities that the comparisons were made by, kept so that they can be made anew."""
MAX_NAMED = 10
"""Visits in a warning: a warehouse may have thousands."""
NOT_RATED = "no quality in the table of qualities, so in none of its test sets"


@dataclass(frozen=True)
class Measures:
    """What was measured in a CAPS dataset: a row a visit (`contrast`) or a visit and image."""

    volumes: pd.DataFrame
    similarity: pd.DataFrame
    contrast: pd.DataFrame


def collect(caps: Path, pipeline_folder: str = REMOVAL) -> Measures:
    """Gather the measures of every visit of a CAPS dataset, in order of their identifiers.

    Parameters
    ----------
    pipeline_folder : of the pipeline in each visit. The rows of t1-virtual-enhance have a column
        more, `DESC`: a visit may be both synthesised and amplified.
    """
    keys = [*IDS, DESC] if pipeline_folder == ENHANCEMENT else IDS
    volumes, similarity, contrast = [], [], []
    for path, measures in _find_measures(caps, pipeline_folder, by_description=DESC in keys):
        folder, visit = path.parent, (path.parts[-4], path.parts[-3], _description_of(path))
        ids = dict(zip(keys, visit, strict=False))
        flags = "; ".join(measures["Flags"])
        contrast.append({**ids, **measures["Contrast"], "flags": flags})
        similarity += [
            {**ids, "image": role, **row} for role, row in measures["Similarity"].items()
        ]
        volumes += [
            {**ids, "image": role, **row} for role, row in _volumes(folder, measures["Images"])
        ]
    return Measures(
        pd.DataFrame(volumes, columns=[*keys, "image", "engine", *VOLUMES, "flags"]),
        pd.DataFrame(similarity, columns=None if similarity else [*keys, "image"]),
        pd.DataFrame(contrast, columns=None if contrast else [*keys, "flags"]),
    )


def _find_measures(
    caps: Path, pipeline_folder: str, *, by_description: bool
) -> Iterable[tuple[Path, Mapping[str, Any]]]:
    for folder in sorted(caps.glob(f"subjects/sub-*/ses-*/{pipeline_folder}")):
        # Another choice of inputs may have left two in one visit: the later one is meant.
        found = sorted(folder.glob("*_measures.json"), key=lambda path: path.stat().st_mtime)
        latest = {_description_of(path) if by_description else "": path for path in found}
        for _, path in sorted(latest.items()):
            measures = read_sidecar(path)
            if measures is not None:
                yield path, measures


def _description_of(path: Path) -> str:
    """Return the entity `desc` of the image that was measured."""
    return parse_name(path.name).entities.get(DESC, "")


def _volumes(folder: Path, images: Mapping[str, str]) -> Iterable[tuple[str, dict[str, Any]]]:
    for role, name in images.items():
        sidecar = read_sidecar(segmentation_paths(folder / name).sidecar)
        if sidecar is not None:
            flags = "; ".join(sidecar.get("Flags", []))
            yield role, {"engine": sidecar["Engine"], **sidecar["VolumesCm3"], "flags": flags}


def write_tables(
    caps: Path,
    folder: Path,
    quality_tsv: Path | None = None,
    exclude: AbstractSet[Visit] = frozenset(),
    m: int | None = None,
) -> Measures:
    """Write every table of the validation of a CAPS dataset into a folder.

    Parameters
    ----------
    quality_tsv : the test set of each visit: `participant_id`, `session_id` (optional), `quality`.
        Its qualities are the test sets, and with the tissues the family of tests; a visit that it
        does not name is in none of them, and left out of the comparisons with that reason.
    exclude : visits that the comparisons leave out, such as those a reviewer rejected.
    m : tests in the family that Bonferroni's correction is for; tissues times test sets by default.

    Raises
    ------
    SelectionError
        The user's table cannot be read.
    """
    tiers = read_table(quality_tsv, ("participant_id", "quality")) if quality_tsv else None
    measures = collect(caps)
    unrated = _unrated(measures, tiers) - exclude
    outside = exclude | unrated
    differences = volume_differences(measures.volumes, tiers, outside)
    tests = test_differences(differences, m, test_sets=planned_sets(tiers))
    reasons = left_out(measures.volumes, tiers, outside)
    reasons.loc[[Visit(*row) in unrated for row in reasons[IDS].to_numpy()], "reason"] = NOT_RATED
    tables = {
        "volumes": measures.volumes,
        "similarity": measures.similarity,
        "contrast": measures.contrast,
        "differences": differences,
        "left_out": reasons,
        "tests": tests,
        "agreement": agreement(differences),
    }
    for name, table in tables.items():
        write_tsv(folder / f"{name}.tsv", table)
    _keep_qualities(folder / QUALITIES, tiers)
    save_table(table1(measures.similarity, tiers, exclude=outside), folder / "table1")
    save_table(table2(differences, tests), folder / "table2")
    return measures


def write_enhancement_tables(
    caps: Path, folder: Path, exclude: AbstractSet[Visit] = frozenset(), m: int | None = None
) -> Measures:
    """Write the measures of t1-virtual-enhance in a CAPS dataset, and their tests, into a folder.

    Tissue volumes are compared as in `write_tables`: those of the T1w without contrast and of the
    image synthesised with those of the real contrast-enhanced one. An amplified image has none.

    Parameters
    ----------
    exclude, m : see `write_tables`; `m` is that of every family of tests.
    """
    measures = collect(caps, ENHANCEMENT)
    volumes = measures.volumes[measures.volumes[DESC] == SYNTHESISED]
    differences = volume_differences(volumes, None, exclude, ENHANCEMENT_ROLES)
    tables = {
        **vars(measures),
        "differences": differences,
        "left_out": left_out(volumes, None, exclude, ENHANCEMENT_ROLES),
        "tests": test_differences(differences, m, roles=ENHANCEMENT_ROLES),
        "agreement": agreement(differences, ENHANCEMENT_ROLES),
        "paired_tests": compare_measures(measures.similarity, measures.contrast, exclude, m),
    }
    for name, table in tables.items():
        write_tsv(folder / f"{name}.tsv", table)
    return measures


def _keep_qualities(path: Path, tiers: pd.DataFrame | None) -> None:
    if tiers is None:
        path.unlink(missing_ok=True)
    else:
        write_tsv(path, tiers)


def _unrated(measures: Measures, tiers: pd.DataFrame | None) -> set[Visit]:
    """Return the compared visits that a table of qualities does not name, after a word on them."""
    if tiers is None:
        return set()
    compared = measures.volumes[measures.volumes["image"] == "nce"]
    rows = pd.concat([compared[IDS], measures.similarity[IDS]]).to_numpy()
    visits = sorted({Visit(*row) for row in rows})
    sets = find_test_sets(visits, tiers)
    unrated = {visit for visit, found in zip(visits, sets, strict=True) if found == UNRATED}
    if unrated:
        logger.warning(
            "The table of qualities does not name %d of the %s with a real image without "
            "contrast: %s. What it does not name is in no test set; left_out.tsv lists it. To "
            "compare it too, give it a quality.",
            *(len(unrated), counted(len(visits), "visit"), first_few(sorted(unrated), MAX_NAMED)),
        )
    return unrated
