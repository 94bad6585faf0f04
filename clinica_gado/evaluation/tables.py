"""Tables 1 and 2 of Bottani 2022 from one's own data, as TSV, Markdown and LaTeX."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clinica_gado.bids import IDS
from clinica_gado.evaluation.tissue import (
    COMPARED,
    TISSUES,
    Visits,
    find_test_sets,
    require_columns,
)
from clinica_gado.files import atomic_path, write_tsv

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMPARISONS = {"ce": "T1w-nce / T1w-ce", "synthetic": "T1w-nce / Synthetic T1w-nce"}
TISSUE_NAMES = {"gm": "Gray matter", "wm": "White matter", "csf": "CSF"}
METRICS = ("mae", "psnr_db", "ssim")
DEFINITIONS = {
    "p1": "P1-compatible: both images divided by their median in the brain and by the 99.9th "
    "percentile of the T1w-nce, voxels outside the brain set to zero, averaged over the whole "
    "169×208×179 grid; SSIM of one global window with C1 = .01 and C2 = .03",
    "as_is": "over the voxels of the brain: both images divided by their median in the brain and "
    "by the 99.9th percentile of the T1w-nce; SSIM with a 3D Gaussian window, σ 1.5",
    "matched": "over the voxels of the brain, after a monotone intensity match to the T1w-nce "
    "fitted on non-enhancing tissue; SSIM with a 3D Gaussian window, σ 1.5",
}
"""Ways to measure likeness that `table1` can show; see `clinica_gado.evaluation.similarity`."""
NO_MODEL = "-"
MISSING = "n/a"
HEADING_WIDTH = 12
"""Characters of a line of a heading in LaTeX."""


@dataclass(frozen=True)
class PaperTable:
    """A table for reading and for computing.

    Attributes
    ----------
    caption : what the numbers are, in words.
    numbers : one number a cell.
    shown : text of the same shape as the paper's table.
    """

    caption: str
    numbers: pd.DataFrame
    shown: pd.DataFrame


def table1(
    similarity: pd.DataFrame,
    tiers: pd.DataFrame | None = None,
    model: str = "synthetic",
    *,
    definition: str = "p1",
    exclude: Visits = frozenset(),
) -> PaperTable:
    """Return the likeness to the real T1w-nce, before and after, of each test set (Table 1).

    Only visits with both comparisons count, so both rows of a test set are over the same visits.

    Parameters
    ----------
    similarity : one row a visit and image (ce, synthetic), with the columns of `similarity_row`.
    tiers : qualities of the visits, as for `volume_differences`.
    model : name of what made the synthetic images.
    definition : one of `DEFINITIONS`.
    """
    names = {metric: _column(metric, definition) for metric in METRICS}
    # A table without any row has no column of a metric either.
    wanted = list(names.values()) if len(similarity) else []
    require_columns(similarity, [*IDS, "image", *wanted], "similarity")
    paired = _both_images(similarity, wanted, exclude)
    sets = find_test_sets(paired[IDS].itertuples(index=False), tiers)
    rows = []
    for test_set, table in paired.assign(test_set=sets).groupby("test_set"):
        for image in COMPARED:
            cell = table[table["image"] == image]
            row = {"test_set": test_set, "compared_images": COMPARISONS[image], "n": len(cell)}
            row["model"] = model if image == "synthetic" else NO_MODEL
            for metric, column in names.items():
                row |= _mean_and_sd(_metric_name(metric), _scaled(cell[column], metric))
            rows.append(row)
    columns = ["test_set", "compared_images", "model", "n"]
    columns += [f"{_metric_name(m)}_{part}" for m in METRICS for part in ("mean", "sd")]
    numbers = pd.DataFrame(rows, columns=columns)
    return PaperTable(_caption1(definition, numbers), numbers, _shown1(numbers))


def table2(differences: pd.DataFrame, tests: pd.DataFrame) -> PaperTable:
    """Return |dV| before and after by tissue, with the corrected p-values (Table 2).

    Parameters
    ----------
    differences : of `volume_differences`.
    tests : of `test_differences`, made of the same differences.
    """
    rows = []
    for (engine, test_set), found in tests.groupby(["engine", "test_set"], sort=True):
        cells = differences[
            (differences["engine"] == engine) & (differences["test_set"] == test_set)
        ]
        by_tissue = found.set_index("tissue")
        for image in COMPARED:
            row = {"test_set": test_set, "engine": engine, "compared_images": COMPARISONS[image]}
            row["n"] = int(by_tissue["n_visits"].max())
            for tissue in TISSUES:
                values = cells.loc[cells["tissue"] == tissue, f"{image}_cm3"]
                row |= _mean_and_sd(f"{tissue}_cm3", values)
                row[f"{tissue}_p_bonferroni"] = by_tissue.loc[tissue, "p_bonferroni"]
            rows.append(row)
    columns = ["test_set", "engine", "compared_images", "n"]
    for tissue in TISSUES:
        columns += [f"{tissue}_cm3_mean", f"{tissue}_cm3_sd", f"{tissue}_p_bonferroni"]
    numbers = pd.DataFrame(rows, columns=columns)
    return PaperTable(_caption2(differences, tests), numbers, _shown2(numbers))


def save_table(table: PaperTable, stem: Path) -> None:
    """Write the numbers to `stem`.tsv and the text to `stem`.md and `stem`.tex."""
    write_tsv(stem.with_name(f"{stem.name}.tsv"), table.numbers)
    for suffix, text in (("md", to_markdown(table)), ("tex", to_latex(table))):
        with atomic_path(stem.with_name(f"{stem.name}.{suffix}")) as partial:
            partial.write_text(text, encoding="utf-8")


def to_markdown(table: PaperTable) -> str:
    """Return the caption and the table in GitHub's Markdown."""
    lines = [[escape_markdown(name) for name in table.shown], ["---"] * table.shown.shape[1]]
    lines += [[escape_markdown(cell) for cell in row] for row in table.shown.to_numpy()]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{escape_markdown(table.caption)}\n\n{body}\n"


def to_latex(table: PaperTable) -> str:
    """Return a `table` environment that needs no package; headings are stacked to fit a page."""
    head = " & ".join(
        _stacked(textwrap.wrap(name, HEADING_WIDTH) or [""]) for name in table.shown.columns
    )
    body = (" & ".join(_stacked(_at_slash(cell)) for cell in row) for row in table.shown.to_numpy())
    return "\n".join([
        r"\begin{table}",
        rf"\caption{{{escape_latex(table.caption)}}}",
        r"\scriptsize",
        r"\setlength{\tabcolsep}{2.5pt}",
        rf"\begin{{tabular}}{{{'l' * table.shown.shape[1]}}}",
        r"\hline", head + r" \\", r"\hline", *(line + r" \\" for line in body), r"\hline",
        r"\end{tabular}",
        r"\end{table}",
        "",
    ])  # fmt: skip


def _at_slash(cell: str) -> list[str]:
    first, slash, second = cell.partition(" / ")
    return [f"{first} /", second] if slash else [cell]


def _stacked(lines: Sequence[str]) -> str:
    joined = r" \\ ".join(escape_latex(line) for line in lines)
    return joined if len(lines) == 1 else rf"\shortstack[l]{{\strut {joined}}}"


def format_p(p: float) -> str:
    """Return a p-value with three decimals, `<0.001` below, `n/a` when there is none."""
    if math.isnan(p):
        return MISSING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def escape_markdown(text: str) -> str:
    """Escape what Markdown would take for markup; line breaks become spaces."""
    escaped = re.sub(r"([\\`*_|\[\]])", r"\\\1", " ".join(text.split()))
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", escaped)


_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$",
    "Δ": r"$\Delta$", "σ": r"$\sigma$", "³": "$^3$", "≥": r"$\geq$",
}  # fmt: skip


def escape_latex(text: str) -> str:
    """Escape what LaTeX would take for a command; the signs used here become mathematics."""
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))


def _column(metric: str, definition: str) -> str:
    return f"p1_{metric}" if definition == "p1" else f"{metric}_{definition}"


def _metric_name(metric: str) -> str:
    return "mae_percent" if metric == "mae" else metric


def _scaled(values: pd.Series, metric: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers * 100 if metric == "mae" else numbers


def _both_images(similarity: pd.DataFrame, metrics: list[str], exclude: Visits) -> pd.DataFrame:
    """Return the rows of the visits that have all metrics of each image."""
    table = similarity[similarity["image"].isin(COMPARED)].dropna(subset=metrics)
    keys = table[IDS].astype(str)
    n_images = table.groupby([keys[name] for name in IDS])["image"].transform("nunique")
    excluded = [tuple(key) in exclude for key in keys.to_numpy()]
    kept = table[(n_images == len(COMPARED)) & ~pd.Series(excluded, table.index, dtype=bool)]
    if kept.duplicated([*IDS, "image"]).any():
        raise ValueError("The table of similarity has several rows for one image of a visit.")
    return kept.sort_values([*IDS, "image"])


def _mean_and_sd(name: str, values: pd.Series) -> dict[str, float]:
    """Return the mean and the standard deviation, with n - 1, of sorted values."""
    found = values.dropna().sort_values()
    sd = float(found.std(ddof=1)) if len(found) > 1 else float("nan")
    return {f"{name}_mean": float(found.mean()), f"{name}_sd": sd}


def _plus_minus(mean: pd.Series, sd: pd.Series) -> list[str]:
    return [
        MISSING if math.isnan(m) else f"{m:.2f} ± {MISSING if math.isnan(s) else f'{s:.2f}'}"
        for m, s in zip(mean, sd, strict=True)
    ]


def _shown1(numbers: pd.DataFrame) -> pd.DataFrame:
    heads = {"mae_percent": "MAE (%)", "psnr_db": "PSNR (dB)", "ssim": "SSIM"}
    return pd.DataFrame({
        "Test set": _once(numbers["test_set"].to_numpy()),
        "Compared images": numbers["compared_images"],
        "Model": numbers["model"],
        "n": numbers["n"].astype(str),
        **{
            head: _plus_minus(numbers[f"{name}_mean"], numbers[f"{name}_sd"])
            for name, head in heads.items()
        },
    })  # fmt: skip


def _shown2(numbers: pd.DataFrame) -> pd.DataFrame:
    several = numbers["engine"].nunique() > 1
    sets = numbers["test_set"] + (" (" + numbers["engine"] + ")" if several else "")
    shown = {
        "Test set": _once(sets.to_numpy()),
        "Compared images": numbers["compared_images"],
        "n": numbers["n"].astype(str),
    }
    for tissue, name in TISSUE_NAMES.items():
        mean, sd = (numbers[f"{tissue}_cm3_{part}"] for part in ("mean", "sd"))
        shown[f"{name}: absolute difference (cm³)"] = _plus_minus(mean, sd)
        p_values = [format_p(p) for p in numbers[f"{tissue}_p_bonferroni"]]
        shown[f"{name}: p-value"] = [p if i % 2 == 0 else "" for i, p in enumerate(p_values)]
    return pd.DataFrame(shown)


def _once(labels: NDArray[np.object_]) -> list[str]:
    """Return the labels of pairs of rows, the second of each pair empty."""
    return [str(label) if index % 2 == 0 else "" for index, label in enumerate(labels)]


def _caption1(definition: str, numbers: pd.DataFrame) -> str:
    caption = (
        "Likeness to the real T1w-nce: mean ± standard deviation over the n visits of each test "
        f"set. {DEFINITIONS[definition]}."
    )
    return caption if len(numbers) else f"{caption} No visit has a real T1w-nce to compare with."


def _caption2(differences: pd.DataFrame, tests: pd.DataFrame) -> str:
    engines = [str(name) for name in sorted(tests["engine"].unique())]
    tiv = differences.groupby("engine")["mean_tiv_cm3"].first()
    means = ", ".join(f"{tiv[name]:.0f} cm³ ({name})" for name in engines if name in tiv.index)
    sizes = ", ".join(str(m) for m in sorted(tests["m"].unique()))
    return (
        "Absolute volume difference (mean ± standard deviation in cm³) from the real T1w-nce, over "
        "the n visits of each test set: |V_nce/TIV_nce - V_x/TIV_x| × mean TIV of the T1w-nce of "
        f"all test sets, {means or MISSING}. Tissue segmented by {', '.join(engines)}. P-values "
        "of paired two-sided t-tests between the two rows of a test set, over the means of the "
        f"participants, corrected by Bonferroni with m = {sizes}."
    )
