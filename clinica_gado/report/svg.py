"""Small drawings as inline SVG: shapes and words only, no style that a strict policy refuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape


@dataclass(frozen=True)
class Frame:
    """A panel's axes: data limits and where they lie in the drawing (pixels, top left first)."""

    x_limits: tuple[float, float]
    y_limits: tuple[float, float]
    left: float
    top: float
    width: float
    height: float

    def x(self, value: float) -> float:
        """Return the horizontal position of a value."""
        low, high = self.x_limits
        return round(self.left + self.width * (value - low) / (high - low), 1)

    def y(self, value: float) -> float:
        """Return the vertical position of a value."""
        low, high = self.y_limits
        return round(self.top + self.height * (high - value) / (high - low), 1)


def limits_of(values: Iterable[float], *, with_zero: bool = False) -> tuple[float, float]:
    """Return limits a little wider than the values, and never equal."""
    found = [*values, *([0.0] if with_zero else [])] or [0.0]
    low, high = min(found), max(found)
    margin = 0.06 * (high - low) or max(1.0, abs(high) * 0.06)
    return low - margin, high + margin


def ticks_of(limits: tuple[float, float], about: int = 5) -> list[float]:
    """Return round values inside the limits."""
    low, high = limits
    raw = (high - low) / about
    unit = 10.0 ** np.floor(np.log10(raw))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)
    first = int(np.ceil(low / step))
    return [round(float(step * i), 10) for i in range(first, int(np.floor(high / step)) + 1)]


def text(x: float, y: float, words: str, kind: str = "tick", anchor: str = "middle") -> Markup:
    """Return a text; `kind` names its class in the style sheet."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(
        round(x, 1), round(y, 1), kind, anchor, words
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, kind)


def markers(points: Sequence[tuple[float, float]], shape: str, kind: str) -> Markup:
    """Return all points as one path: circles (`o`), crosses (`x`) or short bars (`-`)."""
    strokes = {
        "o": "m-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0",
        "x": "m-3,-3l6,6m0,-6l-6,6",
        "-": "m-9,0h18",
    }
    path = "".join(f"M{x},{y}{strokes[shape]}" for x, y in points)
    return Markup('<path d="{}" class="{}"/>').format(path, kind)


def segments(pairs: Iterable[tuple[float, float, float, float]], kind: str) -> Markup:
    """Return many line segments as one path."""
    path = "".join(f"M{x1},{y1}L{x2},{y2}" for x1, y1, x2, y2 in pairs)
    return Markup('<path d="{}" class="{}"/>').format(path, kind)


def axes(frame: Frame, title: str, x_label: str, *, x_ticks: bool = True) -> Markup:
    """Return the frame of a panel, with horizontal grid lines and labels."""
    right, bottom = frame.left + frame.width, frame.top + frame.height
    parts = [text(frame.left + frame.width / 2, frame.top - 10, title, "panel-title")]
    for value in ticks_of(frame.y_limits):
        parts.append(line(frame.left, frame.y(value), right, frame.y(value), "grid"))
        parts.append(text(frame.left - 6, frame.y(value) + 4, f"{value:g}", anchor="end"))
    for value in ticks_of(frame.x_limits, 4) if x_ticks else []:
        parts.append(text(frame.x(value), bottom + 16, f"{value:g}"))
    parts.append(line(frame.left, bottom, right, bottom, "axis"))
    parts.append(text(frame.left + frame.width / 2, bottom + 34, x_label, "axis-label"))
    return Markup("").join(parts)


def drawing(width: float, height: float, description: str, parts: Iterable[Markup]) -> Markup:
    """Return a whole drawing that a screen reader announces by its description."""
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" class="plot">{}</svg>'
    ).format(width, height, escape(description), Markup("").join(parts))
