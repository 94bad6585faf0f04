"""The files of an evaluation: tables as TSV, everything with its definitions as JSON, a few words.

cases.tsv         a row a case and image
summary.tsv       a row an image and metric
volumes.tsv       tissue volumes of every image, when tissue was segmented
tests.tsv         paired tests of the volume differences, a row a model and tissue; Bonferroni's m
                  counts all of them
evaluation.json   all of it, with the definition of every number
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from clinica_gado.bids import IDS
from clinica_gado.evaluation.metrics import PSNR_TOLERANCE_DB, Metric, records
from clinica_gado.evaluation.paired import IDENTITY, tissue_differences
from clinica_gado.evaluation.statistics import test_differences
from clinica_gado.evaluation.summary import COLUMNS as SUMMARY_COLUMNS
from clinica_gado.evaluation.tissue import REFERENCE, TISSUES
from clinica_gado.files import write_json, write_tsv
from clinica_gado.provenance import INTENDED_USE, generated_by

if TYPE_CHECKING:
    from clinica_gado.models.bundle import Bundle

RULES = {
    "brain": "voxels of the template's brain where both images are positive",
    "enhancement": "an image without enhancement is the source, given the real T1w without "
    "contrast, remapped to its intensities, wherever it is clearly brighter than that",
    "identity": "the contrast-enhanced T1w as it is",
    "histogram-matching": "the source with the mean histogram of the T1w without contrast of the "
    "other participants",
    "target": "the source without its enhancement, as above: what a model can reach at best that "
    "keeps the style of its input",
    "worse": f"farther from the best value than the identity; by more than {PSNR_TOLERANCE_DB} dB "
    "for PSNR",
}
HEADLINES = {
    "psnr_db_matched": "PSNR matched",
    "psnr_db_as_is": "PSNR as is",
    "ssim_matched": "SSIM matched",
    "nmi_as_is": "NMI",
    "sharpness_kept": "sharpness",
    "enhancement_left": "left",
    "side_change": "elsewhere",
    "gm_difference_cm3": "|dGM|",
    "wm_difference_cm3": "|dWM|",
    "csf_difference_cm3": "|dCSF|",
    "gm_bias_cm3": "GM bias",
    "change_percent": "change %",
    "gm_change_percent": "GM %",
    "wm_change_percent": "WM %",
    "csf_change_percent": "CSF %",
}
"""Metrics on the terminal, in short."""


@dataclass(frozen=True)
class Results:
    """Everything measured; `models` are the bundles by the name they have in the tables."""

    cases: pd.DataFrame
    summary: pd.DataFrame
    volumes: pd.DataFrame
    metrics: Mapping[str, Metric]
    models: Mapping[str, Bundle]
    settings: Mapping[str, object]

    @property
    def failures(self) -> pd.DataFrame:
        """The cases on which an image could not be made, with the reason."""
        failed = self.cases[self.cases["note"] != ""]
        return failed[[*IDS, "image", "note"]]

    @property
    def tests(self) -> pd.DataFrame:
        """Paired tests of each image's volume differences against the identity's: one family."""
        if REFERENCE not in set(self.volumes.get("image", ())):
            return pd.DataFrame()
        others = [name for name in self.volumes["image"].unique() if name not in _NOT_TESTED]
        m = len(TISSUES) * len(others)
        tables = [
            test_differences(tissue_differences(self.volumes, name), m).assign(image=name)
            for name in others
        ]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


_NOT_TESTED = (REFERENCE, IDENTITY)


def write_results(results: Results, folder: Path) -> None:
    """Write every table, and all of them in one JSON with the definitions."""
    tests = results.tests
    write_tsv(folder / "cases.tsv", results.cases)
    write_tsv(folder / "summary.tsv", results.summary)
    for name, table in (("volumes", results.volumes), ("tests", tests)):
        if len(table):
            write_tsv(folder / f"{name}.tsv", table)
    write_json(folder / "evaluation.json", _content(results, tests))


def _content(results: Results, tests: pd.DataFrame) -> dict[str, Any]:
    measured = [name for name in results.metrics if name in results.cases.columns]
    return {
        "Description": "Models beside doing nothing, case by case",
        "IntendedUse": INTENDED_USE,
        "GeneratedBy": generated_by(),
        "Settings": dict(results.settings),
        "Models": {
            name: {"Id": bundle.card.id, "Sha256": bundle.sha256}
            for name, bundle in results.models.items()
        },
        "Rules": RULES,
        "Definitions": {name: results.metrics[name].definition for name in measured},
        "SummaryDefinitions": SUMMARY_COLUMNS,
        "Cases": records(results.cases),
        "Summary": records(results.summary),
        "Volumes": records(results.volumes),
        "Tests": records(tests),
        "Failures": records(results.failures),
    }


def in_words(results: Results) -> str:
    """Return the means of the most telling metrics, an image a line, for the terminal."""
    summary = results.summary[results.summary["metric"].isin(HEADLINES)]
    if summary.empty:
        return "Nothing could be measured."
    means = summary.pivot(index="image", columns="metric", values="mean")
    names = [name for name in HEADLINES if name in means.columns]
    shown = means.loc[summary["image"].unique(), names].rename(columns=HEADLINES)
    counted = summary[summary["metric"].isin(("psnr_db_matched", "change_percent"))]
    shown.insert(0, "cases", counted.set_index("image")["n"].reindex(shown.index))
    return str(shown.rename_axis(index=None, columns=None).round(3).to_string(na_rep="n/a"))
