"""Where the neuron is the bottleneck, and which way of computing a LIF without a reset is fastest."""

from __future__ import annotations

import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FixedLocator, NullLocator

from suite.report import rivals_rows, style
from suite.report.answer import joined
from suite.report.plots.base import Plot
from suite.report.plots.panels import legend, line_looks, points, powers, titled
from suite.report.rivals_rows import SIZE

HALF = 0.5
ENDS = ("#f7f7f7", "#084594")
"""Colours of a share of 0 and of 1."""


def _map_data(rows: pd.DataFrame) -> pd.DataFrame | None:
    found = rivals_rows.mapped(rivals_rows.lines(rows))
    if found.empty:
        return None
    columns = ["who", *SIZE, "neuron_share", "neuron_forward_share", "neuron_share_of_steps", "predicted"]
    return found[[name for name in columns if name in found]]


def _draw_map(data: pd.DataFrame) -> Figure:
    whos, batches = list(dict.fromkeys(data.who)), sorted(data.batch_size.unique())
    figure, grid = plt.subplots(
        len(whos),
        len(batches),
        figsize=(style.PAGE, 0.5 + 0.95 * len(whos)),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    image: AxesImage | None = None
    for line, who in zip(grid, whos, strict=True):
        for axes, batch in zip(line, batches, strict=True):
            own = data[(data.who == who) & (data.batch_size == batch)]
            image = _panel(axes, own) or image
            axes.set_title(f"{titled(str(who))}, batch {batch}")
        line[0].set_ylabel("T")
    figure.supxlabel("width n of Linear(n, n)", fontsize=style.TEXT)
    if image is not None:
        bar = figure.colorbar(image, ax=grid, shrink=0.5, label="neurons' share of forward + backward")
        bar.ax.axhline(HALF, color=style.PALETTE[4], linewidth=1.2)
    return figure


def _panel(axes: Axes, own: pd.DataFrame) -> AxesImage | None:
    table = own.pivot_table(index="timesteps", columns="width", values="neuron_share", aggfunc="first")
    if table.empty:
        axes.set_axis_off()
        return None
    shades = LinearSegmentedColormap.from_list("share", ENDS)
    values = table.to_numpy(dtype=float)
    image = axes.imshow(values, cmap=shades, vmin=0, vmax=1, origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if math.isfinite(value):
            ink = "white" if value > 0.55 else "black"
            axes.text(column, row, f"{100 * value:.2g} %", ha="center", va="center", color=ink, fontsize=style.SMALL)
    if min(values.shape) > 1 and np.isfinite(values).all() and values.min() < HALF < values.max():
        axes.contour(values, levels=[HALF], colors=[style.PALETTE[4]], linewidths=1.4)
    axes.xaxis.set_major_locator(FixedLocator(range(len(table.columns))))
    axes.yaxis.set_major_locator(FixedLocator(range(len(table.index))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(range(len(table.columns)), [f"{width:,}" for width in table.columns])
    axes.set_yticks(range(len(table.index)), [f"{steps:,}" for steps in table.index])
    return image


def _map_finding(data: pd.DataFrame) -> str:
    """In how many measurements neurons are the larger part, and in whose they never are."""
    above = data.neuron_share > HALF
    counts = above.groupby(data.who, sort=False).sum()
    never = [re.sub(", (.*)", r" (\1)", titled(str(who))) for who, count in counts.items() if count == 0]
    told = f"Neurons take over half of the layer in {above.sum()} of {len(data)} measurements"
    if 0 < len(never) < len(counts):
        told += f", never those of {joined(never)}"
    return f"{told}."


def _lengths_data(rows: pd.DataFrame) -> pd.DataFrame | None:
    found = rivals_rows.over_time(rivals_rows.lines(rows))
    if found.empty or "neuron_time" not in found:
        return None
    measured = found[found.reason == ""]
    scale = 1e6 / (measured.timesteps * measured.batch_size * measured.width).astype(float)
    columns = {f"time{end}": scale * measured[f"neuron_time{end}"] for end in ("", "_p20", "_p80")}
    return measured[["who", "model", "timesteps"]].assign(**columns)


def _draw_lengths(data: pd.DataFrame) -> Figure:
    whos = list(dict.fromkeys(data.who))
    looks = line_looks(whos)
    figure, axes = plt.subplots(figsize=(style.COLUMN, 2.3), layout="constrained")
    for who in whos:
        own = data[data.who == who].sort_values("timesteps")
        axes.plot(own.timesteps, own.time, marker=".", **looks[who])
        for point in points(own):
            axes.plot([point.timesteps] * 2, [point.time_p20, point.time_p80], color=looks[who]["color"], linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    powers(axes.yaxis)
    axes.set_xticks(sorted(data.timesteps.unique()), [f"{steps:,}" for steps in sorted(data.timesteps.unique())])
    axes.set_xlabel("time steps T")
    axes.set_ylabel("ns a neuron and step (log)")
    axes.grid(axis="y")
    legend(figure, looks)
    return figure


def _lengths_finding(data: pd.DataFrame) -> str:
    free = data[data.model == rivals_rows.RESET_FREE]
    firsts: dict[str, list[str]] = {}
    for steps in sorted(free.timesteps.unique()):
        first = free[free.timesteps == steps].sort_values("time").iloc[0]
        firsts.setdefault(str(first.who), []).append(f"{steps:,}")
    parts = [f"{who} at T = {', '.join(lengths)}" for who, lengths in firsts.items()]
    return f"Without a reset the fastest is {' and '.join(parts)}."


MAP = Plot(
    "neuron_share",
    "Where the neuron is the bottleneck",
    "Share of neurons in Linear + neurons, forward and backward, medians of rounds; rising to the top: T; the red line "
    "is where they are half. Shares above 55 % are written in white.",
    _map_data,
    _draw_map,
    _map_finding,
)
LENGTHS = Plot(
    "reset_free_times",
    "Without a reset: in step or in parallel",
    "Forward and backward of 64 neurons of the suite and of packages; bars: 20th to 80th percentile of the rounds. LIF "
    "has its reset.",
    _lengths_data,
    _draw_lengths,
    _lengths_finding,
)
PLOTS = (MAP, LENGTHS)
