"""The temporal gradient: by lag, and between every pair of time steps."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from suite.report import names, style, timings
from suite.report.conditions import mean_over_layers, of_task, over_seeds
from suite.report.plots.base import Plot
from suite.report.plots.chosen import MOST, chosen, of_more
from suite.report.plots.panels import label_ends, line_looks, panels, powers, shown
from suite.report.tables import training_state
from suite.report.text import label

ON_THE_EDGE = 0.03
"""Height of the mark of an exact zero, as a share of a panel: a logarithmic axis has no place for it."""
MOST_ACROSS = 8
BESIDE = 1.0
"""Inches beside the panels, for the scale and the names of layers."""
MOST_MARKED = 12
OTHERS: dict[str, Any] = {"color": style.FAINT, "linewidth": 0.7, "zorder": 0}
"""Lines of neurons that a figure of many does not name."""
DECADES = 1e-6
HORIZON = 0.01
"""Share of the spatial gradient that still counts as arriving; the dotted line."""
LOWEST_SHARE = 1e-9
"""Of the highest share shown: below it nothing arrives, and the lines above need the room."""


def _of_task(rows: pd.DataFrame) -> pd.DataFrame:
    own = of_task(rows, "temporal_gradient")
    own = own[own.value.notna()]
    return own.assign(training=own.settings.map(training_state).astype(str))


def _by_lag(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean gradient by lag; lag 0 is the spatial gradient. Over layers and steps of a seed, then over seeds.

    `share` is the value over that of lag 0 of the same neuron; networks as far trained as there are.
    """
    own = _of_task(rows)
    own = own[own.metric.isin(["temporal_gradient_by_lag", "spatial_gradient"])]
    if (own.training == "trained").any():
        own = own[own.training == "trained"]
    panel = own["where"].astype(str) + own.training.map(lambda text: "" if text == "trained" else f", {text}")
    own = own.assign(lag=own.lag.fillna(0).astype("Int64"), panel=panel)
    of_seed = mean_over_layers(own.assign(layer=own.layer.astype(str) + "/" + own.step.astype(str), step=None))
    found = over_seeds(of_seed, ["panel", "who", "lag"])
    spatial = {(panel, who): estimate.mean for (panel, who, lag), estimate in found.items() if lag == 0}
    records = [
        {
            **{"panel": panel, "who": who, "lag": int(lag), "value": estimate.mean},
            "share": timings.ratio(estimate.mean, spatial.get((panel, who), math.nan)),
        }
        for (panel, who, lag), estimate in found.items()
    ]
    return pd.DataFrame(records)


def _draw_by_lag(data: pd.DataFrame) -> Figure:
    """Lines on a logarithmic axis with a gap where a value is 0 or infinite, and a mark on the edge for each zero."""
    shown = data.share.where((data.share > 0) & np.isfinite(data.share))
    data = data.assign(shown=shown)
    titles = list(dict.fromkeys(data.panel))
    whos = _first(data[data.lag > 0].groupby("who").share.sum(), data.who)
    looks = dict.fromkeys(style.ordered(data.who), OTHERS) | line_looks(whos)
    height = max(1.9, 0.7 + 0.12 * len(whos))
    xlabel = "lag (steps from input to loss)"
    width = style.COLUMN if len(titles) == 1 else style.PAGE
    figure, found = panels(titles, height, xlabel, "mean |gradient| over lag 0's", across=3, sharey=True, width=width)
    for (panel, who), own in data.sort_values("lag", kind="stable").groupby(["panel", "who"], sort=False):
        axes, look = found[str(panel)], looks[str(who)]
        axes.plot(own.lag, own.shown, **look, marker="." if len(own) <= MOST_MARKED else "", markersize=3)
        zeros = list(own.lag[own.value == 0])
        if zeros and who in whos:
            mark = {"linestyle": "", "marker": "v", "markersize": 3, "color": look["color"]}
            axes.plot(zeros, [ON_THE_EDGE] * len(zeros), **mark, transform=axes.get_xaxis_transform())
    if data.shown.notna().any():
        least, most = data.shown.min(), data.shown.max()
        for axes in found.values():
            axes.set_yscale("log")
            powers(axes.yaxis)
            axes.set_ylim(max(least / 2, most * LOWEST_SHARE), most * 2)
            axes.axhline(HORIZON, color=style.GREY, linestyle=":", linewidth=0.9)
    for axes in found.values():
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    figure.draw_without_rendering()
    for panel, axes in found.items():
        own = data[(data.panel == panel) & data.shown.notna()].sort_values("lag", kind="stable")
        if own.empty:
            axes.set_yticks([])
            axes.text(0.5, 0.5, "no gradient", transform=axes.transAxes, ha="center")
            continue
        last = own[(own.lag > 0) & own.who.isin(whos)].drop_duplicates("who", keep="last")
        ends = {str(who): (float(lag), float(y)) for who, lag, y in zip(last.who, last.lag, last.shown, strict=True)}
        label_ends(axes, ends, {who: look["color"] for who, look in looks.items()})
    return figure


def _first(amounts: pd.Series, whos: pd.Series) -> list[str]:
    """The neurons that a figure names, of many those with the largest amounts, in the order of all figures."""
    ranked = sorted(style.ordered(whos), key=lambda who: -float(amounts.get(who, 0.0)))
    return style.ordered(chosen(ranked))


def _finding_by_lag(data: pd.DataFrame) -> str:
    """Whose gradient reaches furthest back, where there are most lags."""
    panel = data.panel.iloc[int(data.lag.to_numpy().argmax())]
    own = data[(data.panel == panel) & (data.lag > 0)]
    reach = own[own.share >= HORIZON].groupby("who").lag.max()
    where = names.condition(str(panel))
    if reach.empty:
        return f"On {where} no neuron passes 1 % of its spatial gradient to an earlier step."
    far = [names.neuron(str(who)) for who in style.ordered(reach[reach == reach.max()].index)]
    shortest = reach.min()
    near = [names.neuron(str(who)) for who in style.ordered(reach[reach == shortest].index)]
    text = f"On {where} 1 % of the spatial gradient reaches {reach.max()} steps back in {', '.join(far)}"
    return f"{text}, {shortest} in {', '.join(near)}." if shortest < reach.max() else f"{text}."


def _between_steps(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Mean gradient from the loss at step t' to the input at step t, trained, where there are most steps."""
    own = _of_task(rows)
    own = own[own.metric.isin(["temporal_gradient", "spatial_gradient"]) & (own.training == "trained")]
    if own.empty:
        return None
    longest = own.groupby("where", sort=False).step.max()
    own = own[own["where"] == longest.idxmax()]
    own = own.assign(lag=own.lag.fillna(0).astype("Int64"), layer=own.layer.str.replace("neurons.", "layer "))
    found = over_seeds(own, ["where", "layer", "who", "step", "lag"])
    records = [
        {"where": where, "layer": layer, "who": who, "t": int(t), "t_loss": int(t + lag), "value": estimate.mean}
        for (where, layer, who, t, lag), estimate in found.items()
    ]
    return pd.DataFrame(records)


def _draw_between_steps(data: pd.DataFrame) -> Figure:
    """Neurons across and layers down; many neurons go on in further rows, each panel with its name."""
    names, layers = _first(_crossing(data), data.who), list(dict.fromkeys(data.layer))
    data = data[data.who.isin(names)]
    wrapped = len(names) > MOST_ACROSS
    places = {(layer, who): (down, across) for down, layer in enumerate(layers) for across, who in enumerate(names)}
    if wrapped:
        pairs = [(layer, who) for who in names for layer in layers]
        places = {pair: divmod(place, MOST_ACROSS) for place, pair in enumerate(pairs)}
    rows, columns = (1 + max(place[axis] for place in places.values()) for axis in (0, 1))
    side = min(1.0, (style.PAGE - BESIDE) / columns)
    size = (style.PAGE, (side + (0.35 if wrapped else 0)) * rows + 0.45)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    norm = _norm(data.value)
    steps = int(data.t_loss.max()) + 1
    image: AxesImage | None = None
    for (layer, who), own in data.groupby(["layer", "who"], sort=False):
        axes = grid[places[str(layer), str(who)]]
        matrix = np.full((steps, steps), np.nan)
        matrix[own.t_loss, own.t] = own.value.where(own.value > 0)
        if norm is None or not np.isfinite(matrix).any():
            axes.text(0.5, 0.5, "no gradient", transform=axes.transAxes, ha="center", va="center", fontsize=style.SMALL)
            axes.set_aspect("equal")
        else:
            image = axes.imshow(matrix, norm=norm, cmap="viridis", rasterized=True, interpolation="nearest")
    _name_panels(grid, places, wrapped)
    figure.supxlabel("input at step t →", fontsize=style.TEXT)
    figure.supylabel("← loss at step t'", fontsize=style.TEXT)
    if image is not None:
        bar = figure.colorbar(image, ax=grid, shrink=0.6, pad=0.02, aspect=max(20, 10 * rows))
        bar.ax.set_title("mean |gradient|", fontsize=style.SMALL, loc="left")
        bar.ax.tick_params(labelsize=style.SMALL)
        if bar.ax.get_yscale() == "log":
            powers(bar.ax.yaxis)
    return figure


def _norm(values: pd.Series) -> LogNorm | None:
    """Six decades down from the largest; None if every gradient is 0."""
    positive = values[(values > 0) & np.isfinite(values)]
    return LogNorm(max(positive.min(), positive.max() * DECADES), positive.max()) if len(positive) else None


def _name_panels(grid: np.ndarray, places: Mapping[tuple[str, str], tuple[int, int]], wrapped: bool) -> None:
    """Neurons above the columns and layers beside the rows, or both above each panel; none where there is no panel."""
    used = set(places.values())
    for place, axes in np.ndenumerate(grid):
        axes.set(xticks=[], yticks=[])
        axes.set_axis_on() if place in used else axes.set_axis_off()
    for (layer, who), (down, across) in places.items():
        axes = grid[down, across]
        if wrapped:
            axes.set_title(f"{textwrap.shorten(shown(who), 16, placeholder='…')}\n{layer}", fontsize=style.SMALL)
        else:
            axes.set_title(shown(who) if down == 0 else "", fontsize=style.TEXT)
            axes.set_ylabel(label(layer) if across == 0 else "", fontsize=style.TEXT)


def _crossing(data: pd.DataFrame) -> pd.Series:
    """The share of each neuron's gradient that crosses steps."""
    across = data[data.t_loss > data.t].groupby("who").value.sum()
    total = data.groupby("who").value.sum()
    return (across / total).reindex(total.index).fillna(0.0)


def _finding_between_steps(data: pd.DataFrame) -> str:
    """How much of each neuron's gradient crosses steps, of those that are shown."""
    shares = 100 * _crossing(data)
    listed = ", ".join(f"{names.neuron(who)} {shares[who]:.0f} %" for who in _first(shares, data.who))
    return f"Share of the gradient that crosses steps, on {names.condition(str(data['where'].iloc[0]))}: {listed}."


PLOTS = [
    Plot(
        "gradient_by_lag",
        "Temporal gradient by lag",
        "Mean gradient magnitude at a neuron's input from a loss that many steps later, over that from the loss of the "
        "same step; trained networks, mean over layers. Dotted: 1 %, the horizon. A triangle is an exact 0."
        + of_more(f"named are the {MOST} with most of it"),
        _by_lag,
        _draw_by_lag,
        _finding_by_lag,
    ),
    Plot(
        "gradient_between_steps",
        "Temporal gradient between steps",
        "Mean gradient magnitude from the loss at step t' (down) to the input at step t (across), by layer and neuron, "
        "on a logarithmic scale. The diagonal is the spatial gradient; blank is exactly 0."
        + of_more(f"the {MOST} with the largest share of it between steps"),
        _between_steps,
        _draw_between_steps,
        _finding_between_steps,
    ),
]
