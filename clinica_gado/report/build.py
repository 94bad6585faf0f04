"""Writing report.html and report.json from what a run left in CAPS."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinica_gado.bids import Visit
from clinica_gado.caps import qc_folder, read_sidecar
from clinica_gado.errors import GadoError, OutputError
from clinica_gado.files import atomic_path, write_json
from clinica_gado.report.content import build_content
from clinica_gado.report.html import Picture, write_html
from clinica_gado.report.redaction import Redactor, names_here
from clinica_gado.report.reviews import Review, read_reviews
from clinica_gado.report.tables import RunTables

REPORT, REVIEWS = "report.html", "reviews.tsv"


def write_report(
    caps: Path,
    pipeline: str,
    *,
    reviews: Path | None = None,
    redact: bool = False,
    output: Path | None = None,
) -> Path:
    """Write the report of a pipeline as one HTML file, and its content as JSON beside it.

    It takes what is there: a table or picture that is missing or cannot be read leaves a note.

    Parameters
    ----------
    reviews : TSV that a report saved; by default reviews.tsv beside the tables, where there is one.
    redact : take out paths and the names of users and machines; ids stay.
    output : the HTML file; by default report.html beside the tables.

    Returns
    -------
    The HTML file.

    Raises
    ------
    OutputError
        There is no folder of tables, or the file cannot be written, or is no HTML, or the JSON
        beside it is of something else.
    SelectionError
        `reviews` is no table of reviews.
    """
    path = qc_folder(caps, pipeline) / REPORT if output is None else output
    _check_output(path)
    content, pictures = gather(caps, pipeline, reviews=reviews, redact=redact)
    report_id = _report_id(caps, content)
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as stream:
        write_html(stream, content, pictures, report_id)
    write_json(path.with_suffix(".json"), content)
    return path


def _check_output(path: Path) -> None:
    """Refuse a name under which the report, or its content beside, would replace something else."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{path} must end with .html: its content goes into a .json beside it.")
    beside = path.with_suffix(".json")
    if beside.exists() and not (read_sidecar(beside) or {}).keys() >= {"pipeline", "visits"}:
        raise OutputError(f"{beside} is no report and would be replaced; give another -o.")


def gather(
    caps: Path, pipeline: str, *, reviews: Path | None = None, redact: bool = False
) -> tuple[dict[str, Any], list[Picture]]:
    """Return the content of the report, redacted if asked for, and its pictures.

    Raises
    ------
    OutputError
        The pipeline was not run on this dataset.
    """
    folder = qc_folder(caps, pipeline)
    if not folder.is_dir():
        raise OutputError(f"{folder} is not there: run {pipeline} on this CAPS dataset first.")
    tables = RunTables(folder)
    layouts = list(tables.layouts())
    content = build_content(tables, pipeline, _find_reviews(tables, reviews))
    if redact:
        content = _redact(content, caps)
    known = {f"{v['participant_id']}_{v['session_id']}" for v in content["visits"]}
    pictures = [
        (name, path, layout)
        for path, layout in layouts
        if (name := "_".join(path.name.split("_")[:2])) in known
    ]
    return content, pictures


def _find_reviews(tables: RunTables, reviews: Path | None) -> Mapping[Visit, Review]:
    if reviews is not None:
        return read_reviews(reviews)
    beside = tables.folder / REVIEWS
    if not beside.is_file():
        return {}
    try:
        return read_reviews(beside)
    except GadoError as error:
        tables.notes.append(str(error))
        return {}


def _redact(content: dict[str, Any], caps: Path) -> dict[str, Any]:
    description = read_sidecar(caps / "dataset_description.json") or {}
    names = names_here() | set(_names_in(description))
    for number, reviewer in enumerate(_reviewers(content), start=1):
        for visit in content["visits"]:
            if visit["review"] and visit["review"]["reviewer"] == reviewer:
                visit["review"]["reviewer"] = f"reviewer {number}"
        names.add(reviewer)
    redacted: dict[str, Any] = Redactor(names, [caps, Path.home()]).all(content)
    return redacted


def _reviewers(content: Mapping[str, Any]) -> list[str]:
    given = [visit["review"]["reviewer"] for visit in content["visits"] if visit["review"]]
    return sorted(set(filter(None, given)))


def _names_in(description: Any, key: str = "") -> list[str]:
    """Return the authors and machines that Clinica wrote into dataset_description.json."""
    if isinstance(description, Mapping):
        return [name for k, v in description.items() for name in _names_in(v, str(k))]
    if isinstance(description, list):
        return [name for value in description for name in _names_in(value, key)]
    wanted = key.casefold() in ("author", "authors", "machine", "machinename")
    return [str(description)] if wanted and description else []


def _report_id(caps: Path, content: Mapping[str, Any]) -> str:
    """Return under what name a browser keeps the reviews of this dataset and pipeline.

    No path is in it, so that a copy on another machine finds its reviews again; the dataset's first
    visit tells apart two that a browser has seen.
    """
    name = (read_sidecar(caps / "dataset_description.json") or {}).get("Name") or ""
    first = min((v["participant_id"] for v in content["visits"]), default="")
    digest = hashlib.sha256(f"{content['pipeline']}\n{name}\n{first}".encode()).hexdigest()
    return digest[:16]
