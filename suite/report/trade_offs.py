"""Accuracy against what it costs: who is beaten in nothing, and how soon a neuron is as good as the baseline ended."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from suite.report import names
from suite.report.conditions import name_conditions, of_each_seed, of_task
from suite.report.costs import PARAMETERS, Cost, costs
from suite.report.numbers import MISSING, format_value
from suite.report.outcomes import order, outcomes
from suite.report.ranking import chosen_variant
from suite.report.table import Entry, Table
from suite.statistics import Estimate

MOST_NAMED = 4
"""Who beats a neuron, by name; of more the first, as the board has them."""


def frontier(rows: pd.DataFrame, baseline: str) -> Table | None:
    """By data set, who is beaten by no other in accuracy and every cost that was measured, by their means."""
    named = name_conditions(rows)
    known = outcomes(named)
    measured = {own.where: [cost for cost in costs(named, baseline, own.where) if cost.ratios] for own in known}
    kept = {where: [cost for cost in found if cost.kind != PARAMETERS] for where, found in measured.items()}
    shown = [own for own in known if kept[own.where]]
    if not shown:
        return None
    ranked = order(named, known)
    points = {
        own.where: {
            who: (-own.estimates[who].mean, *(_ratio(cost, who) for cost in kept[own.where]))
            for who in ranked
            if who in own.values
        }
        for own in shown
    }
    lines = [
        (who, [_entry(who, points[own.where]) for own in shown])
        for who in ranked
        if any(who in own.values for own in shown)
    ]
    told = ", ".join(dict.fromkeys(cost.title for found in kept.values() for cost in found))
    caption = (
        f"Accuracy and {told}, by their means, as far as two neurons both have them. Bold: on the front; else who is "
        "at least as good in all of them, and better in one."
    )
    header = ["neuron", *(names.condition(own.where) for own in shown)]
    return Table("frontier", "Beaten in nothing.", caption, header, lines, [], ("accuracy", "throughput", "memory"))


def _ratio(cost: Cost, who: str) -> float:
    """NaN for a neuron that has no such cost, as one without spikes."""
    return cost.ratios[who].value if who in cost.ratios else math.nan


def _beating(who: str, points: Mapping[str, tuple[float, ...]]) -> list[str]:
    """Who is at least as good in all that both have, and better in one."""
    found = []
    for other, point in points.items():
        pairs = [(a, b) for a, b in zip(point, points[who], strict=True) if not math.isnan(a + b)]
        if all(a <= b for a, b in pairs) and any(a < b for a, b in pairs):
            found.append(other)
    return found


def _entry(who: str, points: Mapping[str, tuple[float, ...]]) -> Entry:
    if who not in points:
        return Entry(MISSING)
    better = _beating(who, points)
    listed = ", ".join(names.neuron(other) for other in better[:MOST_NAMED])
    more = f" and {len(better) - MOST_NAMED} more" if len(better) > MOST_NAMED else ""
    text = f"by {listed}{more}" if better else "on the front"
    return Entry(text, best=not better)


def reach(rows: pd.DataFrame, baseline: str) -> Table | None:
    """Epochs and seconds until a neuron's validation accuracy is what the baseline's best is on the same seed."""
    own = of_task(rows, "accuracy")
    own = own[own.value.notna()]
    curves = own[own.metric == "validation_accuracy"]
    if curves.empty:
        return None
    chosen = chosen_variant(curves).rows
    lines = []
    for where, group in chosen.groupby("where", sort=False):
        seconds = own[(own.metric == "training_seconds") & (own["where"] == where)].set_index(["who", "seed"]).value
        each = of_each_seed(group, ["who", "step"])
        by_who = {
            str(who): part.pivot(index="seed", columns="step", values="value") for who, part in each.groupby("who")
        }
        base = next((own for who, own in by_who.items() if names.neuron_of(who) == baseline), None)
        if base is None:
            continue
        lines += [
            (who, [Entry(names.condition(str(where))), *_reached(who, by_who[who], base.max(axis=1), seconds)])
            for who in order(group, [])
        ]
    if not lines:
        return None
    caption = (
        f"Until the validation accuracy of a seed is at least the best that {names.written(baseline)} has on it; mean "
        "over the seeds that come so far. Seconds: so much of the time in training steps, beside other cells."
    )
    title = f"How soon a neuron is as good as {names.written(baseline)} gets."
    return Table(
        "reach", title, caption, ["neuron", "data set", "seeds", "epochs", "seconds"], lines, [], ("accuracy",)
    )


def _reached(who: str, curves: pd.DataFrame, wanted: pd.Series, seconds: pd.Series) -> list[Entry]:
    epochs, times = [], []
    shared = curves.index.intersection(wanted.index)
    for seed in shared:
        enough = curves.columns[curves.loc[seed] >= wanted[seed]]
        if len(enough):
            epochs.append(float(min(enough)))
            whole = float(seconds.get((who, seed), math.nan))
            times.append(whole * epochs[-1] / float(curves.loc[seed].count()))
    texts = [format_value(Estimate.of(own).mean, 1) if own else MISSING for own in (epochs, times)]
    return [Entry(f"{len(epochs)} of {len(shared)}"), *map(Entry, texts)]
