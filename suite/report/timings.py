"""Tables of times: only what was timed together, or at one load of the machine, stands side by side.

A time holds for the load under which it was taken. What holds while the load drifts is the ratio to the baseline of the
same interleaved rounds, which each cell measures; absolute times are shown beside each other only where a copy of the
input ran at about one speed in the rounds of both.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from suite.report.conditions import in_order, name_conditions, of_task, over_seeds, same_for_all
from suite.report.numbers import MISSING, format_spread
from suite.report.once import once
from suite.report.pivot import failures, row_order, with_failures
from suite.report.table import Entry, Table
from suite.statistics import Estimate

BASELINE = "lif"
FUSED = ("cpu", "triton")
SAME_LOAD = 1.2
"""Copy bandwidths within this factor count as one load."""
BUSY = 1.3
"""A timing whose 80th percentile lies this factor above its 20th was taken on a busy machine."""
RATIO = "_over_baseline"
TOGETHER = ["size", "device", "machine", "stack"]
"""Columns in which times must agree to be held against each other at all."""


@dataclass(frozen=True)
class Time:
    """A median over interleaved rounds, with their 20th and 80th percentile; NaN where a run did not keep them."""

    estimate: Estimate
    low: float = math.nan
    high: float = math.nan

    @property
    def spread_known(self) -> bool:
        return not math.isnan(self.low + self.high)

    @property
    def busy(self) -> bool:
        return self.spread_known and self.high > BUSY * self.low


@dataclass(frozen=True)
class Column:
    """A column of each size: a metric under a name.

    Attributes:
        over_baseline: shows the ratio to the baseline of the same rounds.
        holds: whatever the load, because it is a ratio already.
    """

    metric: str
    words: str
    digits: int
    over_baseline: bool = False
    holds: bool = False


Key = tuple[str, str]
"""Row of a table, and size."""


@once
def sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of `throughput` with the column `size`: T, number of neurons, and the settings that differ."""
    own = of_task(rows, "throughput")
    elements = own.settings.map(lambda text: json.loads(text).get("elements", 0))
    words = "T=" + own.timesteps.astype(str) + ", " + elements.map("{:,}".format).astype(str) + " neurons"
    own = own.assign(
        size=words + own["where"].map(lambda text: f", {text}" if text else "").astype(str), elements=elements
    )
    return own.sort_values(["timesteps", "elements"], kind="stable").drop(columns="elements")


def times(rows: pd.DataFrame, metric: str) -> dict[Key, Time]:
    """The timings of a metric, by `who` and `size` of the rows."""
    found = over_seeds(rows[rows.metric.isin([metric, f"{metric}_p20", f"{metric}_p80"])], ["metric", "who", "size"])
    missing = Estimate.of([])
    return {
        (who, size): Time(
            estimate,
            found.get((f"{metric}_p20", who, size), missing).mean,
            found.get((f"{metric}_p80", who, size), missing).mean,
        )
        for (name, who, size), estimate in found.items()
        if name == metric
    }


def baseline_of(rows: pd.DataFrame) -> str | None:
    """The row (`who`) that times are held against: the fused baseline with the constants that it has by itself."""
    own = rows[(rows.neuron == BASELINE) & rows.backend.isin(FUSED)]
    return None if own.empty else str(own.who.iloc[0])


def ratios(rows: pd.DataFrame, metric: str) -> dict[Key, Time]:
    """Each time over that of the baseline in the same rounds, as it was measured, or of rounds that were the same.

    Two cells whose copy ran at one speed to the last digit share their rounds.
    """
    found = times(rows, metric + RATIO)
    values, copies = times(rows, metric), times(rows, "copy_bandwidth")
    for _, own in rows.groupby(TOGETHER, dropna=False, sort=False):
        base = baseline_of(own)
        for key in dict.fromkeys(zip(own.who, own["size"], strict=True)):
            other = (str(base), key[1])
            if key in found or not {key, other} <= set(values) or not {key, other} <= set(copies):
                continue
            if copies[key].estimate.mean == copies[other].estimate.mean:
                found[key] = Time(Estimate.of([ratio(values[key].estimate.mean, values[other].estimate.mean)]))
    return found


def ratio(value: float, base: float) -> float:
    """One over the other; NaN where the other is 0 or both are infinite."""
    return value / base if base and math.isfinite(base) else math.nan


def other_loads(rows: pd.DataFrame) -> dict[Key, tuple[float, str, float]]:
    """What was timed at another load than the rest of its size: its copy's GB/s, and one of the rest with its own.

    The rest is the largest set, with the baseline if that is there, whose copies all ran within SAME_LOAD.
    """
    copies = {key: time.estimate.mean for key, time in times(rows, "copy_bandwidth").items()}
    apart: dict[Key, tuple[float, str, float]] = {}
    for _, own in rows.groupby(TOGETHER, dropna=False, sort=False):
        keys = [key for key in dict.fromkeys(zip(own.who, own["size"], strict=True)) if key in copies]
        if not keys:
            continue
        must = [key for key in keys if key[0] == baseline_of(own)]
        windows = [
            [key for key in keys if copies[start] <= copies[key] <= SAME_LOAD * copies[start]]
            for start in sorted(keys, key=lambda key: copies[key])
        ]
        together = max((window for window in windows if set(must) <= set(window)), key=len)
        shown = must[0] if must else together[0]
        apart |= {key: (copies[key], shown[0], copies[shown]) for key in keys if key not in together}
    return apart


def table(rows: pd.DataFrame, name: str, title: str, caption: str, columns: Sequence[Column]) -> Table | None:
    """Sizes × columns across, neurons down; `rows` are those of one timed task, with a column `size`.

    None if nothing was measured.
    """
    metrics = list(dict.fromkeys(column.metric for column in columns))
    rows = in_order(name_conditions(rows))
    if rows[rows.metric.isin(metrics)].value.isna().all():
        return None
    sizes, whos = list(dict.fromkeys(rows["size"])), row_order(rows)
    marks, notes = failures(with_failures(rows, metrics), "size", {})
    apart, copies = other_loads(rows), times(rows, "copy_bandwidth")
    found = {column: (ratios if column.over_baseline else times)(rows, column.metric) for column in columns}
    lines: dict[str, list[Entry]] = {who: [] for who in whos}
    header = ["neuron"]
    for size in sizes:
        for column in columns:
            own = {who: found[column][who, size] for who in whos if (who, size) in found[column]}
            hidden = set() if column.holds or column.over_baseline else {who for who in own if (who, size) in apart}
            shown = {who: time for who, time in own.items() if who not in hidden}
            compared = shown if column.over_baseline or _same_rounds(copies, shown, size) else {}
            bold = clearly_best(_alike(rows, size, compared), _higher_is_better(column.metric))
            if not own and column.over_baseline:
                continue
            header.append(f"{size}{': ' if size else ''}{column.words}")
            for who in whos:
                lines[who].append(_entry(who, size, column, shown, hidden, marks, bold))
    told = [*notes, *_loads(apart, str(rows.task.iloc[0])), *busy(found[columns[0]].values())]
    if any(entry.text == MISSING for line in lines.values() for entry in line):
        told.append("— not measured.")
    text = f"{caption} {same_for_all(rows)}".strip()
    used = (str(rows.task.iloc[0]),)
    return Table(name, title, text, header, list(lines.items()), told, used, by_kind=True)


def _same_rounds(copies: Mapping[Key, Time], shown: Iterable[str], size: str) -> bool:
    """Whether times may be called better or worse: their copy ran at one speed to the last digit, or none is known."""
    return len({copies[who, size].estimate.mean for who in shown if (who, size) in copies}) <= 1


def _entry(
    who: str,
    size: str,
    column: Column,
    shown: Mapping[str, Time],
    hidden: set[str],
    marks: Mapping[Key, str],
    bold: set[str],
) -> Entry:
    if who in hidden:
        return Entry("‡")
    if who not in shown:
        return Entry(marks.get((who, size), MISSING))
    time = shown[who]
    text = format_spread(time.estimate.mean, time.low, time.high, column.digits)
    return Entry(text, time.estimate, who in bold, (time.low, time.high) if time.spread_known else None)


def _alike(rows: pd.DataFrame, size: str, shown: Mapping[str, Time]) -> list[dict[str, Time]]:
    """The entries of a column in sets that ran on one device and machine."""
    own = rows[rows["size"] == size]
    groups = own.groupby(TOGETHER, dropna=False, sort=False).who
    return [{who: shown[who] for who in dict.fromkeys(names) if who in shown} for _, names in groups]


def clearly_best(sets: Sequence[Mapping[str, Time]], higher: bool) -> set[str]:
    """Of each set the one whose middle three fifths meet those of no other, if there is such a one."""
    best: set[str] = set()
    for own in sets:
        if len(own) < 2 or not all(time.spread_known for time in own.values()):
            continue
        ranked = sorted(own, key=lambda who: own[who].estimate.mean, reverse=higher)
        first, others = own[ranked[0]], [own[who] for who in ranked[1:]]
        if all(first.low > time.high if higher else first.high < time.low for time in others):
            best.add(ranked[0])
    return best


def _higher_is_better(metric: str) -> bool:
    return metric.startswith("training_speed")


def _loads(apart: Mapping[Key, tuple[float, str, float]], task: str) -> list[str]:
    """A note for each row that was timed at another load, with the line that measures it beside the rest."""
    notes = {}
    for (who, size), (copy, other, others) in apart.items():
        pair = dict.fromkeys([other.partition(" ")[0], who.partition(" ")[0]])
        line = f"python -m suite run --tasks {task} --neurons {','.join(pair)} --out NEW"
        notes[who] = (
            f"‡ {who}, {size}: timed at another load, when a copy ran at {copy:.3g} GB/s ({other}: {others:.3g}); "
            f"its ratio to the baseline holds. `{line}` times them together."
        )
    return list(notes.values())


def busy(found: Iterable[Time]) -> list[str]:
    """A line if timings spread widely."""
    known = [time for time in found if time.spread_known]
    wide = sum(time.busy for time in known)
    if not wide:
        return []
    return [
        f"This machine was busy: {wide} of {len(known)} timings spread by more than {100 * (BUSY - 1):.0f} %; "
        "measure again when it is idle."
    ]
