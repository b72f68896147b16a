"""Small charts as SVG of a few kilobytes: a page of cards holds hundreds. Text and axes follow the page's colours."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

WIDTH = 340
LEFT, RIGHT, BELOW, ABOVE = 52, 8, 34, 8
"""Room around the drawing area, in units of which a chart is WIDTH wide."""
GAP = 13
"""Between the rows of a stack."""
LETTER = 11
"""Height of text."""
MUTED = "var(--muted)"
FAINT = "var(--line)"
SEEN = 0.05
"""Units off the line between its neighbours from which on a point is drawn."""
LOG_MARGIN = 1.5
LARGEST = 1e6
"""A value beyond has left the range in which it means anything; its line has a gap."""

Kind = Literal["line", "steps", "bars", "dots", "ticks", "edge"]


@dataclass(frozen=True)
class Series:
    """Values of a chart.

    Attributes:
        kind: a line; one that holds each value for a step; a bar for each value that is not 0; dots; vertical ticks;
            or marks on the lower edge.
        label: for the legend; none without.
    """

    x: Sequence[float]
    y: Sequence[float]
    colour: str = "currentColor"
    kind: Kind = "line"
    label: str = ""
    thin: bool = False


@dataclass(frozen=True)
class Scale:
    """From values between `low` and `high` to places between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, own = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (own - low) / (high - low)

    def ticks(self, most: int) -> list[float]:
        """At most about that many round values within."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            every = max(1, math.ceil((last - first + 1) / most))
            return [10.0**exponent for exponent in range(last, first - 1, -every)] or [self.low, self.high]
        raw = abs(self.high - self.low) / (most + 1)
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float, log: bool = False) -> Scale:
        """A scale that holds all values that can be shown."""
        shown = [value for value in values if _shows(value, log)]
        low, high = (min(shown), max(shown)) if shown else (1.0, 1.0) if log else (0.0, 1.0)
        if log:
            return cls(low / LOG_MARGIN, high * LOG_MARGIN, start, end, log)
        margin = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
        return cls(low - margin, high + margin, start, end)


def panel(
    series: Sequence[Series],
    xlabel: str,
    ylabel: str,
    description: str,
    log: bool = False,
    height: int = 210,
    least: float = 0.0,
    level: float | None = None,
) -> str:
    """One chart.

    Args:
        description: for people who cannot see it.
        log: a logarithmic axis up, on which values of 0 and those below `least` are left out.
        level: where a dotted line lies across.
    """
    legend = [own for own in series if own.label]
    top = ABOVE + LETTER * 1.5 * bool(legend)
    shown = [value for own in series if own.kind != "edge" for value in own.y if value >= least or not log]
    across = Scale.of([value for own in series for value in own.x], LEFT, WIDTH - RIGHT)
    up = Scale.of([*shown, *([level] if level is not None and shown else [])], height - BELOW, top, log)
    parts = [_axis_up(up, across, 5, grid=True), _axis_across(across, height - BELOW, xlabel)]
    if level is not None:
        parts.append(_line(across.start, up(level), across.end, up(level), MUTED, "2 3"))
    parts += [_drawn(own, across, up, least) for own in series]
    middle = (up.start + up.end) / 2
    parts.append(_text(10, middle, ylabel, "middle", turn=True))
    parts.append(_legend(legend))
    return _whole("".join(parts), height, description)


def stack(rows: Sequence[tuple[str, Series]], xlabel: str, description: str, row: int = 50) -> str:
    """Charts of one axis across, below each other, each with its name at its left."""
    height = ABOVE + row * len(rows) + BELOW
    left = LEFT + 26
    across = Scale.of([value for _, own in rows for value in own.x], left, WIDTH - RIGHT)
    parts = []
    for place, (name, own) in enumerate(rows):
        top = ABOVE + place * row
        values = [*own.y, 0.0, 1.0] if own.kind == "bars" else own.y
        up = Scale.of(values, top + row - GAP, top)
        parts += [_axis_up(up, across, 2), _drawn(own, across, up)]
        parts.append(_text(2, top + (row - GAP) / 2 + 4, name, "start", muted=False))
    return _whole("".join(parts) + _axis_across(across, height - BELOW, xlabel), height, description)


def rows(
    lines: Sequence[tuple[str, Sequence[Series]]], xlabel: str, description: str, row: int = 26, left: int = 112
) -> str:
    """One named row each, over one axis across; the y of the series are not used."""
    height = ABOVE + row * len(lines) + BELOW
    across = Scale.of([value for _, own in lines for series in own for value in series.x], left, WIDTH - RIGHT)
    parts = [_axis_across(across, height - BELOW, xlabel, grid=ABOVE)]
    for place, (name, own) in enumerate(lines):
        middle = ABOVE + row * (place + 0.5)
        parts.append(_text(left - 8, middle + 4, name, "end", muted=False))
        for series in own:
            if series.kind == "line":
                parts.append(_line(across(series.x[0]), middle, across(series.x[-1]), middle, series.colour, width=2))
            elif series.kind == "ticks":
                marks = "".join(f"M{across(x):.1f} {middle - 6:.1f}v12" for x in series.x)
                parts.append(f'<path d="{marks}" stroke="{series.colour}" fill="none"/>')
            else:
                parts += [_dot(across(x), middle, series.colour, 4) for x in series.x]
    return _whole("".join(parts), height, description)


def _drawn(own: Series, across: Scale, up: Scale, least: float = 0.0) -> str:
    width = 1.1 if own.thin else 1.7
    if own.kind == "edge":
        marks = "".join(f"M{across(x) - 3:.1f} {up.start - 7:.1f}h6l-3 6z" for x in own.x)
        return f'<path d="{marks}" fill="{own.colour}"/>'
    if own.kind == "bars":
        base = up(0.0)
        marks = "".join(
            f"M{across(x):.1f} {base:.1f}V{up(y):.1f}" for x, y in zip(own.x, own.y, strict=True) if y and _shows(y)
        )
        return f'<path d="{marks}" stroke="{own.colour}" stroke-width="1.4" fill="none"/>'
    drawn = "".join(_path(points, own.kind == "steps") for points in _pieces(own, across, up, least))
    return f'<path d="{drawn}" stroke="{own.colour}" stroke-width="{width}" fill="none"/>'


Point = tuple[float, float]


def _pieces(own: Series, across: Scale, up: Scale, least: float) -> list[list[Point]]:
    """The points between gaps, each piece without those that lie on the line through their neighbours."""
    pieces: list[list[Point]] = [[]]
    for x, y in zip(own.x, own.y, strict=True):
        if _shows(y, up.log) and not (up.log and y < least):
            pieces[-1].append((across(x), up(y)))
        elif pieces[-1]:
            pieces.append([])
    return [piece if own.kind == "steps" else _bends(piece) for piece in pieces if piece]


def _bends(points: Sequence[Point]) -> list[Point]:
    kept = list(points[:1])
    for one, after in pairwise(points[1:]):
        before = kept[-1]
        share = (one[0] - before[0]) / (after[0] - before[0]) if after[0] > before[0] else 0.0
        if abs(before[1] + share * (after[1] - before[1]) - one[1]) > SEEN:
            kept.append(one)
    return [*kept, *points[1:][-1:]]


def _path(points: Sequence[Point], steps: bool) -> str:
    path, level = f"M{points[0][0]:.1f} {points[0][1]:.1f}", f"{points[0][1]:.1f}"
    for place, (x, y) in enumerate(points[1:], 1):
        if not steps:
            path += f"L{x:.1f} {y:.1f}"
        elif f"{y:.1f}" != level or place == len(points) - 1:
            path += f"H{x:.1f}" + (f"V{y:.1f}" if f"{y:.1f}" != level else "")
            level = f"{y:.1f}"
    return path


def _shows(value: float, log: bool = False) -> bool:
    return math.isfinite(value) and abs(value) <= LARGEST and (value > 0 or not log)


def _axis_up(up: Scale, across: Scale, most: int, grid: bool = False) -> str:
    parts = [_line(across.start, up.start, across.start, up.end, FAINT)]
    for value in up.ticks(most):
        place = up(value)
        parts.append(_line(across.start - 3, place, across.end if grid else across.start, place, FAINT))
        parts.append(_text(across.start - 5, place + 4, _number(value, up.log), "end"))
    return "".join(parts)


def _axis_across(across: Scale, place: float, label: str, grid: float | None = None) -> str:
    parts = [_line(across.start, place, across.end, place, FAINT)]
    for value in across.ticks(5):
        x = across(value)
        parts.append(_line(x, place + 3, x, place if grid is None else grid, FAINT))
        parts.append(_text(x, place + 14, _number(value), "middle"))
    parts.append(_text((across.start + across.end) / 2, place + 29, label, "middle"))
    return "".join(parts)


def _legend(series: Sequence[Series]) -> str:
    parts, x = [], float(LEFT)
    for own in series:
        parts.append(_line(x, 8, x + 14, 8, own.colour, width=2))
        parts.append(_text(x + 18, 12, own.label, "start"))
        x += 34 + 6.2 * len(own.label)
    return "".join(parts)


def _number(value: float, log: bool = False) -> str:
    if log:
        return f"{value:.2g}" if 1e-3 < value < 1e4 else f"1e{round(math.log10(value))}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−") if abs(value) > 1e-12 else "0"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "", width: float = 1) -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def _dot(x: float, y: float, colour: str, radius: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str, turn: bool = False, muted: bool = True) -> str:
    turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
    colour = MUTED if muted else "currentColor"
    shown = html.escape(text)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{turned}>{shown}</text>'


def _whole(content: str, height: float, description: str) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:g}" font-size="{LETTER}" role="img"'
    return f'{head} aria-label="{html.escape(description)}">{content}</svg>'
