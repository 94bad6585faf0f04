"""The two drawings of tissue volumes: paired lines, and Bland-Altman."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from clinica_gado.report.content import TISSUES, presentation
from clinica_gado.report.svg import (
    Frame,
    axes,
    drawing,
    limits_of,
    line,
    markers,
    segments,
    text,
)
from clinica_gado.roles import REMOVAL_ROLES, SYNTHETIC, Roles
from clinica_gado.words import counted

Row = Mapping[str, Any]

WIDTH, HEIGHT = 340.0, 290.0
"""Of one panel, with its labels."""
LEFT, TOP, RIGHT, BOTTOM = 46.0, 34.0, 26.0, 46.0
KINDS = ("before", "after")
SHAPES = {"before": "x", "after": "o"}
N_NAMED = 3
"""How many of the farthest points carry their visit's name."""
NAME_HEIGHT = 12.0


def groups_of(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows by engine and test set, under a title in words."""
    found: dict[str, list[Row]] = {}
    engines = {"spm": "SPM", "builtin": "built-in segmentation"}
    for row in rows:
        engine, test_set = str(row.get("engine") or ""), row.get("test_set") or "all"
        words = filter(None, (f"Test set: {test_set}", engines.get(engine, engine)))
        found.setdefault(" · ".join(words), []).append(row)
    return found


def draw_paired(rows: Sequence[Row], roles: Roles = REMOVAL_ROLES) -> Markup:
    """Draw each visit's distance from the real image before and after, a panel a tissue."""
    panels = (_paired_panel(tissue, pairs_of(rows, tissue, roles)) for tissue in TISSUES)
    return _side_by_side(panels, "distance of volumes from the real image, before and after")


def draw_bland_altman(
    rows: Sequence[Row], agreement: Sequence[Row], roles: Roles = REMOVAL_ROLES
) -> Markup:
    """Draw differences against means with bias and limits of agreement, a panel a tissue."""
    limits = {
        tissue: [row for row in agreement if row.get("tissue") == tissue] for tissue in TISSUES
    }
    panels = (_agreement_panel(tissue, rows, limits[tissue], roles) for tissue in TISSUES)
    return _side_by_side(panels, "differences of volumes from the real image, against their means")


def _paired_panel(tissue: str, pairs: list[tuple[float, float]]) -> Iterable[Markup]:
    frame = _frame_of((0, 1), [value for pair in pairs for value in pair])
    yield axes(frame, _title(tissue, pairs), "", x_ticks=False)
    at = (frame.x(0.34), frame.x(0.66))
    for x, words in zip(at, KINDS, strict=True):
        yield text(x, frame.top + frame.height + 18, words, "axis-label")
    lines = [(at[0], frame.y(before), at[1], frame.y(after)) for before, after in pairs]
    yield segments([each for each in lines if each[3] >= each[1]], "nearer")
    yield segments([each for each in lines if each[3] < each[1]], "farther")
    for side, kind in enumerate(KINDS):
        yield markers([(at[side], frame.y(pair[side])) for pair in pairs], SHAPES[kind], kind)
        if pairs:
            mean = sum(pair[side] for pair in pairs) / len(pairs)
            offset = -24 if side == 0 else 24
            yield markers([(at[side] + offset / 2, frame.y(mean))], "-", "mean")
            anchor = "end" if side == 0 else "start"
            yield text(at[side] + offset, frame.y(mean) + 4, f"mean {mean:.1f}", "name", anchor)


def _agreement_panel(
    tissue: str, rows: Sequence[Row], limits: Sequence[Row], roles: Roles
) -> Iterable[Markup]:
    kinds = dict(zip(roles.compared, KINDS, strict=True))
    points = {image: points_of(rows, tissue, image, roles) for image in kinds}
    every = [point for found in points.values() for point in found]
    edges = [row[key] for row in limits for key in _LIMITS if isinstance(row.get(key), float)]
    frame = _frame_of(limits_of(x for x, _, _ in every), [y for _, y, _ in every] + edges)
    yield axes(frame, _title(tissue, points[SYNTHETIC]), "mean of the two, cm³")
    right = frame.left + frame.width
    yield line(frame.left, frame.y(0), right, frame.y(0), "zero")
    for row in limits:
        kind = kinds.get(str(row.get("image")), "after")
        for key in _LIMITS:
            if isinstance(row.get(key), float):
                y = frame.y(row[key])
                yield line(frame.left, y, right, y, f"{kind} {_LIMITS[key]}")
    for image, kind in kinds.items():
        yield markers([(frame.x(x), frame.y(y)) for x, y, _ in points[image]], SHAPES[kind], kind)
    yield from _names(frame, points[SYNTHETIC])


_LIMITS = {"bias_cm3": "bias", "loa_low_cm3": "limit", "loa_high_cm3": "limit"}


def _names(frame: Frame, points: list[tuple[float, float, str]]) -> Iterable[Markup]:
    """Name the farthest visits, but for one whose name would lie on another."""
    taken: list[float] = []
    for x, y, name in sorted(points, key=lambda point: -abs(point[1]))[:N_NAMED]:
        if any(abs(frame.y(y) - other) < NAME_HEIGHT for other in taken):
            continue
        taken.append(frame.y(y))
        on_right = frame.x(x) > frame.left + frame.width / 2
        anchor, offset = ("end", -6) if on_right else ("start", 6)
        yield text(frame.x(x) + offset, frame.y(y) + 4, name, "name", anchor)


def points_of(
    rows: Sequence[Row], tissue: str, image: str, roles: Roles = REMOVAL_ROLES
) -> list[tuple[float, float, str]]:
    """Return mean, difference and name of each visit."""
    found = []
    for row in rows:
        signed, real = row.get(f"{image}_signed_cm3"), row.get(f"{roles.real}_normalised_cm3")
        if row.get("tissue") == tissue and isinstance(signed, float) and isinstance(real, float):
            name = f"{row.get('participant_id')} {row.get('session_id')}"
            found.append((real + signed / 2, signed, name))
    return found


def pairs_of(
    rows: Sequence[Row], tissue: str, roles: Roles = REMOVAL_ROLES
) -> list[tuple[float, float]]:
    """Return the distances from the real image of each visit: before, after."""
    first, second = (f"{image}_cm3" for image in roles.compared)
    chosen = [(r.get(first), r.get(second)) for r in rows if r.get("tissue") == tissue]
    return [(a, b) for a, b in chosen if isinstance(a, float) and isinstance(b, float)]


def _frame_of(x_limits: tuple[float, float], y_values: Iterable[float]) -> Frame:
    return Frame(
        x_limits,
        limits_of(y_values, with_zero=True),
        left=LEFT,
        top=TOP,
        width=WIDTH - LEFT - RIGHT,
        height=HEIGHT - TOP - BOTTOM,
    )


def _title(tissue: str, found: Sequence[object]) -> str:
    return f"{presentation()['tissues'][tissue]}, cm³ ({counted(len(found), 'visit')})"


def _side_by_side(panels: Iterable[Iterable[Markup]], description: str) -> Markup:
    """Return a drawing a tissue: a narrow window puts one below the other."""
    names = [presentation()["tissues"][tissue] for tissue in TISSUES]
    drawings = (
        drawing(WIDTH, HEIGHT, f"{name}: {description}", parts)
        for name, parts in zip(names, panels, strict=True)
    )
    return Markup('<div class="panels">{}</div>').format(Markup("").join(drawings))
