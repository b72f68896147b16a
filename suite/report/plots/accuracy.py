"""Accuracy: by data set and neuron with every seed, as differences from a baseline, and against what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from suite.report import costs, names, style, timings
from suite.report.conditions import name_conditions
from suite.report.outcomes import Outcome, order, outcomes
from suite.report.plots.base import Plot
from suite.report.plots.chosen import MOST, chosen, of_more
from suite.report.plots.panels import (
    UNNAMED,
    Segment,
    label_points,
    logarithmic,
    panels,
    point_looks,
    points,
    row_panels,
)
from suite.statistics import SIGNIFICANCE, Estimate

ACROSS = 5
MOST_COST_PANELS = 3
MOST_NAMED = 14
"""Points of a panel beside which names still have room."""
MOST_LEADERS = 4
"""Names of a data set's best in the sentence below the figure."""
FIRST = f"the first {MOST} of the board"
BAND = 0.45
TICK = 0.2
"""Opacity of an interval's bar, and half the height of a seed's tick."""


def _seeds(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Every seed's accuracy, data sets that separate first, neurons in the order of all figures."""
    named = name_conditions(rows)
    known = outcomes(named)
    records = [
        {
            **{"where": own.where, "dataset": own.dataset, "who": who, "neuron": names.neuron_of(who)},
            **{"seed": seed, "value": value, "chance": own.level},
            **{"tested": bool(own.best), "beaten": who in own.beaten},
        }
        for own in known
        for who in order(named, known)
        if who in own.values
        for seed, value in own.values[who].items()
    ]
    return pd.DataFrame(records) if records else None


def _draw_seeds(data: pd.DataFrame) -> Figure:
    titles, whos = list(dict.fromkeys(data["where"])), chosen(list(dict.fromkeys(data.who)))
    data = data[data.who.isin(whos)]
    figure, found = row_panels(titles, whos, _axis_of_seeds(data), ACROSS)
    colours = style.colours(whos)
    for (where, who), own in data.groupby(["where", "who"], sort=False):
        axes, place, estimate = found[str(where)], whos.index(str(who)), Estimate.of(list(own.value))
        colour = style.GREY if own.beaten.iloc[0] else colours[str(who)]
        if not math.isnan(estimate.half_width):
            ends = [max(0.0, estimate.low), min(100.0, estimate.high)]
            axes.plot(ends, [place, place], color=colour, alpha=BAND, linewidth=2.4 * style.weight(str(who)))
        ticks = [[value, value, math.nan] for value in own.value]
        up = [place - TICK, place + TICK, math.nan] * len(ticks)
        axes.plot([x for tick in ticks for x in tick], up, color=colour, linewidth=0.7)
        axes.plot([estimate.mean], [place], marker="o", color=colour, markersize=4)
    for where, axes in found.items():
        _mark_chance(axes, data[data["where"] == where])
        axes.xaxis.set_major_locator(MaxNLocator(3))
    return figure


def _axis_of_seeds(data: pd.DataFrame) -> str:
    seeds = data.groupby(["where", "who"]).seed.nunique()
    count = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    told = "; grey: told from the best" if data.tested.any() else ""
    return f"test accuracy (%): mean, 95 % interval, a tick a seed (n = {count}){told}"


def _mark_chance(axes: Axes, own: pd.DataFrame) -> None:
    """A dotted line at the level of guessing, where it lies near the accuracies."""
    level = float(own.chance.iloc[0])
    low, high = own.value.min(), own.value.max()
    if math.isnan(level) or low - level > max(high - low, 1.0):
        return
    axes.axvline(level, color=style.GREY, linestyle=":", linewidth=0.9)
    axes.annotate(
        "chance",
        (level, 1),
        xycoords=("data", "axes fraction"),
        xytext=(2, -1),
        textcoords="offset points",
        fontsize=style.SMALL,
        va="top",
    )


def _finding_of_seeds(data: pd.DataFrame) -> str:
    """Who leads where, data set by data set."""
    if not data.tested.any():
        return "These seeds tell no neuron from another."
    texts, tied = [], []
    for where, own in data[data.tested].groupby("where", sort=False):
        title = names.condition(str(where))
        means = own[~own.beaten].groupby("who", sort=False).value.mean().sort_values(ascending=False)
        if not own.beaten.any():
            tied.append(title)
        else:
            leaders = ", ".join(names.neuron(str(who)) for who in means.index[:MOST_LEADERS])
            more = f" and {len(means) - MOST_LEADERS} more" if len(means) > MOST_LEADERS else ""
            texts.append(f"{title}: {leaders}{more} ({means.iloc[0]:.1f} %)")
    told = f"Best on {'; '.join(texts)}." if texts else ""
    rest = f"No neuron is told from the best on {', '.join(tied)}." if tied else ""
    return f"{told} {rest}".strip()


def _differences(rows: pd.DataFrame, baseline: str) -> pd.DataFrame | None:
    named = name_conditions(rows)
    known = outcomes(named)
    records = []
    for own in known:
        base = next((who for who in own.values if names.neuron_of(who) == baseline), None)
        compared = own.against(base) if base is not None else {}
        for who in order(named, known):
            comparison = compared.get(who)
            if comparison is None or not comparison.difference.count:
                continue
            difference = comparison.difference
            records.append(
                {
                    **{"where": own.where, "who": who, "baseline": baseline, "difference": difference.mean},
                    **{"half_width": difference.half_width, "seeds": difference.count},
                    **{"corrected_p": comparison.corrected, "claimed": comparison.corrected < SIGNIFICANCE},
                }
            )
    return pd.DataFrame(records) if records else None


def _draw_differences(data: pd.DataFrame) -> Figure:
    titles, whos = list(dict.fromkeys(data["where"])), chosen(list(dict.fromkeys(data.who)))
    data = data[data.who.isin(whos)]
    baseline = names.written(str(data.baseline.iloc[0]))
    xlabel = f"accuracy minus {baseline}'s on the same seeds (points); hollow: not distinguished"
    figure, found = row_panels(titles, whos, xlabel, ACROSS)
    colours = style.colours(whos)
    for point in points(data):
        axes, place, colour = found[str(point.where)], whos.index(str(point.who)), colours[str(point.who)]
        if math.isfinite(point.half_width):
            ends = [point.difference - point.half_width, point.difference + point.half_width]
            axes.plot(ends, [place, place], color=colour, linewidth=1.2 * style.weight(str(point.who)))
        inside = colour if point.claimed else "white"
        axes.plot([point.difference], [place], marker="o", color=colour, markerfacecolor=inside, markersize=4)
    for axes in found.values():
        axes.axvline(0, color=style.GREY, linewidth=0.9)
        axes.xaxis.set_major_locator(MaxNLocator(3))
    return figure


def _finding_of_differences(data: pd.DataFrame) -> str:
    claimed, baseline = data[data.claimed], names.written(str(data.baseline.iloc[0]))
    if claimed.empty:
        return f"No difference from {baseline} can be claimed with these seeds."
    row = claimed.iloc[int(claimed.difference.abs().to_numpy().argmax())]
    side = "above" if row.difference > 0 else "below"
    return (
        f"{len(claimed)} of {len(data)} differences from {baseline} can be claimed; the largest: "
        f"{names.neuron(str(row.who))} {abs(row.difference):.1f} points {side} on {names.condition(str(row['where']))}."
    )


def _against_cost(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Accuracy and a layer's time, with their intervals, on the data sets that separate neurons most."""
    named = name_conditions(rows)
    known = outcomes(named)
    time = costs.layer_time(named, timings.BASELINE)
    if time is None or not known:
        return None
    ratios = {names.neuron_of(who): own for who, own in time.ratios.items()}
    shown: Sequence[Outcome] = [own for own in known if own.told][:MOST_COST_PANELS] or known[:1]
    records: list[dict[str, Any]] = []
    for own in shown:
        for who in order(named, known):
            ratio, estimate = ratios.get(names.neuron_of(who)), own.estimates.get(who)
            if ratio is None or estimate is None or not (ratio.value > 0 and math.isfinite(ratio.value)):
                continue
            records.append(
                {
                    **{"where": own.where, "who": who, "accuracy": estimate.mean, "half_width": estimate.half_width},
                    **{"times": ratio.value, "low": ratio.low, "high": ratio.high, "chance": own.level},
                    **{"baseline": timings.BASELINE, "detail": time.detail},
                }
            )
    data = pd.DataFrame(records)
    if not records:
        return None
    data = data.assign(front=front(data))
    return data.assign(named=[_is_named(point, data.who.nunique()) for point in points(data)])


def _is_named(point: Any, neurons: int) -> bool:
    """Whether a point has its name and colour: all of a few, else those of the front, the baseline and one's own."""
    return (
        neurons <= MOST_NAMED
        or bool(point.front)
        or names.neuron_of(point.who) == point.baseline
        or names.is_own(point.who)
    )


def front(data: pd.DataFrame) -> list[bool]:
    """Whether no other point of the same data set is at least as good in both, and better in one."""
    kept = []
    for point in points(data):
        others = data[data["where"] == point.where]
        as_good = (others.accuracy >= point.accuracy) & (others.times <= point.times)
        better = (others.accuracy > point.accuracy) | (others.times < point.times)
        kept.append(not bool((as_good & better).any()))
    return kept


def _draw_cost(data: pd.DataFrame) -> Figure:
    titles = list(dict.fromkeys(data["where"]))
    across = 1 if len(titles) == 1 else MOST_COST_PANELS
    baseline = names.written(str(data.baseline.iloc[0]))
    xlabel = f"time of a layer, times {baseline}'s (log); left is faster"
    height = 2.2 + 0.03 * max(0, data.who.nunique() - 8)
    figure, found = panels(titles, height, xlabel, "accuracy (%)", across=across, sharex=True)
    looks = point_looks(list(dict.fromkeys(data.who)))
    for where, own in data.groupby("where", sort=False):
        axes = found[str(where)]
        axes.grid()
        for point in points(own):
            look = looks[str(point.who)] if point.named else UNNAMED
            if math.isfinite(point.low + point.high):
                axes.plot([point.low, point.high], [point.accuracy] * 2, color=look["color"], linewidth=0.9)
            if math.isfinite(point.half_width):
                ends = [max(0.0, point.accuracy - point.half_width), min(100.0, point.accuracy + point.half_width)]
                axes.plot([point.times] * 2, ends, color=look["color"], linewidth=0.9)
            axes.plot([point.times], [point.accuracy], **look)
        best = own[own.front].sort_values("times")
        across_to = [*best.times, own.times.max()]
        up = [*best.accuracy, best.accuracy.iloc[-1]]
        axes.plot(across_to, up, drawstyle="steps-post", color=style.GREY, zorder=0, linewidth=0.8)
        logarithmic(axes)
        axes.margins(0.14, 0.1)
        level = float(own.chance.iloc[0])
        if level >= own.accuracy.min() - 10:
            axes.axhline(level, color=style.GREY, linestyle=":", linewidth=0.9)
            place, side = _free_place(own, level)
            transform = axes.get_yaxis_transform()
            axes.text(place, level, "chance", transform=transform, fontsize=style.SMALL, va="bottom", ha=side)
    for where, own in data.groupby("where", sort=False):
        axes = found[str(where)]
        places = {str(p.who): (p.times, p.accuracy) for p in points(own) if p.named and math.isfinite(p.accuracy)}
        label_points(axes, places, _segments(axes))
    return figure


def _segments(axes: Axes) -> list[Segment]:
    """What is drawn in the panel as lines across or up, bars and front; levels go from edge to edge."""
    found: list[Segment] = []
    for line in axes.lines:
        x, y = (np.asarray(own, dtype=float) for own in line.get_data())
        if line.get_transform() != axes.transData:
            x = np.array(axes.get_xlim())
        if line.get_drawstyle() == "steps-post":
            x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
        found += [((a, b), (c, d)) for a, b, c, d in zip(x[:-1], y[:-1], x[1:], y[1:], strict=True)]
    return found


def _free_place(own: pd.DataFrame, level: float) -> tuple[float, str]:
    """Where along the line of guessing no point is near: a share of the panel's width, and the side of the text."""
    span = max(own.accuracy.max() - min(own.accuracy.min(), level), 1.0)
    near = own[(own.accuracy - level).abs() < 0.15 * span].times.map(math.log)
    low, high = math.log(own.times.min()), math.log(own.times.max())
    shares = (near - low) / (high - low) if high > low else near * 0 + 0.5
    places = {0.98: "right", 0.5: "center", 0.02: "left"}
    best = max(places, key=lambda place: min((abs(share - place) for share in shares), default=1.0))
    return best, places[best]


def _finding_of_cost(data: pd.DataFrame) -> str:
    own = data[data["where"] == data["where"].iloc[0]]
    kept = own[own.front].sort_values("times")
    listed = ", ".join(
        f"{names.neuron(str(point.who))} ({point.accuracy:.1f} % at {point.times:.2f} ×)" for point in points(kept)
    )
    where = names.condition(str(own["where"].iloc[0]))
    verb = "is" if len(kept) == 1 else "are"
    return f"On {where} {listed} {verb} beaten by no other in both accuracy and time, by their means."


def of_baseline(baseline: str) -> Plot:
    """Differences from that neuron."""
    return Plot(
        "differences",
        f"Differences from {names.written(baseline)}",
        "Paired over seeds, with 95 % intervals; a filled mark is a difference that the permutation test finds, "
        f"corrected over the data set's neurons (step-down max-T).{of_more(FIRST)}",
        lambda rows: _differences(rows, baseline),
        _draw_differences,
        _finding_of_differences,
    )


PLOTS = [
    Plot(
        "accuracy",
        "Accuracy by data set",
        "Test accuracy at the best validation epoch: a dot is the mean, the bar its 95 % interval, each tick a seed; "
        f"grey neurons are told from the best by the paired test; dotted: guessing.{of_more(FIRST)}",
        _seeds,
        _draw_seeds,
        _finding_of_seeds,
    ),
    Plot(
        "cost",
        "Accuracy against time",
        "Up is more accurate, left is faster. Bars: 95 % interval over seeds; 20th to 80th percentile of the rounds. "
        "The grey line is the front that no mean beats in both; of more than 14 neurons those on it, the baseline and "
        "one's own are named.",
        _against_cost,
        _draw_cost,
        _finding_of_cost,
    ),
]
