"""The board: a line a neuron, for each data set its accuracy and tier, and its costs over the baseline's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from suite.report import headings, names, style
from suite.report.conditions import name_conditions
from suite.report.costs import EVENTS, OPERATIONS, PARAMETERS, Cost, Ratio, costs
from suite.report.numbers import MISSING, format_estimate, format_value
from suite.report.outcomes import Outcome, order, outcomes
from suite.report.table import Entry, Table
from suite.statistics import Estimate

BEST = "best"
NO_EVENTS = "no spikes"
TASKS = ("accuracy", "throughput", "memory")


@dataclass(frozen=True)
class Column:
    """A column of the board.

    Attributes:
        better: which way is, as an arrow.
        about: what it is, in a line.
    """

    key: str
    title: str
    unit: str
    better: str
    about: str


@dataclass(frozen=True)
class Field:
    """An entry: its text, a second line below it, whether it is among the best, and the number by which one sorts."""

    text: str
    below: str = ""
    best: bool = False
    value: float = math.nan


@dataclass(frozen=True)
class Line:
    who: str
    name: str
    colour: str
    own: bool
    fields: list[Field]

    @property
    def neuron(self) -> str:
        """The model's name, without how it ran."""
        return names.neuron_of(self.who)


@dataclass(frozen=True)
class Board:
    baseline: str
    columns: list[Column]
    lines: list[Line]
    known: list[Outcome] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)

    @property
    def sections(self) -> list[tuple[str, list[Line]]]:
        """The lines under headings of their kinds, where they are many."""
        return headings.sections(self.lines, lambda line: line.who)

    def table(self) -> Table:
        """The board for a terminal and for a paper: the best are bold and starred."""
        header = ["neuron", *(f"{own.title} ({own.unit} {own.better})" for own in self.columns)]
        lines = [(line.who, [Entry(_starred(own), best=own.best) for own in line.fields]) for line in self.lines]
        notes = (
            ["* the best, and all that the paired test, corrected over all pairs, does not tell from it."]
            if self._tested
            else []
        )
        untested = [names.condition(own.where) for own in self.known if not own.best and len(own.values) > 1]
        if untested:
            notes.append(f"No * on {', '.join(untested)}: the seeds are too few for the test.")
        title = "Accuracy and cost."
        caption = f"Mean ± 95 % interval over seeds; costs over those of {names.written(self.baseline)} (spread)."
        return Table("board", title, caption, header, lines, notes, TASKS, by_kind=True)

    @property
    def _tested(self) -> bool:
        return any(own.best for own in self.known)


def _starred(own: Field) -> str:
    return f"{own.text} *" if own.best else own.text


def board(rows: pd.DataFrame, baseline: str) -> Board | None:
    """The board of a run's main rows; None where neither accuracies nor costs were measured."""
    named = name_conditions(rows)
    known = outcomes(named)
    found = costs(named, baseline, known[0].where if known else None)
    if not known and not found:
        return None
    columns = [
        Column(own.where, names.condition(own.where), "%", "↑", "test accuracy at the best validation epoch")
        for own in known
    ]
    columns += [
        Column(cost.kind, cost.title, f"× {names.written(baseline)}", "↓", cost.detail) for cost in found if cost.ratios
    ]
    measured = {who for own in known for who in own.values} | {who for cost in found for who in cost.ratios}
    whos = [who for who in order(named, known) if who in measured]
    colours = style.colours(whos)
    lines = [
        Line(
            who,
            names.neuron(who),
            colours[who],
            names.is_own(who),
            [*(_accuracy(own, who) for own in known), *(_cost(cost, who) for cost in found if cost.ratios)],
        )
        for who in whos
    ]
    return Board(baseline, columns, lines, known, found)


def _accuracy(own: Outcome, who: str) -> Field:
    estimate = own.estimates.get(who)
    if estimate is None:
        return Field(MISSING)
    return Field(format_estimate(estimate, 1), tier(own, who), who in own.best, estimate.mean)


def tier(own: Outcome, who: str) -> str:
    """ "best" for whom the test does not tell from the best; else the ranks that the resampled seeds give."""
    if not own.best:
        return ""
    if who in own.best:
        return BEST
    low, high = own.ranks.get(who, (0, 0))
    if not low:
        return ""
    return f"rank {low}" if low == high else f"rank {low}–{high}"


def _cost(cost: Cost, who: str) -> Field:
    ratio = cost.ratios.get(who)
    if ratio is None:
        silent = cost.kind == EVENTS and not names.spiking(who)
        return Field(NO_EVENTS if silent else MISSING)
    below = ""
    if who in cost.absolute:
        value = cost.absolute[who]
        counted = cost.kind in (PARAMETERS, OPERATIONS)
        below = f"{f'{value:,.0f}' if counted else format_value(value, -3)} {cost.unit}".strip()
    return Field(ratio_text(ratio), below, False, ratio.value)


def ratio_text(ratio: Ratio) -> str:
    """ "1.24 (1.20–1.29)"."""
    text = format_value(ratio.value, -3)
    if not ratio.spread_known or ratio.low == ratio.high:
        return text
    return f"{text} ({format_value(ratio.low, -3)}–{format_value(ratio.high, -3)})"


def against(rows: pd.DataFrame, who: str, baseline: str) -> str:
    """One neuron beside the baseline, in a line: "ALIF against LIF: delayed recall +8 ± 8, time 1.24 ×"."""
    made = board(rows, baseline)
    if made is None:
        return ""
    parts = [_difference(own, who, baseline) for own in made.known]
    line = next((own for own in made.lines if names.neuron_of(own.who) == who), None)
    if line is not None:
        pairs: Sequence[tuple[Column, Field]] = list(zip(made.columns, line.fields, strict=True))
        parts += [f"{c.title} {format_value(f.value, -3)} ×" for c, f in pairs[len(made.known) :] if f.value == f.value]
    told = [part for part in parts if part]
    return f"{names.written(who)} against {names.written(baseline)}: {', '.join(told)}." if told else ""


def _difference(own: Outcome, who: str, baseline: str) -> str:
    compared: Any = own.against(baseline).get(who)
    if compared is None or not compared.difference.count:
        return ""
    difference: Estimate = compared.difference
    sign = "+" if difference.mean > 0 else ""
    mark = " *" if compared.verdict in ("higher", "lower") else ""
    return f"{names.condition(own.where)} {sign}{format_estimate(difference, 1)}{mark}"
