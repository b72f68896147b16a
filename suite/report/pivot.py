"""From rows to a table: neurons down, conditions across, mean ± interval over seeds in each entry."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

import tasks
from suite.report.style import ordered
from suite.report.table import Entry, Table, format_estimate
from suite.statistics import Estimate

MISSING = Entry("—")
WORDS = {"failed": "failed", "timeout": "timed out", "unavailable": "unavailable"}
"""What stands in an entry whose cells ended so."""

Place = tuple[str, ...]
"""Neuron, backend and column of an entry."""


@dataclass(frozen=True)
class Shape:
    """How a table is read off rows.

    Attributes:
        column: the column of the rows whose values go across.
        digits: after the point for values without an interval; negative: digits in all.
        unit: of all columns, or None if the column names say it.
    """

    name: str
    title: str
    caption: str
    column: str
    digits: int
    unit: str | None = None


def pivot(rows: pd.DataFrame, shape: Shape) -> Table:
    """A table of rows with columns neuron, backend, `shape.column`, value, status and metric.

    Rows without a value are cells that did not end ok: they make no entry, or an entry from fewer seeds, and a note.
    """
    columns = list(dict.fromkeys(rows[shape.column]))
    keys = ["neuron", "backend", shape.column]
    estimates = {
        _place(key): Estimate.of(list(values)) for key, values in rows.dropna(subset=["value"]).groupby(keys).value
    }
    marks, notes = _marks(rows, keys, estimates)
    bold = {place for column in columns for place in _best(column, rows, estimates)}
    several = rows.backend.nunique() > 1
    lines = []
    for neuron, backend in _row_order(rows):
        entries = [_entry((neuron, backend, column), estimates, marks, bold, shape.digits) for column in columns]
        lines.append((f"{neuron} ({backend})" if several else neuron, entries))
    if any(entry.text == MISSING.text for _, entries in lines for entry in entries):
        notes.append("— not measured.")
    unit = f" ({shape.unit})" if shape.unit else ""
    header = ["neuron", *(f"{column}{unit}" for column in columns)]
    used = tuple(dict.fromkeys(rows.task)) if "task" in rows else ()
    return Table(shape.name, shape.title, shape.caption, header, lines, notes, used)


def _place(key: Iterable[Hashable]) -> Place:
    return tuple(map(str, key))


def _row_order(rows: pd.DataFrame) -> list[tuple[str, str]]:
    places = {name: place for place, name in enumerate(ordered(rows.neuron))}
    pairs = set(zip(rows.neuron, rows.backend, strict=True))
    return sorted(pairs, key=lambda pair: (places[pair[0]], pair[1]))


def _entry(
    place: Place, estimates: Mapping[Place, Estimate], marks: Mapping[Place, str], bold: set[Place], digits: int
) -> Entry:
    estimate, mark = estimates.get(place), marks.get(place, "")
    if estimate is None:
        return Entry(mark) if mark else MISSING
    return Entry(format_estimate(estimate, digits) + mark, estimate, place in bold)


def _marks(
    rows: pd.DataFrame, keys: Sequence[str], estimates: Mapping[Place, Estimate]
) -> tuple[dict[Place, str], list[str]]:
    """What stands in or after an entry whose cells did not all end ok, and the notes that explain it."""
    bad = rows[rows.value.isna() & rows.status.isin(list(WORDS))]
    marks: dict[Place, str] = {}
    notes = []
    for key, group in bad.groupby(list(keys)):
        place = _place(key)
        status, cause = group.status.iloc[0], str(group.detail.iloc[0])
        seeds = group.seed.nunique()
        if place in estimates:
            marks[place] = " †"
            notes.append(f"† {place[0]}, {place[2]}: {seeds} more {WORDS[status]}: {cause}")
        else:
            marks[place] = WORDS[status]
            notes.append(f"{place[0]}, {place[2]}: {WORDS[status]}: {cause}")
    return marks, list(dict.fromkeys(notes))


def _best(column: str, rows: pd.DataFrame, estimates: Mapping[Place, Estimate]) -> list[Place]:
    """The entries of a column that are best: that of the best mean, and those whose interval meets its interval."""
    own = {place: estimate for place, estimate in estimates.items() if place[2] == column}
    better = _direction(set(rows.metric.dropna()[rows.value.notna()]))
    if better is None or len(own) < 2:
        return []
    best = (max if better == "higher" else min)(own.values(), key=lambda estimate: estimate.mean)
    if math.isnan(best.half_width):
        best = replace(best, half_width=0.0)
    return [place for place, estimate in own.items() if estimate.overlaps(best)]


def _direction(metrics: set[str]) -> str | None:
    """Which direction is better, if all metrics agree."""
    known = {name: entry.better for task in tasks.TASKS.values() for name, entry in task.metrics.items()}
    directions = {known.get(metric) for metric in metrics}
    return directions.pop() if len(directions) == 1 else None
