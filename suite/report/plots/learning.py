"""Learning curves."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from suite.report import names, style
from suite.report.conditions import of_task, over_seeds
from suite.report.plots.base import Plot
from suite.report.plots.chosen import MOST, chosen, of_more
from suite.report.plots.panels import legend, line_looks, panels
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
    return pd.DataFrame(records)


def _draw(data: pd.DataFrame, label: str, bounds: tuple[float, float], best: str) -> Figure:
    """A line a neuron; no line through an epoch without a finite mean, no band beyond the bounds."""
    data = data[data.who.isin(_first(data, best))]
    looks = line_looks(style.ordered(data.who))
    figure, found = panels(list(dict.fromkeys(data["where"])), 1.7, "epoch", label, across=3)
    for (where, who), measured in data.groupby(["where", "who"], sort=False):
        axes, look = found[str(where)], looks[str(who)]
        own = measured.set_index("epoch").reindex(range(measured.epoch.min(), measured.epoch.max() + 1))
        mean = own["mean"].where(np.isfinite(own["mean"]))
        axes.plot(own.index, mean, **look, marker="." if len(own) == 1 else "")
        low, high = (mean - own.half_width).clip(*bounds), (mean + own.half_width).clip(*bounds)
        axes.fill_between(own.index, low, high, color=look["color"], alpha=0.15, linewidth=0)
    for axes in found.values():
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    legend(figure, looks)
    return figure


def _first(data: pd.DataFrame, best: str) -> list[str]:
    """The neurons that the figure shows: of many those that end best, on average over the data sets."""
    last = data[data.epoch == data.groupby("where").epoch.transform("max")]
    places = last.groupby("where")["mean"].rank(ascending=best == "lowest").groupby(last.who).mean()
    return chosen(sorted(style.ordered(data.who), key=lambda who: float(places.get(who, math.inf))))


def _ends(data: pd.DataFrame, unit: str, best: str) -> str:
    """The best mean after the last epoch of each data set."""
    texts = []
    for where, own in data.groupby("where", sort=False):
        last = own[(own.epoch == own.epoch.max()) & np.isfinite(own["mean"])]
        if len(last):
            row = last.loc[last["mean"].idxmax() if best == "highest" else last["mean"].idxmin()]
            texts.append(f"{names.condition(str(where))}: {names.neuron(str(row.who))} ({row['mean']:.3g}{unit})")
    return f"The {best} mean after the last epoch is that of, on {'; '.join(texts)}." if texts else "No finite mean."


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
