"""What equal tuning changes, and how much of it the number of settings buys."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from suite.report import names, style
from suite.report.plots.base import Plot
from suite.report.plots.chosen import MOST, by_mean_rank, chosen, of_more
from suite.report.plots.panels import legend, line_looks, panels, points, row_panels
from suite.report.tuned import moved, sides, tried_so_far

FIRST = f"the {MOST} that are best when tuned"


def _sides(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Means and intervals as it is and tuned."""
    records = [
        {
            **{"where": side.before.where, "dataset": side.before.dataset, "who": who, "trials": side.trials},
            **{"before": side.before.estimates[who].mean, "after": side.after.estimates[who].mean},
            **{"low": side.after.estimates[who].low, "high": side.after.estimates[who].high},
            **{"found": who in side.found, "moved": moved(found)},
        }
        for found in [sides(rows)]
        for side in found
        for who in side.whos
    ]
    return pd.DataFrame(records) if records else None


def _draw_sides(data: pd.DataFrame) -> Figure:
    whos = style.ordered(chosen(by_mean_rank(data, "after")))
    data = data[data.who.isin(whos)]
    label = "test accuracy (%): ring as it is, dot tuned with its 95 % interval"
    figure, found = row_panels(list(dict.fromkeys(data["where"])), whos, label, across=4)
    colours = style.colours(whos)
    for own in points(data):
        axes, place, colour = found[own.where], whos.index(own.who), colours[own.who]
        axes.plot([own.before, own.after], [place, place], color=style.GREY, linewidth=0.8, zorder=1)
        if not math.isnan(own.low):
            ends = [max(0.0, own.low), min(100.0, own.high)]
            axes.plot(ends, [place, place], color=colour, alpha=0.45, linewidth=2.4, zorder=2)
        axes.plot([own.before], [place], marker="o", color=colour, markerfacecolor="white", markersize=4, zorder=3)
        axes.plot([own.after], [place], marker="o", color=colour, markersize=4, zorder=4)
    for axes in found.values():
        axes.xaxis.set_major_locator(MaxNLocator(3))
    handles = [
        Line2D([], [], marker="o", linestyle="", color=style.GREY, markerfacecolor=fill, label=text)
        for fill, text in (("white", "as it is"), (style.GREY, "tuned"))
    ]
    figure.legend(handles=handles, loc="outside upper center", ncol=2)
    figure.set_figheight(figure.get_figheight() + 0.2)
    return figure


def _draw_tried(data: pd.DataFrame) -> Figure:
    data = data[data.who.isin(chosen(by_mean_rank(_ends(data), "best")))]
    looks = line_looks(style.ordered(data.who))
    figure, found = panels(
        list(dict.fromkeys(data["where"])), 1.7, "settings tried", "best validation accuracy (%)", across=3
    )
    for (where, who), own in data.groupby(["where", "who"], sort=False):
        found[str(where)].plot(own.settings_tried, own.best, drawstyle="steps-post", **looks[str(who)])
    for axes in found.values():
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    legend(figure, looks)
    return figure


def _ends(data: pd.DataFrame) -> pd.DataFrame:
    """What each neuron has after all of its settings."""
    return data.sort_values("settings_tried", kind="stable").drop_duplicates(["where", "who"], keep="last")


def _finding_of_tried(data: pd.DataFrame) -> str:
    """Where the last setting that brought something was found."""
    texts = []
    for where, own in data.groupby("where", sort=False):
        last = own.groupby("who").best.transform("max")
        first = own[own.best == last].groupby("who").settings_tried.min()
        late = int((first > own.settings_tried.max() / 2).sum())
        texts.append(f"{names.condition(str(where))}: {late} of {len(first)}")
    return f"Neurons whose best setting was found in the second half of the trials, on {'; '.join(texts)}."


PLOTS = [
    Plot(
        "tuned",
        "Accuracy as it is and tuned",
        "Each neuron with the settings that all have (ring) and with the best of as many settings for each neuron, "
        "chosen by validation on another seed (dot, with the 95 % interval over seeds)." + of_more(FIRST),
        _sides,
        _draw_sides,
        lambda data: str(data.moved.iloc[0]) or "These seeds tell no change from chance.",
    ),
    Plot(
        "tuning_curves",
        "What more settings would bring",
        "The best validation accuracy among the settings tried so far, on the one seed of the trials; the first is the "
        "setting that all have." + of_more(FIRST),
        tried_so_far,
        _draw_tried,
        _finding_of_tried,
    ),
]
