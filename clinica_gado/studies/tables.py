"""Tables of a study: means over cases, in the shape of the papers, and everything as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clinica_gado.evaluation.metrics import records
from clinica_gado.evaluation.tables import MISSING, PaperTable, save_table
from clinica_gado.files import write_json, write_tsv
from clinica_gado.provenance import generated_by
from clinica_gado.studies.scoring import SCORES, definitions

if TYPE_CHECKING:
    from clinica_gado.studies.networks import Study

JSON_NAME = "study.json"
MEANS = "Mean (standard deviation) over the cases that were scored"


def summarise(cases: pd.DataFrame) -> dict[str, float]:
    """Return the mean and the standard deviation (n - 1) of every score over cases.

    Cases without a number, such as those where nothing enhances, are left out of its mean.
    """
    row: dict[str, float] = {"n": len(cases)}
    for name in SCORES:
        found = cases[name].dropna().to_numpy(dtype=np.float64)
        row[f"{name}_mean"] = float(found.mean()) if len(found) else math.nan
        row[f"{name}_sd"] = float(found.std(ddof=1)) if len(found) > 1 else math.nan
    return row


def shown_scores(numbers: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of a table that show some scores of its rows: `mean (sd)`."""
    return {
        SCORES[name].heading: [
            f"{format_number(row[f'{name}_mean'], SCORES[name].digits)} "
            f"({format_number(row[f'{name}_sd'], SCORES[name].digits)})"
            for row in numbers.to_dict("records")
        ]
        for name in names
    }


def format_number(value: float, digits: int) -> str:
    """Return a number with so many decimals, or what stands for a missing one."""
    return f"{value:.{digits}f}" if math.isfinite(value) else MISSING


def caption_of(study: Study, title: str, remarks: Sequence[str] = ()) -> str:
    """Return a caption that says what was run, at which scale, and on what."""
    scale = f"Settings: {study.request.recipe}; {study.material.in_words()}."
    kept = "Weights are those of the last step; no case that scores was seen before."
    return " ".join([title, *remarks, scale, kept])


def write_study(
    study: Study,
    tables: Mapping[str, PaperTable],
    cases: pd.DataFrame,
    found: Mapping[str, Any],
) -> None:
    """Write tables (TSV, Markdown, LaTeX), the scores of every case, and all of it as JSON.

    Parameters
    ----------
    tables : by the stem of their files.
    cases : of `score_network`, of all networks.
    found : what the study has beside, such as tests, for the JSON.
    """
    if not study.is_writer:
        return
    folder = study.request.training.output
    for stem, table in tables.items():
        save_table(table, folder / stem)
    write_tsv(folder / "cases.tsv", cases)
    content = {
        "Description": "A study of networks that add contrast",
        "GeneratedBy": generated_by(),
        **_settings(study),
        "Definitions": definitions(),
        "Tables": {
            stem: {"Caption": table.caption, "Rows": records(table.numbers)}
            for stem, table in tables.items()
        },
        **found,
        "Cases": records(cases),
    }
    write_json(folder / JSON_NAME, content)


def _settings(study: Study) -> dict[str, Any]:
    request, material = study.request, study.material
    return {
        "Recipe": request.recipe,
        "Configuration": asdict(request.training.config),
        "Scoring": {
            "Flips": request.flips,
            "EnhancingLabels": list(request.training.enhancing_labels),
        },
        "SimulatedDraws": {"Learned": request.draws, "Scored": request.test_draws},
        "Splits": [
            {
                "Learned": [file.stem for file in split.training],
                "Scored": [file.stem for file in split.validation],
            }
            for split in material.splits
        ],
        "HeadsSimulatedWhileLearning": [path.name for path in material.label_maps],
    }
