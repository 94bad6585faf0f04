"""The paper's tables in LaTeX: whole, and taken by LaTeX itself where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clinica_gado.evaluation.similarity import DEFINITIONS
from clinica_gado.evaluation.statistics import test_differences as paired_tests
from clinica_gado.evaluation.tables import save_table, table1, table2
from clinica_gado.evaluation.tissue import volume_differences

PDFLATEX = shutil.which("pdflatex")
needs_latex = pytest.mark.skipif(PDFLATEX is None, reason="pdflatex is not installed")
HOSTILE = r"50 % of_a & b^2 ~ #1 $x {y} \end <0.1> | é – × ±"
MARGIN_PT = 100
"""What may stand over the narrow column of LaTeX's article on A4: its margin is 126 pt."""
DOCUMENT = r"""\documentclass[a4paper]{article}
\begin{document}
%s
\end{document}
"""


def save_tables(folder: Path, qualities: list[str], engines: list[str]) -> None:
    """Write both tables of six visits in two test sets."""
    generator = np.random.default_rng(0)
    names = [f"sub-{n:02d}" for n in range(6)]
    volumes = pd.DataFrame([
        {"participant_id": name, "session_id": "ses-M000", "image": image, "engine": engine,
         "gm_cm3": 600 + generator.normal(0, 20), "wm_cm3": 480 + generator.normal(0, 20),
         "csf_cm3": 300 + generator.normal(0, 20)}
        for name in names for image in ("nce", "ce", "synthetic") for engine in engines
    ])  # fmt: skip
    tiers = pd.DataFrame({"participant_id": names, "quality": qualities * 3})
    differences = volume_differences(volumes, tiers)
    similarity = pd.DataFrame([
        {"participant_id": name, "session_id": "ses-M000", "image": image,
         **dict.fromkeys(DEFINITIONS, 0.5)}
        for name in names for image in ("ce", "synthetic")
    ])  # fmt: skip
    save_table(table1(similarity, tiers, model="a_model%1"), folder / "table1")
    save_table(table2(differences, paired_tests(differences)), folder / "table2")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with tables of two engines and a badly named test set."""
    folder = tmp_path_factory.mktemp("tables")
    save_tables(folder, ["good", HOSTILE], ["spm", "builtin"])
    return folder


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_rows_are_as_wide_as_the_head_and_nothing_is_left_open(tables: Path, name: str) -> None:
    text = (tables / f"{name}.tex").read_text(encoding="utf-8")
    bare = re.sub(r"\\[%&$#_{}]", "", text)  # what is escaped is no markup
    begun = re.findall(r"\\begin\{(\w+)\}", bare)
    assert begun == ["table", "tabular"]
    assert re.findall(r"\\end\{(\w+)\}", bare) == begun[::-1]
    (columns,) = re.findall(r"\\begin\{tabular\}\{(l+)\}", bare)
    rows = [line for line in bare.splitlines() if line.endswith(r"\\")]
    assert len(rows) == (5 if name == "table1" else 9)
    assert {row.count("&") for row in rows} == {len(columns) - 1}
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[%#~]", bare)
    outside_mathematics = re.sub(r"\$[^$]*\$", "", bare)
    assert not re.search(r"[<>|^_]", outside_mathematics)


@needs_latex
@pytest.mark.parametrize("name", ["table1", "table2"])
def test_latex_takes_the_tables(tables: Path, tmp_path: Path, name: str) -> None:
    assert "Missing character" not in compiled(tables / f"{name}.tex", tmp_path)


@needs_latex
@pytest.mark.parametrize("name", ["table1", "table2"])
def test_tables_of_the_papers_shape_fit_an_a4_page(tmp_path: Path, name: str) -> None:
    save_tables(tmp_path, ["good", "low"], ["spm"])
    log = compiled(tmp_path / f"{name}.tex", tmp_path)
    overfull = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(overfull, default=0) < MARGIN_PT


def compiled(table: Path, folder: Path) -> str:
    """Return what LaTeX wrote of a document with a table."""
    (folder / "paper.tex").write_text(DOCUMENT % table.read_text(encoding="utf-8"), "utf-8")
    done = subprocess.run(
        [str(PDFLATEX), "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=folder, capture_output=True, text=True, errors="replace", timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "paper.pdf").stat().st_size > 1000
    return (folder / "paper.log").read_text(errors="replace")
