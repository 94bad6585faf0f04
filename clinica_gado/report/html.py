"""The report as one HTML file that opens without a network, from a USB stick too.

Pictures are inert text at the end of the file: a browser shows the report before it has read them,
and decodes the few that are on the screen.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from markupsafe import Markup

from clinica_gado.report.content import presentation
from clinica_gado.report.plots import draw_bland_altman, draw_paired, groups_of
from clinica_gado.roles import roles_of

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPTS = ("dom.js", "viewer.js", "reviews.js", "visits.js", "main.js")
CARDS_PER_PAGE = 10
P_VALUES = frozenset(("p", "p_bonferroni", "wilcoxon_p", "wilcoxon_p_bonferroni"))
_END = "<!-- pictures -->"

Picture = tuple[str, Path, Mapping[str, Any]]
"""Name of a visit (`participant_session`), its picture of planes and the layout of that."""


def write_html(
    stream: IO[str], content: Mapping[str, Any], pictures: Sequence[Picture], report_id: str
) -> None:
    """Write the whole report; one picture at a time is in memory."""
    style, script = asset("report.css"), "\n".join(asset(name) for name in SCRIPTS)
    page = (
        _environment(content["pipeline"])
        .get_template("report.html.j2")
        .render(
            **content_for_page(content),
            policy=_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            data=_inert_json(_browser_data(content, pictures, report_id)),
        )
    )
    before, after = page.split(_END)
    stream.write(before)
    for block in _picture_blocks(pictures):
        stream.write(block)
    stream.write(after)


def content_for_page(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template needs: the content, its presentation and the drawings."""
    groups = groups_of(content["differences"])
    limits, tests = groups_of(content["agreement"]), groups_of(content["tests"])
    page, roles = presentation(content["pipeline"]), roles_of(content["pipeline"])
    return {
        "content": content,
        "page": page,
        "paired": {title: draw_paired(rows, roles) for title, rows in groups.items()},
        "agreement": {
            title: draw_bland_altman(rows, limits.get(title, []), roles)
            for title, rows in groups.items()
        },
        "tests": tests,
        "groups": [*groups, *(title for title in tests if title not in groups)],
        "limits": limits,
        "families": _by_family(content["paired_tests"], page),
        "doubts": {kind["id"]: kind for kind in page["doubts"]},
        "n_doubts": {group["kind"]: len(group["visits"]) for group in content["attention"]},
    }


def _by_family(rows: Sequence[Mapping[str, Any]], page: Mapping[str, Any]) -> dict[str, Any]:
    """Return paired tests by what was made and family, under a title in words."""
    found: dict[str, Any] = {}
    for row in rows:
        made = page["made"].get(row["desc"], row["desc"])
        found.setdefault(f"{str(row['family']).capitalize()} · {made}", []).append(row)
    return found


def asset(name: str) -> str:
    """Return a file of the page: template, style or script."""
    return files("clinica_gado.report").joinpath("assets", name).read_text(encoding="utf-8")


def format_cell(value: Any, column: str, page: Mapping[str, Any]) -> str:
    """Return a cell of a table: p-values as they are printed, cm³ with one digit, `n/a`.

    Parameters
    ----------
    page : the presentation, which has names of tissues, images and measures.
    """
    if value is None or value == "":
        return "n/a" if value is None and column != "note" else ""
    if column in ("tissue", "image", "measure"):
        return str(page.get(f"{column}s", {}).get(value, value))
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    if column in P_VALUES:
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    if float(value).is_integer() and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 10 and not column.endswith("_cm3") else f"{value:.1f}"


@lru_cache
def _environment(pipeline: str) -> Environment:
    from jinja2 import Environment, FunctionLoader

    environment = Environment(
        loader=FunctionLoader(asset), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        cell=partial(format_cell, page=presentation(pipeline)), flat=_flatten
    )
    return environment


def _policy(style: str, script: str) -> str:
    """Return a policy under which nothing is loaded and no script runs but ours."""
    return (
        f"default-src 'none'; img-src data: blob:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _browser_data(
    content: Mapping[str, Any], pictures: Sequence[Picture], report_id: str
) -> dict[str, Any]:
    page = presentation(content["pipeline"])
    return {
        "id": report_id,
        "visits": content["visits"],
        "columns": page["columns"],
        "doubts": page["doubts"],
        "images": page["images"],
        "compared": page["compared"],
        "pictures": {name: layout for name, _, layout in pictures},
        "cards_per_page": CARDS_PER_PAGE,
    }


def _inert_json(data: Mapping[str, Any]) -> Markup:
    """Return JSON that cannot end the script element it lies in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _picture_blocks(pictures: Sequence[Picture]) -> Iterator[str]:
    for name, path, _ in pictures:
        encoded = base64.b64encode(path.read_bytes()).decode("ascii")
        opening = Markup('<script type="text/plain" data-picture="{}">').format(name)
        yield f"{opening}{encoded}</script>\n"


def _flatten(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings and lists, each under its dotted name."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _flatten(value, f"{name} · {key}" if name else str(key))
    elif isinstance(content, list) and any(isinstance(each, Mapping) for each in content):
        for each in content:
            yield from _flatten(each, name)
    else:
        yield name, ", ".join(map(str, content)) if isinstance(content, list) else content
