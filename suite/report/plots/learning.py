"""Learning curves."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from suite.report import names, style
from suite.report.conditions import cut_off, name_conditions, of_task, over_seeds
from suite.report.plots.base import Plot
from suite.report.plots.chosen import MOST, by_mean_rank, chosen, of_more
from suite.report.plots.panels import legend, line_looks, panels, points
from suite.runs.text import counted
from suite.statistics import Estimate

BEST_LAST = f"the {MOST} that end best"


def _curves(metric: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and half width of the interval by epoch; a divergence (an infinite loss) stays infinite."""
    own = of_task(rows, "accuracy")
    own = own[(own.metric == metric) & own.value.notna()]
    found: dict[tuple[str, str, int], Estimate] = over_seeds(own, ["where", "who", "step"])
    records = [
        {"where": where, "who": who, "epoch": int(step), "mean": e.mean, "half_width": e.half_width, "seeds": e.count}
        for (where, who, step), e in found.items()
    ]
    return pd.DataFrame([*records, *_cut_off(metric, rows)])


def _cut_off(metric: str, rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The points of trainings that failed or ran out of time, each a line of its own."""
    own = cut_off(name_conditions(rows))
    own = own[(own.task == "accuracy") & (own.metric == metric)]
    for point in points(own.sort_values(["where", "who", "seed", "step"], kind="stable")):
        place = {"where": point.where, "who": point.who, "epoch": int(point.step), "mean": point.value}
        yield {**place, "half_width": math.nan, "seeds": 1, "cut_off": f"seed {point.seed}: {point.status}"}


def _draw(data: pd.DataFrame, label: str, bounds: tuple[float, float], best: str) -> Figure:
    """A line a neuron; no line through an epoch without a finite mean, no band beyond the bounds.

    A training that was cut off is dotted, to a cross.
    """
    data = data[data.who.isin(_first(data, best))]
    looks = line_looks(style.ordered(data.who))
    figure, found = panels(list(dict.fromkeys(data["where"])), 1.7, "epoch", label, across=3)
    ended, others = _parts(data)
    for (where, who), measured in ended.groupby(["where", "who"], sort=False):
        axes, look = found[str(where)], looks[str(who)]
        own = measured.set_index("epoch").reindex(range(measured.epoch.min(), measured.epoch.max() + 1))
        mean = own["mean"].where(np.isfinite(own["mean"]))
        axes.plot(own.index, mean, **look, marker="." if len(own) == 1 else "")
        low, high = (mean - own.half_width).clip(*bounds), (mean + own.half_width).clip(*bounds)
        axes.fill_between(own.index, low, high, color=look["color"], alpha=0.15, linewidth=0)
    for (where, who, _), own in others.groupby(["where", "who", "cut_off"], sort=False) if len(others) else ():
        look = {"color": looks[str(who)]["color"], "linewidth": 0.8, "linestyle": ":"}
        found[str(where)].plot(own.epoch, own["mean"], **look, marker="x", markevery=[len(own) - 1])
    for axes in found.values():
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    legend(figure, looks)
    return figure


def _parts(data: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is of trainings that ended, and of those that were cut off."""
    others = data["cut_off"].notna() if "cut_off" in data else pd.Series(False, data.index)
    return data[~others], data[others]


def _first(data: pd.DataFrame, best: str) -> list[str]:
    """The neurons that the figure shows: of many those that end best, on average over the data sets."""
    ended, _ = _parts(data)
    last = ended[ended.epoch == ended.groupby("where").epoch.transform("max")]
    whos = by_mean_rank(last, "mean", least_first=best == "lowest")
    return chosen([*whos, *(who for who in style.ordered(data.who) if who not in whos)])


def _ends(data: pd.DataFrame, unit: str, best: str) -> str:
    """The best mean after the last epoch of each data set."""
    texts = []
    ended, others = _parts(data)
    for where, own in ended.groupby("where", sort=False):
        last = own[(own.epoch == own.epoch.max()) & np.isfinite(own["mean"])]
        if len(last):
            row = last.loc[last["mean"].idxmax() if best == "highest" else last["mean"].idxmin()]
            texts.append(f"{names.condition(str(where))}: {names.neuron(str(row.who))} ({row['mean']:.3g}{unit})")
    told = f"The {best} mean after the last epoch is that of, on {'; '.join(texts)}." if texts else "No finite mean."
    count = len(others.drop_duplicates(["where", "who", "cut_off"])) if len(others) else 0
    return f"{told} Dotted, to a cross: {counted(count, 'training')} that did not end." if count else told


PLOTS = [
    Plot(
        "loss_curves",
        "Test loss",
        "Test loss by epoch: mean and 95 % interval over seeds; a gap where it was not finite." + of_more(BEST_LAST),
        lambda rows: _curves("test_loss", rows),
        lambda data: _draw(data, "test loss", (0.0, math.inf), "lowest"),
        lambda data: _ends(data, "", "lowest"),
    ),
    Plot(
        "accuracy_curves",
        "Test accuracy while training",
        "Test accuracy by epoch: mean and 95 % interval over seeds." + of_more(BEST_LAST),
        lambda rows: _curves("test_accuracy", rows),
        lambda data: _draw(data, "test accuracy (%)", (0.0, 100.0), "highest"),
        lambda data: _ends(data, " %", "highest"),
    ),
]
