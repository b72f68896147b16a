"""From rows to a table: neurons down, conditions across, mean ± interval over seeds in each entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

import tasks
from suite.report.conditions import in_order, name_conditions, over_seeds, same_for_all
from suite.report.style import ordered
from suite.report.table import Entry, Table, format_estimate
from suite.statistics import SEEDS_TO_CLAIM, Estimate, not_told_from_best

MISSING = Entry("—")
WORDS = {"failed": "failed", "timeout": "timed out", "unavailable": "unavailable"}
"""What stands in an entry whose cells ended so."""

Better = Literal["higher", "lower"]
Place = tuple[str, str]
"""Row and column of an entry."""


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


def with_failures(rows: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The rows of these metrics, and those of cells that measured nothing once for each of the metrics."""
    bad = rows[rows.metric.isna() & rows.status.isin(WORDS)]
    asked = [bad.assign(metric=metric) for metric in metrics] if len(bad) else []
    return pd.concat([rows[rows.metric.isin(metrics)], *asked])


def pivot(rows: pd.DataFrame, shape: Shape) -> Table | None:
    """A table of the rows of one task, or None if no cell measured anything for it.

    Rows without a value are cells that did not end ok: they make no entry, or an entry from fewer seeds, and a note.

    Raises:
        MixedConditions: an entry would hold more than one condition.
    """
    rows = in_order(name_conditions(rows))
    if rows.value.isna().all():
        return None
    columns = list(dict.fromkeys(rows[shape.column]))
    estimates: dict[Place, Estimate] = over_seeds(rows, ["who", shape.column])
    marks, notes = failures(rows, shape.column, estimates)
    bold, powerless = _best(rows, shape)
    lines = []
    for who in row_order(rows):
        entries = [_entry((who, column), estimates, marks, bold, shape.digits) for column in columns]
        lines.append((who, entries))
    if any(entry.text == MISSING.text for _, entries in lines for entry in entries):
        notes.append("— not measured.")
    unit = f" ({shape.unit})" if shape.unit else ""
    header = ["neuron", *(f"{column}{unit}" for column in columns)]
    caption = f"{shape.caption} {same_for_all(rows)}".strip()
    used = tuple(dict.fromkeys(rows.task))
    return Table(shape.name, shape.title, caption, header, lines, [*notes, *powerless], used, by_kind=True)


def row_order(rows: pd.DataFrame) -> list[str]:
    """The names of a table's rows: by neuron, then by how they ran."""
    places = {name: place for place, name in enumerate(ordered(rows.neuron))}
    pairs = rows[["neuron", "who"]].drop_duplicates().itertuples(index=False, name=None)
    return [who for _, who in sorted(pairs, key=lambda pair: (places[pair[0]], pair[1]))]


def _entry(
    place: Place, estimates: Mapping[Place, Estimate], marks: Mapping[Place, str], bold: set[Place], digits: int
) -> Entry:
    estimate, mark = estimates.get(place), marks.get(place, "")
    if estimate is None:
        return Entry(mark) if mark else MISSING
    return Entry(format_estimate(estimate, digits) + mark, estimate, place in bold)


def failures(rows: pd.DataFrame, column: str, measured: Mapping[Place, object]) -> tuple[dict[Place, str], list[str]]:
    """What stands in or after an entry whose cells did not all end ok, and the notes that explain it."""
    bad = rows[rows.value.isna()]
    marks: dict[Place, str] = {}
    notes = []
    for (who, where), group in bad.groupby(["who", column], sort=False):
        place = (str(who), str(where))
        status, cause = group.status.iloc[0], str(group.detail.iloc[0] or "")
        words = WORDS.get(str(status), "without a number") + (f": {cause}" if cause else "")
        if place in measured:
            marks[place] = " †"
            notes.append(f"† {who}, {where}: {group.seed.nunique()} more {words}")
        else:
            marks[place] = WORDS.get(str(status), MISSING.text)
            notes.append(f"{who}, {where}: {words}")
    return marks, list(dict.fromkeys(notes))


def _best(rows: pd.DataFrame, shape: Shape) -> tuple[set[Place], list[str]]:
    """The bold entries, and a note where the seeds are too few for any.

    Over seeds: what the paired test does not tell from the best of its column. Of values that are exact, one a cell:
    all that print as the best does. Only what ran alike is held against each other.
    """
    bold: set[Place] = set()
    powerless = False
    for (column, _), own in rows[rows.value.notna()].groupby([shape.column, "how"], sort=False):
        better = direction(own)
        values = {str(who): group.set_index("seed").value for who, group in own.groupby("who", sort=False)}
        if better is None or len(values) < 2:
            continue
        if tasks.get(str(own.task.iloc[0])).exclusive:
            names = _printed_as_the_best(values, better, shape.digits)
        else:
            names = not_told_from_best(values, better)
            powerless |= not names
        bold |= {(name, str(column)) for name in names}
    note = f"No bold where the seeds are too few to tell the best apart; {SEEDS_TO_CLAIM} can."
    return bold, [note] if powerless else []


def _printed_as_the_best(values: Mapping[str, pd.Series], better: Better, digits: int) -> set[str]:
    means = {name: Estimate.of(list(own)) for name, own in values.items()}
    best = (max if better == "higher" else min)(means.values(), key=lambda estimate: estimate.mean)
    return {name for name, own in means.items() if format_estimate(own, digits) == format_estimate(best, digits)}


def direction(rows: pd.DataFrame) -> Better | None:
    """Which direction is better, if all metrics of the rows agree."""
    known = [tasks.get(task).metrics.get(metric) for task, metric in set(zip(rows.task, rows.metric, strict=True))]
    directions = {metric.better if metric else None for metric in known}
    return directions.pop() if len(directions) == 1 else None
