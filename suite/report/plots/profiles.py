"""Profiles of all runs over many data sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from suite.report import names, style
from suite.report.over_datasets import scores
from suite.report.plots.base import Plot
from suite.report.plots.chosen import MOST, chosen, of_more
from suite.report.plots.panels import legend, line_looks, panels
from suite.statistics.aggregate import performance_profile

THRESHOLDS = np.linspace(0, 1, 101)


def _profiles(rows: pd.DataFrame) -> pd.DataFrame | None:
    records = [
        {"who": who, "score": level, "share": share}
        for who, runs in scores(rows).items()
        for level, share in zip(THRESHOLDS, performance_profile(runs, list(THRESHOLDS)), strict=True)
    ]
    return pd.DataFrame(records) if records else None


def _draw(data: pd.DataFrame) -> Figure:
    areas = data.groupby("who", sort=False).share.mean().sort_values(ascending=False, kind="stable")
    data = data[data.who.isin(chosen([str(who) for who in areas.index]))]
    looks = line_looks(style.ordered(data.who))
    figure, found = panels([""], 2.2, "score: 0 guessing, 1 no error", "share of runs above it")
    (axes,) = found.values()
    for who, own in data.groupby("who", sort=False):
        axes.plot(own.score, own.share, drawstyle="steps-post", **looks[str(who)])
    axes.grid(axis="y")
    legend(figure, looks)
    return figure


def _finding(data: pd.DataFrame) -> str:
    areas = data.groupby("who", sort=False).share.mean()
    best = str(areas.idxmax())
    return f"The largest area below its profile, which is the mean score, is that of {names.neuron(best)}."


PLOTS = [
    Plot(
        "profiles",
        "Profiles over data sets",
        "The share of runs above each score, every data set counting alike; a line above another is a better neuron."
        + of_more(f"the {MOST} of the largest area"),
        _profiles,
        _draw,
        _finding,
    )
]
