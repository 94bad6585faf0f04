"""The report on paper, and its drawings."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from clinica_gado.commands.report import cli
from clinica_gado.report.pages import export_pages
from clinica_gado.report.plots import draw_bland_altman, draw_paired
from clinica_gado.report.svg import limits_of, ticks_of

PIPELINE = "t1-gado-removal"


def row(tissue: str, before: float, after: float, name: str = "sub-1") -> dict[str, object]:
    return {
        "participant_id": name, "session_id": "ses-1", "tissue": tissue, "ce_cm3": abs(before),
        "synthetic_cm3": abs(after), "ce_signed_cm3": before, "synthetic_signed_cm3": after,
        "nce_normalised_cm3": 600.0,
    }  # fmt: skip


@pytest.mark.parametrize("rows", [[], [row("gm", 5.0, 5.0)], [row("gm", 0.0, 0.0)] * 3])
def test_drawings_stand_for_any_number_of_visits(rows: list[dict[str, object]]) -> None:
    for drawing in (draw_paired(rows), draw_bland_altman(rows, [])):
        root = ElementTree.fromstring(drawing)
        assert [each.get("role") for each in root] == ["img"] * 3
        assert "nan" not in drawing


def test_a_visit_taken_farther_is_drawn_otherwise() -> None:
    root = ElementTree.fromstring(draw_paired([row("gm", 9.0, 2.0), row("gm", 1.0, 4.0)]))
    paths = {path.get("class"): path.get("d", "") for path in root.iter("path") if path.get("d")}
    assert paths["nearer"].count("M") == paths["farther"].count("M") == 1


def test_names_in_a_drawing_are_text() -> None:
    drawing = draw_bland_altman([row("gm", 9.0, 2.0, "<b>&")], [])
    assert "<b>" not in drawing
    assert "&lt;b&gt;&amp; ses-1" in drawing


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-3.0, 1e6], [1e-9, 2e-9], []])
def test_ticks_lie_inside_the_limits(values: list[float]) -> None:
    low, high = limits_of(values)
    assert low < high
    ticks = ticks_of((low, high))
    assert 2 <= len(ticks) <= 12
    assert all(low <= tick <= high for tick in ticks)


def test_pages_come_as_png_and_as_pdf(caps: Path, tmp_path: Path) -> None:
    pages = export_pages(caps, PIPELINE, tmp_path / "png", "png")
    assert len(pages) == 3  # summary, volumes, one visit with a picture
    assert imread(pages[0]).shape[0] > imread(pages[0]).shape[1]
    (document,) = export_pages(caps, PIPELINE, tmp_path / "pdf", "pdf")
    assert document.read_bytes().startswith(b"%PDF")


def test_the_command_writes_report_and_pages(caps: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "r.html"
    arguments = [str(caps), "-o", str(output), "--redact", "--export", "pdf", str(tmp_path / "p")]
    shown = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert shown.exit_code == 0
    assert shown.output.split() == [str(output), str(tmp_path / "p" / "report.pdf")]


def test_excluding_needs_reviews(caps: Path) -> None:
    assert "--exclude needs --reviews" in CliRunner().invoke(cli, [str(caps), "--exclude"]).output
