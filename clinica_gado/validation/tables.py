"""Tables of a whole CAPS dataset, gathered from what each visit left beside its images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from clinica_gado.bids import Visit
from clinica_gado.caps import read_sidecar, segmentation_paths
from clinica_gado.evaluation.agreement import agreement
from clinica_gado.evaluation.statistics import test_differences
from clinica_gado.evaluation.tables import save_table, table1, table2
from clinica_gado.evaluation.tissue import left_out, planned_sets, volume_differences
from clinica_gado.files import read_table, write_tsv

IDS = ["participant_id", "session_id"]
VOLUMES = ["gm_cm3", "wm_cm3", "csf_cm3", "tiv_cm3"]
VOLUME_COLUMNS = [*IDS, "image", "engine", *VOLUMES, "flags"]


@dataclass(frozen=True)
class Measures:
    """What was measured in a CAPS dataset: a row a visit (`contrast`) or a visit and image."""

    volumes: pd.DataFrame
    similarity: pd.DataFrame
    contrast: pd.DataFrame


def collect(caps: Path) -> Measures:
    """Gather the measures of every visit of a CAPS dataset, in order of their identifiers."""
    volumes, similarity, contrast = [], [], []
    for visit, folder, measures in _measured_visits(caps):
        ids = dict(zip(IDS, visit, strict=True))
        flags = "; ".join(measures["Flags"])
        contrast.append({**ids, **measures["Contrast"], "flags": flags})
        similarity += [
            {**ids, "image": role, **row} for role, row in measures["Similarity"].items()
        ]
        volumes += [
            {**ids, "image": role, **row} for role, row in _volumes(folder, measures["Images"])
        ]
    return Measures(
        pd.DataFrame(volumes, columns=VOLUME_COLUMNS),
        pd.DataFrame(similarity, columns=None if similarity else [*IDS, "image"]),
        pd.DataFrame(contrast, columns=None if contrast else [*IDS, "flags"]),
    )


def _measured_visits(caps: Path) -> Iterable[tuple[Visit, Path, Mapping[str, Any]]]:
    for folder in sorted(caps.glob("subjects/sub-*/ses-*/t1_gado_removal")):
        visit = Visit(folder.parent.parent.name, folder.parent.name)
        # Another choice of inputs may have left two in one visit: the later one is meant.
        found = sorted(folder.glob("*_measures.json"), key=lambda path: path.stat().st_mtime)
        measures = read_sidecar(found[-1]) if found else None
        if measures is not None:
            yield visit, folder, measures


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
) -> Measures:
    """Write every table of the validation of a CAPS dataset into a folder.

    Parameters
    ----------
    quality_tsv : the test set of each visit: `participant_id`, `session_id` (optional), `quality`.
    exclude : visits that the comparisons leave out, such as those a reviewer rejected.

    Raises
    ------
    SelectionError
        The user's table cannot be read.
    """
    tiers = read_table(quality_tsv, ("participant_id", "quality")) if quality_tsv else None
    measures = collect(caps)
    differences = volume_differences(measures.volumes, tiers, exclude)
    tests = test_differences(differences, test_sets=planned_sets(tiers))
    tables = {
        "volumes": measures.volumes,
        "similarity": measures.similarity,
        "contrast": measures.contrast,
        "differences": differences,
        "left_out": left_out(measures.volumes, tiers, exclude),
        "tests": tests,
        "agreement": agreement(differences),
    }
    for name, table in tables.items():
        write_tsv(folder / f"{name}.tsv", table)
    save_table(table1(measures.similarity, tiers, exclude=exclude), folder / "table1")
    save_table(table2(differences, tests), folder / "table2")
    return measures
