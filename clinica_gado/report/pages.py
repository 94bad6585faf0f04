"""The report as pages to print or to send: one PDF, or a PNG a page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinica_gado.files import atomic_path
from clinica_gado.report.build import gather
from clinica_gado.report.content import TISSUES, presentation
from clinica_gado.report.html import Picture, format_cell
from clinica_gado.report.plots import groups_of, pairs_of, points_of
from clinica_gado.report.slices import PLANES
from clinica_gado.roles import roles_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

A4_INCHES = (8.27, 11.69)
DPI = 150
VISITS_PER_PAGE = 4
LINES_PER_PAGE = 58
CHARACTERS_PER_LINE = 98
_MARKS = (("x", "--", "#b5651d", "before"), ("o", "-", "#1f5f8b", "after"))


def export_pages(
    caps: Path,
    pipeline: str,
    folder: Path,
    form: str,
    *,
    reviews: Path | None = None,
    redact: bool = False,
) -> list[Path]:
    """Write the pages of a report into a folder and return the files.

    Parameters
    ----------
    form : `pdf` for one file of many pages, `png` for a file a page.
    reviews, redact : as for `write_report`.

    Raises
    ------
    OutputError
        There are no tables, or the folder cannot be written.
    """
    content, pictures = gather(caps, pipeline, reviews=reviews, redact=redact)
    pages = draw_pages(content, pictures)
    if form == "pdf":
        return [_save_pdf(pages, folder / "report.pdf")]
    return [
        _save_png(page, folder / f"report_page-{number:04d}.png")
        for number, page in enumerate(pages, start=1)
    ]


def draw_pages(content: Mapping[str, Any], pictures: Sequence[Picture]) -> Iterator[Figure]:
    """Draw summary and attention, then volumes and tests, then the visits, one page at a time."""
    lines = list(_text_of(content))
    for start in range(0, max(len(lines), 1), LINES_PER_PAGE):
        yield _text_page(lines[start : start + LINES_PER_PAGE])
    for title, rows in groups_of(content["differences"]).items():
        yield _volumes_page(title, rows, content)
    by_name = {name: (path, layout) for name, path, layout in pictures}
    shown = [visit for visit in content["visits"] if _name(visit) in by_name]
    for start in range(0, len(shown), VISITS_PER_PAGE):
        visits = shown[start : start + VISITS_PER_PAGE]
        yield _visits_page(visits, by_name, presentation(content["pipeline"])["images"])


def _save_pdf(pages: Iterator[Figure], path: Path) -> Path:
    from matplotlib.backends.backend_pdf import PdfPages

    # No date and no program: two exports of one run are equal.
    metadata = {"CreationDate": None, "Creator": None, "Producer": None}
    with atomic_path(path) as partial, PdfPages(partial, metadata=metadata) as document:
        for page in pages:
            document.savefig(page, dpi=DPI)
    return path


def _save_png(page: Figure, path: Path) -> Path:
    with atomic_path(path) as partial:
        page.savefig(partial, dpi=DPI)
    return path


def _new_page() -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    page = Figure(figsize=A4_INCHES)
    FigureCanvasAgg(page)
    page.text(0.5, 0.02, "research, not for diagnosis", ha="center", fontsize=7, color="0.4")
    return page


def _text_of(content: Mapping[str, Any]) -> Iterator[str]:
    presented = presentation(content["pipeline"])
    sections = {section["id"]: section for section in presented["sections"]}
    yield from (f"{content['pipeline']}: quality report", f"Made {content['made']}", "")
    yield sections["summary"]["title"]
    yield from (f"  {item['value']}  {item['label']}" for item in content["summary"])
    yield from _wrapped(content["notes"])
    yield from ("", sections["attention"]["title"])
    if not content["attention"]:
        yield from _wrapped([sections["attention"]["absent"]])
    titles = {kind["id"]: f"{kind['symbol']} {kind['title']}" for kind in presented["doubts"]}
    for group in content["attention"]:
        yield from ("", f"{titles[group['kind']]}: {len(group['visits'])}")
        for visit in group["visits"]:
            yield from _wrapped([f"{_words(visit)}: {'; '.join(visit['reasons'])}"])


def _wrapped(paragraphs: Sequence[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        lines = textwrap.wrap(paragraph, CHARACTERS_PER_LINE)
        yield from (("  " if n == 0 else "      ") + line for n, line in enumerate(lines))


def _text_page(lines: Sequence[str]) -> Figure:
    page = _new_page()
    for number, line in enumerate(lines):
        is_title = line != "" and not line.startswith(" ")
        page.text(
            0.07, 0.955 - number * 0.0157, line, fontsize=8.5, parse_math=False,
            weight="bold" if is_title else "normal",
        )  # fmt: skip
    return page


def _volumes_page(title: str, rows: Sequence[Any], content: Mapping[str, Any]) -> Figure:
    page = _new_page()
    page.suptitle(title, fontsize=11, parse_math=False)
    grid = page.subplots(4, 3, gridspec_kw={"height_ratios": [3, 3, 1.2, 1.2]})
    limits = groups_of(content["agreement"]).get(title, [])
    tests = groups_of(content["tests"]).get(title, [])
    presented, roles = presentation(content["pipeline"]), roles_of(content["pipeline"])
    for place, tissue in enumerate(TISSUES):
        _draw_pairs(grid[0, place], pairs_of(rows, tissue, roles))
        grid[0, place].set_title(f"{presented['tissues'][tissue]}\ndistance, cm³", fontsize=8)
        points = [points_of(rows, tissue, image, roles) for image in roles.compared]
        of_tissue = [row for row in limits if row.get("tissue") == tissue]
        _draw_agreement(grid[1, place], points, [_of_image(of_tissue, i) for i in roles.compared])
        tested = [row for row in tests if row.get("tissue") == tissue]
        _write(grid[2, place], "paired test", tested, presented, presented["tests"])
        _write(grid[3, place], "agreement", of_tissue, presented, presented["agreement"])
    page.subplots_adjust(left=0.08, right=0.98, top=0.93, bottom=0.04, hspace=0.35, wspace=0.3)
    return page


def _of_image(rows: Sequence[Any], image: str) -> list[Any]:
    return [row for row in rows if row.get("image") == image]


def _draw_pairs(axes: Axes, pairs: Sequence[tuple[float, float]]) -> None:
    for before, after in pairs:
        nearer = after <= before
        axes.plot(
            [0, 1], [before, after], "-" if nearer else "--", color="0.6" if nearer else "0.1"
        )
        for place, value in enumerate((before, after)):
            marker, _, colour, _ = _MARKS[place]
            axes.plot(place, value, marker, color=colour, mfc="none")
    axes.set_xticks([0, 1], ["before", "after"])
    axes.tick_params(labelsize=7)


def _draw_agreement(
    axes: Axes,
    points: Sequence[Sequence[tuple[float, float, str]]],
    limits: Sequence[Sequence[Any]],
) -> None:
    """Draw the points and the limits of agreement of the image before, and of that after."""
    for found, rows, (marker, style, colour, words) in zip(points, limits, _MARKS, strict=True):
        xs, ys = [x for x, _, _ in found], [y for _, y, _ in found]
        axes.plot(xs, ys, marker, color=colour, mfc="none", label=words)
        for row in rows:
            for key, width in (("bias_cm3", 1.5), ("loa_low_cm3", 0.7), ("loa_high_cm3", 0.7)):
                if isinstance(row.get(key), float):
                    axes.axhline(row[key], ls=style, lw=width, color=colour)
    axes.axhline(0, color="0.3", lw=0.7)
    axes.set_title("difference against mean, cm³", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=6)


def _write(
    axes: Axes, title: str, rows: Sequence[Any], page: Mapping[str, Any], columns: Sequence[str]
) -> None:
    lines = [title]
    for row in rows:
        cells = (
            (page["headings"].get(name, name), format_cell(row.get(name), name, page))
            for name in columns
            if name != "tissue"
        )
        lines += textwrap.wrap(", ".join(f"{name} {cell}" for name, cell in cells), 46)
    axes.set_axis_off()
    axes.text(
        0, 1, "\n".join(lines), va="top", fontsize=6, parse_math=False, transform=axes.transAxes
    )


def _visits_page(
    visits: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, tuple[Path, Mapping[str, Any]]],
    images: Mapping[str, str],
) -> Figure:
    page = _new_page()
    grid = page.subplots(VISITS_PER_PAGE, 1, squeeze=False)[:, 0]
    for axes in grid:
        axes.set_axis_off()
    for axes, visit in zip(grid, visits, strict=False):
        picture, words = _picture(*pictures[_name(visit)], images)
        if picture is not None:
            axes.imshow(picture)
        doubts = "; ".join(doubt["text"] for doubt in visit["doubts"]) or "no remarks"
        heading = textwrap.shorten(f"{_words(visit)} · {doubts}", 150)
        axes.set_title(f"{heading}\n{words}", fontsize=7, loc="left", parse_math=False)
    page.text(0.5, 0.975, "the patient's left is on the right", ha="center", fontsize=7)
    page.subplots_adjust(left=0.05, right=0.95, top=0.935, bottom=0.04, hspace=0.2)
    return page


def _picture(
    path: Path, layout: Mapping[str, Any], images: Mapping[str, str]
) -> tuple[NDArray[np.uint8] | None, str]:
    """Return the images of a visit two by two, and in words what they are."""
    from PIL import Image

    names = [name for name in images if name in layout["rows"]]
    words = ", ".join(images[name] for name in names)
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except OSError:
        return None, "the picture cannot be read"
    height = layout["row_height"]
    starts = [layout["rows"].index(name) * height for name in names]
    tiles = [pixels[start : start + height] for start in starts]
    tiles += [np.zeros_like(tiles[0])] * (len(tiles) % 2)
    rows = [np.concatenate(tiles[i : i + 2], axis=1) for i in range(0, len(tiles), 2)]
    return np.concatenate(rows), f"row by row: {words}{_places(layout)}"


def _places(layout: Mapping[str, Any]) -> str:
    """Return in words where the planes of a picture are cut, if it says so."""
    positions = layout.get("position_mm")
    if positions is None:
        return ""
    x, y, z = (f"{positions[plane]:g}" for plane in PLANES)
    return f" · planes through {layout['through']}, at x {x}, y {y}, z {z} mm"


def _name(visit: Mapping[str, Any]) -> str:
    return f"{visit['participant_id']}_{visit['session_id']}"


def _words(visit: Mapping[str, Any]) -> str:
    return f"{visit['participant_id']} {visit['session_id']}"
