"""What the report says, without how it looks: the content of report.json."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from importlib.resources import files
from typing import Any

from clinica_gado.bids import IDS, Role, Visit
from clinica_gado.provenance import INTENDED_USE
from clinica_gado.report.reviews import REJECT, Review
from clinica_gado.report.tables import Row, RunTables, visit_of
from clinica_gado.words import counted, first_few

FAILED, DOUBTFUL, FINE = "failed", "doubtful", "fine"
ENHANCEMENT = "t1-virtual-enhance"
LEVELS = (FAILED, DOUBTFUL, FINE)
TISSUES = ("gm", "wm", "csf")


@lru_cache
def presentation(pipeline: str = "t1-gado-removal") -> dict[str, Any]:
    """Return sections.yml: order, titles and captions of sections, kinds of doubt, columns.

    What the file of a pipeline says takes the place of what sections.yml says, key by key.
    """
    import yaml

    content: dict[str, Any] = {}
    folder = files("clinica_gado.report")
    for name in ("sections.yml", f"sections-{pipeline}.yml"):
        if folder.joinpath(name).is_file():
            content |= yaml.safe_load(folder.joinpath(name).read_text(encoding="utf-8"))
    return content


def build_content(
    tables: RunTables, pipeline: str, reviews: Mapping[Visit, Review]
) -> dict[str, Any]:
    """Gather a run: mappings and lists only, as report.json holds them."""
    page = presentation(pipeline)
    visits = list_visits(tables, reviews, page)
    return {
        "pipeline": pipeline,
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "intended_use": INTENDED_USE,
        "summary": summarise(tables, visits, page),
        "attention": list_attention(visits, page),
        "visits": visits,
        **{name: tables.rows[name] for name in _TABLES_OF_TESTS},
        **tables.printed,
        "families": describe_families(tables.rows["tests"]),
        **{name: define(tables.rows[name], pipeline) for name in ("similarity", "contrast")},
        "selection": sorted(tables.rows["selection"], key=lambda row: not _is_doubtful(row)),
        "failures": tables.rows["failures"],
        "provenance": tables.provenance,
        "notes": [*tables.notes, *describe_left_alone(tables.rows["selection"])],
    }


def list_visits(
    tables: RunTables, reviews: Mapping[Visit, Review], page: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return one record a visit, those that need attention first."""
    by_table = {name: tables.of_visits(name) for name in _TABLES_OF_VISITS}
    known = {visit for name in _TABLES_OF_VISITS for visit in by_table[name] if all(visit)}
    records = [
        _record(
            visit,
            {name: by_table[name].get(visit, []) for name in by_table},
            reviews.get(visit),
            page,
        )
        for visit in known
    ]
    kinds = [kind["id"] for kind in page["doubts"]]
    return sorted(records, key=lambda record: _gravity(record, kinds))


_TABLES_OF_TESTS = ("differences", "left_out", "tests", "agreement", "paired_tests")
_TABLES_OF_VISITS = ("images", "failures", "volumes", "similarity", "contrast", "differences")


def _record(
    visit: Visit,
    rows: Mapping[str, list[Row]],
    review: Review | None,
    page: Mapping[str, Any],
) -> dict[str, Any]:
    doubts = list(_doubts(rows, page))
    if review is not None and review.decision == REJECT:
        doubts.append({"kind": "rejected", "text": review.comment or "rejected by a reviewer"})
    image = rows["images"][0] if rows["images"] else {}
    failed = any(doubt["kind"] == FAILED for doubt in doubts)
    return {
        **visit._asdict(),
        "filename": image.get("filename") or next(_values(rows["failures"], "filename"), ""),
        "status": FAILED if failed else image.get("status") or "done",
        "level": FAILED if failed else DOUBTFUL if doubts else FINE,
        "doubts": doubts,
        "columns": [_cell(column, rows) for column in page["columns"]],
        "volumes": [_without_ids(row) for row in rows["volumes"]],
        "similarity": [_without_ids(row) for row in rows["similarity"]],
        "contrast": [_without_ids(row) for row in rows["contrast"]],
        "review": None if review is None else review._asdict(),
    }


def _doubts(rows: Mapping[str, list[Row]], page: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield why to look at a visit, gravest kind first."""
    for reason in _values(rows["failures"], "reason"):
        yield {"kind": FAILED, "text": reason}
    if not rows["failures"] and any(row.get("status") == FAILED for row in rows["images"]):
        yield {"kind": FAILED, "text": "failed, without a reason in failures.tsv"}
    elsewhere = {flag for name in ("contrast", "volumes") for flag in _flags(rows[name])}
    for kind in page["doubts"]:
        for row in rows.get(kind.get("table", ""), []):
            image = f"{row['image']}: " if row.get("image") else ""
            for flag in _flags([row]):
                # images.tsv gathers every doubt; the table that measured it knows its kind.
                if kind["table"] != "images" or not flag.endswith(tuple(elsewhere)):
                    yield {"kind": kind["id"], "text": image + flag}


def _flags(rows: Iterable[Row]) -> list[str]:
    return [flag for row in rows for flag in str(row.get("flags") or "").split("; ") if flag]


def _values(rows: Iterable[Row], column: str) -> Iterator[str]:
    return (str(row[column]) for row in rows if row.get(column))


def _cell(column: Mapping[str, Any], rows: Mapping[str, list[Row]]) -> str | float | None:
    for row in rows[column["table"]]:
        wanted = all(row.get(key) == column[key] for key in _CHOSEN_BY if key in column)
        if wanted and row.get(column["column"]) is not None:
            value: str | float = row[column["column"]]
            return value
    return None


_CHOSEN_BY = ("desc", "image", "tissue")
"""What tells rows of a visit apart."""


def _without_ids(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in (*IDS, "flags")}


def _gravity(record: Mapping[str, Any], kinds: list[str]) -> tuple[int, int, str, str]:
    gravest = min((kinds.index(doubt["kind"]) for doubt in record["doubts"]), default=len(kinds))
    ids = (record["participant_id"], record["session_id"])
    return (LEVELS.index(record["level"]), gravest, *ids)


def summarise(
    tables: RunTables, visits: list[dict[str, Any]], page: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the counts that open the report, each with its words; empty without any table."""
    if not any(tables.rows.values()):
        return []
    n = {level: sum(visit["level"] == level for visit in visits) for level in LEVELS}
    real, words = page["real"], page["labels"]
    with_real = {visit_of(r) for r in tables.rows[real["table"]] if r.get("image") == real["image"]}
    engines = sorted({str(r["engine"]) for r in tables.rows["volumes"] if r.get("engine")})
    doubtful = sum(map(_is_doubtful, tables.rows["selection"]))
    alone = {visit for those in _left_alone(tables.rows["selection"]).values() for visit in those}
    return [
        {"value": len(visits), "label": "visit" if len(visits) == 1 else "visits"},
        *([{"value": len(alone), "label": "left alone"}] if alone else []),
        {"value": n[FINE], "label": "without remarks"},
        {"value": n[DOUBTFUL], "label": "to look at", "filter": DOUBTFUL},
        {"value": n[FAILED], "label": "failed", "filter": FAILED},
        {"value": len(with_real), "label": words["real"]},
        {"value": doubtful, "label": words["doubtful"]},
        {"value": _engines(engines), "label": "segmentation"},
    ]


def _engines(engines: list[str]) -> str:
    words = {"spm": "SPM", "builtin": "built-in"}
    return ", ".join(words.get(engine, engine) for engine in engines) or "not run"


def describe_left_alone(selection: list[Row]) -> list[str]:
    """Return in words how many visits were left alone, for lack of which image, and the first."""
    return [
        f"{counted(len(visits), 'visit')} {reason.replace(': ', ' (', 1)}): {first_few(visits)}."
        for reason, visits in _left_alone(selection).items()
    ]


def _left_alone(selection: list[Row]) -> dict[str, list[Visit]]:
    """Return by reason the visits of which nothing was taken: they have rows without a file."""
    found: dict[str, dict[Visit, None]] = {}
    for row in selection:
        if row.get("role") == Role.LEFT_ALONE.value and not row.get("filename"):
            found.setdefault(str(row.get("reason")), {})[visit_of(row)] = None
    return {reason: list(visits) for reason, visits in found.items()}


def list_attention(visits: list[dict[str, Any]], page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return, for each kind of doubt that occurs, its visits with the reasons."""
    groups = []
    for kind in page["doubts"]:
        found = [
            {
                "participant_id": visit["participant_id"],
                "session_id": visit["session_id"],
                "reasons": reasons,
            }
            for visit in visits
            if (reasons := [d["text"] for d in visit["doubts"] if d["kind"] == kind["id"]])
        ]
        if found:
            groups.append({"kind": kind["id"], "visits": found})
    return groups


def describe_families(tests: list[Row]) -> list[str]:
    """Return in words, for each engine, the family that its tests are corrected for."""
    found: dict[str, tuple[list[str], Any]] = {}
    for row in tests:
        sets, _ = found.setdefault(str(row.get("engine") or ""), ([], row.get("m")))
        if (test_set := str(row.get("test_set") or "all")) not in sets:
            sets.append(test_set)
    words = []
    for engine, (sets, m) in found.items():
        planned = len(sets) * len(TISSUES)
        family = f"{len(TISSUES)} tissues × {len(sets)} test set{'s' * (len(sets) > 1)}"
        given = "" if m == planned else f"; m was given, {family} would make {planned}"
        of_engine = f"{_engines([engine])}: " if engine else ""
        size = "n/a" if m is None else f"{m:g}"
        words.append(f"{of_engine}m = {size}, {family} ({', '.join(sets)}){given}.")
    return words


def describe_numbers(rows: list[Row]) -> list[dict[str, Any]]:
    """Return n, median and quartiles of every column of numbers.

    By image, and by what was made (`desc`), where rows have one.
    """
    import numpy as np

    told_apart = [name for name in ("desc", "image") if any(name in row for row in rows)]
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        for column, value in row.items():
            if isinstance(value, float):
                key = (column, *(str(row.get(name) or "") for name in told_apart))
                groups.setdefault(key, []).append(value)
    described = []
    for (column, *kinds), values in groups.items():
        low, median, high = np.percentile(values, [25, 50, 75]).tolist()
        described.append(
            {
                "column": column, "image": "", **dict(zip(told_apart, kinds, strict=True)),
                "n_visits": len(values), "median": median, "quartile_1": low, "quartile_3": high,
            }
        )  # fmt: skip
    order = list(dict.fromkeys(column for column, *_ in groups))
    return sorted(described, key=lambda row: order.index(row["column"]))


def define(rows: list[Row], pipeline: str) -> list[dict[str, Any]]:
    """Describe the numbers of a table, each with what it is: without, a number says nothing.

    Parameters
    ----------
    pipeline : whose table it is: both measure the change of a brain, each by thresholds of its own.
    """
    described = describe_numbers(rows)
    if not described:
        return []
    from clinica_gado.evaluation import contrast_index, similarity
    from clinica_gado.validation import enhanced_lesions, enhancement

    of_change = enhancement if pipeline == ENHANCEMENT else contrast_index
    words = {**similarity.DEFINITIONS, **of_change.DEFINITIONS}
    words |= enhanced_lesions.definitions_for(row.get(enhanced_lesions.HEALTHY) for row in rows)
    return [{**row, "definition": _definition(row["column"], words)} for row in described]


def _definition(column: str, words: Mapping[str, str]) -> str:
    """Return the words for a column, whose name may end in the image that it is of."""
    return words.get(column) or words.get(column.rpartition("_")[0], "")


def _is_doubtful(row: Row) -> bool:
    return str(row.get("doubtful")).casefold() in ("true", "1.0", "yes")
