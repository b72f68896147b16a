"""Two runs side by side: the values of each condition and metric by seed, and what cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

import tasks
from suite.runs.conditions import IDENTITY, PLACE, codes, identified
from suite.runs.record import MEASURED
from tasks import Metric

ASKED = tuple(name for name in IDENTITY if name not in ("machine", "versions"))
"""What a cell asks, but for its seed. Machine and versions are what two runs may differ in."""
BANDWIDTH = "copy_bandwidth"
BANDWIDTH_CHANGE = 0.2
"""Times are side by side only where the copy of the same rounds took as long, within this share."""
SPREAD = ("_p20", "_p80")
TIME_UNITS = ("s", "ns/element-step", "samples/s", "GB/s")


@dataclass(frozen=True)
class Pair:
    """One metric of one condition in both runs.

    Attributes:
        asked: the condition, and the metric with its layer, step and lag.
        first, second: values by seed.
        spread: of the rounds of a timing in both runs, (low, high) each; None if it is none or was not stored.
        same_code: the same cells, machine and versions: what is deterministic gives the same bits.
        units: of both runs.
    """

    asked: Mapping[str, Any]
    first: Mapping[int, float]
    second: Mapping[int, float]
    spread: tuple[tuple[float, float], tuple[float, float]] | None
    same_code: bool
    units: tuple[str, str]

    @property
    def metric(self) -> Metric | None:
        task = tasks.TASKS.get(self.asked["task"])
        return task.metrics.get(self.asked["metric"]) if task is not None else None

    @property
    def exact(self) -> bool:
        """Counted, not measured: the same in every run of the same code, on any machine."""
        return self.metric is not None and self.metric.exact

    @property
    def timed(self) -> bool:
        """Measured on the machine, in rounds of one process."""
        return measures_the_machine(self.asked["task"]) and not self.exact


@dataclass
class Pairs:
    """What two runs have in common, and what they have not.

    Attributes:
        gone: rows of the first run's cells that the second has not measured, with `now`: its status there and cause.
        shared: whether the runs have anything in common that could be compared.
        new: how many cells only the second run has.
        left_out: lines about what was not compared.
    """

    compared: list[Pair] = field(default_factory=list)
    gone: pd.DataFrame = field(default_factory=pd.DataFrame)
    shared: bool = False
    new: int = 0
    left_out: list[str] = field(default_factory=list)


def measures_the_machine(task: str) -> bool:
    return task in tasks.TASKS and tasks.TASKS[task].exclusive


def pair(first: pd.DataFrame, second: pd.DataFrame, any_machine: bool) -> Pairs:
    """Lay two runs side by side.

    A timing is compared where one machine (of the same copy bandwidth) measured it in both runs, or anywhere with
    `any_machine`. Anything else is compared between whatever machines and versions measured it, the same ones first.
    """
    found = Pairs()
    sides = [_prepared(rows) for rows in (first, second)]
    if not any_machine:
        sides, lines = _same_machines(*sides)
        found.left_out += lines
    sides = [_one_source(own, other) for own, other in (sides, sides[::-1])]
    _absent(found, *sides)
    measured = [own[own.metric.notna() & own.status.isin(MEASURED)] for own in sides]
    found.compared = list(_compared(*measured))
    found.shared = bool(found.compared) or not found.gone.empty
    if not any_machine:
        found.compared, lines = _same_load(found.compared)
        found.left_out += lines
    found.compared = [own for own in found.compared if not _auxiliary(own)]
    return found


def _prepared(rows: pd.DataFrame) -> pd.DataFrame:
    rows = identified(rows)
    return rows.assign(
        timed=[
            measures_the_machine(task) and not _is_exact(task, metric)
            for task, metric in zip(rows.task, rows.metric, strict=True)
        ]
    )


def _is_exact(task: str, metric: Any) -> bool:
    known = tasks.TASKS[task].metrics.get(metric) if task in tasks.TASKS else None
    return known is not None and known.exact


def _same_machines(first: pd.DataFrame, second: pd.DataFrame) -> tuple[list[pd.DataFrame], list[str]]:
    """Both runs without the timings of machines that are not known or not in both."""
    shared = set(first.machine.dropna()) & set(second.machine.dropna())
    kept, machines, count = [], [], 0
    for own in (first, second):
        foreign = own.timed & ~own.machine.isin(shared)
        machines.append("; ".join(sorted(own[foreign].machine.fillna("a machine that is not known").unique())))
        count = max(count, own[foreign].cell.nunique())
        kept.append(own[~foreign])
    if not all(machines):
        return kept, []
    where = f"{machines[0]} and {machines[1]}"
    return kept, [f"Timings of {count} cells left out: measured on {where}; --any-machine compares them still."]


def _one_source(own: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Of each cell the rows of one machine and its versions: those that the other run has too, if there are any."""
    if own.empty:
        return own
    both = pd.concat([own, other], ignore_index=True)
    question = codes(both, [*ASKED, "seed", "timed"])
    keys = [tuple(values) for values in zip(question, both.machine, both.versions, strict=True)]
    theirs = set(keys[len(own) :])
    places = {(key[0], key[1]) for key in theirs}
    mine = keys[: len(own)]
    ranks = [(0 if key in theirs else 1 if key[:2] in places else 2, str(key[1]), str(key[2])) for key in mine]
    best: dict[Any, tuple[int, str, str]] = {}
    for key, rank in zip(mine, ranks, strict=True):
        best[key[0]] = min(best.get(key[0], rank), rank)
    return own[[best[key[0]] == rank for key, rank in zip(mine, ranks, strict=True)]]


def _absent(found: Pairs, first: pd.DataFrame, second: pd.DataFrame) -> None:
    """Note the cells that one run alone has measured."""
    keys = [*ASKED, "seed"]
    cells = [own.assign(measured=own.status.isin(MEASURED)) for own in (first, second)]
    tables = [
        own.sort_values("measured").drop_duplicates(keys, keep="last")[[*keys, "measured", "status", "detail"]]
        for own in cells
    ]
    tables = [
        own.assign(**{key: own[key].astype(object).where(own[key].notna(), "") for key in keys}) for own in tables
    ]
    both = tables[0].merge(tables[1], on=keys, how="outer", suffixes=("", "_second"))
    had = both.measured.eq(True)
    has = both.measured_second.eq(True)
    gone = both[had & ~has]
    found.gone = gone.assign(now=gone.status_second.fillna("lacking"), detail=gone.detail_second.fillna(""))
    found.new = int((has & ~had).sum())


def _compared(first: pd.DataFrame, second: pd.DataFrame) -> Iterator[Pair]:
    both = pd.concat([first.assign(side=0), second.assign(side=1)], ignore_index=True)
    spreads = _spreads(both)
    both = both[_judged(both)]
    both = both.assign(entry=codes(both, [*ASKED, *PLACE]))
    entries: dict[int, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {}
    for row in both.astype(object).where(both.notna(), None).to_dict("records"):
        entries.setdefault(row["entry"], ([], []))[row["side"]].append({str(name): row[name] for name in row})
    for sides in entries.values():
        if all(sides):
            asked = {name: sides[0][0][name] for name in (*ASKED, *PLACE)}
            origins = [{(row["cell"], row["machine"], row["versions"]) for row in own} for own in sides]
            yield Pair(
                asked,
                first=_by_seed(sides[0]),
                second=_by_seed(sides[1]),
                spread=_spread(asked, spreads),
                same_code=origins[0] == origins[1] and all(machine is not None for _, machine, _ in origins[0]),
                units=(sides[0][0]["unit"] or "", sides[1][0]["unit"] or ""),
            )


def _by_seed(rows: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    return {int(row["seed"]): math.nan if row["value"] is None else float(row["value"]) for row in rows}


def _judged(rows: pd.DataFrame) -> pd.Series:
    """Whole metrics and exact counts; not the points of a curve, nor times of cells that ran beside others."""
    places = list(zip(rows.task, rows.metric, strict=True))
    exact = pd.Series([_is_exact(task, metric) for task, metric in places], rows.index)
    beside = pd.Series([not measures_the_machine(task) for task, _ in places], rows.index) & rows.unit.isin(TIME_UNITS)
    whole = rows[["layer", "step", "lag"]].isna().all(axis=1) & ~rows.metric.str.endswith(SPREAD)
    return exact | (whole & ~beside)


def _key(asked: Mapping[Any, Any], metric: str) -> tuple[Any, ...]:
    return (*("" if pd.isna(asked[name]) else asked[name] for name in ASKED), metric)


def _spreads(both: pd.DataFrame) -> dict[tuple[Any, ...], dict[int, float]]:
    """The ends of each timing's middle three fifths, by condition and metric: the value of each run."""
    ends = both[both.metric.astype(str).str.endswith(SPREAD)]
    found: dict[tuple[Any, ...], dict[int, float]] = {}
    for row in ends.to_dict("records"):
        found.setdefault(_key(row, row["metric"]), {})[row["side"]] = float(row["value"])
    return found


def _spread(
    asked: Mapping[str, Any], spreads: Mapping[tuple[Any, ...], Mapping[int, float]]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    low, high = (spreads.get(_key(asked, f"{asked['metric']}{end}"), {}) for end in SPREAD)
    if not all(side in end for end in (low, high) for side in (0, 1)):
        return None
    return (low[0], high[0]), (low[1], high[1])


def _same_load(pairs: list[Pair]) -> tuple[list[Pair], list[str]]:
    """The pairs without the timings of cells whose rounds saw another copy bandwidth."""
    moved = set()
    for own in pairs:
        if own.asked["metric"] == BANDWIDTH:
            (first,), (second,) = (list(values.values())[:1] for values in (own.first, own.second))
            if not math.isclose(first, second, rel_tol=BANDWIDTH_CHANGE):
                moved.add(_key(own.asked, ""))
    if not moved:
        return pairs, []
    kept = [own for own in pairs if not (own.timed and _key(own.asked, "") in moved)]
    line = (
        f"Timings of {len(moved)} cells left out: the copy of their own rounds became faster or slower by more than "
        f"{BANDWIDTH_CHANGE:.0%}, so the machine was not in one state; run them again at rest."
    )
    return kept, [line]


def _auxiliary(own: Pair) -> bool:
    """The state of the machine, and what follows from it."""
    return own.timed and (own.asked["metric"] == BANDWIDTH or str(own.asked["metric"]).endswith("_limit"))
