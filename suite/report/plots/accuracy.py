"""Accuracy over seeds, against cost, and by rank over data sets."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scikit_posthocs
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from suite.report import style, timings
from suite.report.comparison import accuracies, rank_matrix
from suite.report.conditions import RAN, over_seeds
from suite.report.plots.base import Plot
from suite.report.plots.panels import legend, panels, point_looks, points, row_panels
from suite.report.tables import of_task
from suite.report.text import label
from suite.statistics import Estimate, rank_over_datasets
from suite.statistics.estimate import settled

ACROSS = 5


def _seeds(rows: pd.DataFrame) -> pd.DataFrame:
    return accuracies(rows)[["where", "neuron", "who", "seed", "value"]]


def _draw_seeds(data: pd.DataFrame) -> Figure:
    names = style.ordered(data.who)
    colours = style.colours(names)
    titles = list(dict.fromkeys(data["where"]))
    figure, found = row_panels(titles, names, "test accuracy (%)", min(ACROSS, len(titles)))
    for (where, who), own in data.groupby(["where", "who"], sort=False):
        axes, place, estimate = found[str(where)], names.index(str(who)), Estimate.of(list(own.value))
        axes.plot(own.value, [place] * len(own), linestyle="", marker="|", markersize=5, color="0.55")
        if not math.isnan(estimate.half_width):
            axes.plot([estimate.low, estimate.high], [place, place], color=colours[str(who)])
        axes.plot([estimate.mean], [place], marker="o", color=colours[str(who)])
    for axes in found.values():
        axes.xaxis.set_major_locator(MaxNLocator(3))
    return figure


def _against_speed(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Accuracy and training time of a sample with their intervals, and whether no other is both better and faster.

    Without what was timed at another load than the rest.
    """
    speeds = of_task(rows, "training_speed")
    speeds = speeds.assign(size=speeds["where"])
    scored = accuracies(rows)
    if speeds.value.isna().all() or scored.empty:
        return None
    known = timings.times(speeds, "training_speed")
    apart = timings.other_loads(speeds)
    by_cell = {_cell(record): key for record in speeds.to_dict("records") if (key := _key(record)) in known}
    found = []
    for (where, who), estimate in over_seeds(scored, ["where", "who"]).items():
        record = scored[(scored["where"] == where) & (scored.who == who)].iloc[0].to_dict()
        place = by_cell.get(_cell(record))
        if place is None or place in apart or math.isnan(timings.ratio(1e6, known[place].estimate.mean)):
            continue
        time = known[place]
        found.append(
            {
                **{"where": where, "neuron": record["neuron"], "who": who},
                **{"accuracy": estimate.mean, "half_width": estimate.half_width},
                "microseconds": timings.ratio(1e6, time.estimate.mean),
                "microseconds_p20": timings.ratio(1e6, time.high),
                "microseconds_p80": timings.ratio(1e6, time.low),
            }
        )
    both = pd.DataFrame(found)
    return both.assign(pareto=front(both)) if found else None


def _key(record: Mapping[Hashable, Any]) -> tuple[str, str]:
    return str(record["who"]), str(record["size"])


def _cell(record: Mapping[Hashable, Any]) -> tuple[str, ...]:
    """What an accuracy and a training speed of one condition share."""
    return tuple(str(record[name]) for name in ("where", "neuron", *RAN))


def front(data: pd.DataFrame) -> list[bool]:
    """Whether no other point of the same condition is at least as good in both, and better in one."""
    accuracy, microseconds = settled(data.accuracy.to_numpy()), settled(data.microseconds.to_numpy())
    beaten = []
    for place, where in enumerate(data["where"]):
        others = data["where"].to_numpy() == where
        as_good = (accuracy >= accuracy[place]) & (microseconds <= microseconds[place])
        better = (accuracy > accuracy[place]) | (microseconds < microseconds[place])
        beaten.append(bool((others & as_good & better).any()))
    return [not own for own in beaten]


def _draw_pareto(data: pd.DataFrame) -> Figure:
    looks = point_looks(list(data.who))
    figure, found = panels(list(dict.fromkeys(data["where"])), 1.5, "training time of a sample (µs)", "accuracy (%)")
    for where, own in data.groupby("where", sort=False):
        axes = found[str(where)]
        for point in points(own):
            spread = [[point.microseconds - point.microseconds_p20], [point.microseconds_p80 - point.microseconds]]
            across = spread if np.isfinite(spread).all() else None
            up = point.half_width if math.isfinite(point.half_width) else None
            look = {**looks[str(point.who)], "elinewidth": 0.6}
            axes.errorbar(point.microseconds, point.accuracy, yerr=up, xerr=across, **look)
        best = own[own.pareto].sort_values("microseconds")
        right = own.microseconds.max()
        axes.plot(
            [*best.microseconds, right], [*best.accuracy, best.accuracy.iloc[-1]],
            drawstyle="steps-post", color="0.6", zorder=0, linewidth=0.8,
        )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.margins(0.12)
    legend(figure, looks)
    return figure


def _ranks(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Mean accuracies, from which the ranks follow; None if there are none, or if they tell no neurons apart."""
    matrix = rank_matrix(rows)
    ranks = rank_over_datasets(matrix)
    return matrix.rename_axis("dataset").reset_index() if ranks is not None and ranks.told_apart else None


def _draw_critical_difference(data: pd.DataFrame) -> Figure:
    ranks = rank_over_datasets(data.set_index("dataset"))
    assert ranks is not None, "checked where the data were made"
    names = {name: label(str(name)) for name in ranks.mean.index}
    figure, axes = plt.subplots(figsize=(style.COLUMN, 0.6 + 0.1 * len(names)))
    scikit_posthocs.critical_difference_diagram(
        {names[name]: rank for name, rank in ranks.mean.items()},
        ranks.pairwise.rename(index=names, columns=names),
        ax=axes,
        color_palette={names[name]: colour for name, colour in style.colours(names).items()},
        label_props={"fontsize": 7},
        text_h_margin=0.03,
    )
    axes.set_xlabel("mean rank over data sets (1 is best)", fontsize=7)
    return figure


PLOTS = [
    Plot(
        "accuracy",
        "Accuracy over seeds",
        "Test accuracy at the best validation epoch by data set and neuron: the mean with its 95 % interval, and a "
        "tick for each seed.",
        _seeds,
        _draw_seeds,
    ),
    Plot(
        "pareto",
        "Accuracy against training time",
        "Up is more accurate, left trains faster; bars are the 95 % interval over seeds and the 20th to 80th "
        "percentile of the rounds. The grey line is the front that no neuron beats in both.",
        _against_speed,
        _draw_pareto,
    ),
    Plot(
        "critical_difference",
        "Ranks over data sets",
        "Mean rank of each neuron over the data sets; a bar joins those that Nemenyi's test does not tell apart.",
        _ranks,
        _draw_critical_difference,
    ),
]
