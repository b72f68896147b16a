"""The temporal gradient: by lag, and between every pair of time steps."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from suite.report import style
from suite.report.conditions import mean_over_layers, over_seeds
from suite.report.plots.base import Plot
from suite.report.plots.panels import legend, line_looks, panels
from suite.report.tables import of_task, training_state
from suite.report.text import label

ON_THE_EDGE = 0.03
"""Height of the mark of an exact zero, as a share of a panel: a logarithmic axis has no place for it."""
MOST_ACROSS = 8
DECADES = 1e-6


def _of_task(rows: pd.DataFrame) -> pd.DataFrame:
    own = of_task(rows, "temporal_gradient")
    own = own[own.value.notna()]
    return own.assign(training=own.settings.map(training_state).astype(str))


def _by_lag(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean gradient by lag; lag 0 is the spatial gradient. Over layers and steps of a seed, then over seeds."""
    own = _of_task(rows)
    own = own[own.metric.isin(["temporal_gradient_by_lag", "spatial_gradient"])]
    own = own.assign(lag=own.lag.fillna(0).astype("Int64"), panel=own["where"] + ", " + own.training)
    of_seed = mean_over_layers(own.assign(layer=own.layer.astype(str) + "/" + own.step.astype(str), step=None))
    found = over_seeds(of_seed, ["panel", "who", "lag"])
    records = [
        {"panel": panel, "who": who, "lag": int(lag), "value": estimate.mean}
        for (panel, who, lag), estimate in found.items()
    ]
    return pd.DataFrame(records)


def _draw_by_lag(data: pd.DataFrame) -> Figure:
    """Lines on a logarithmic axis with a gap where a value is 0 or infinite, and a mark on the edge for each zero."""
    looks = line_looks(list(data.who))
    figure, found = panels(list(dict.fromkeys(data.panel)), 1.6, "lag (steps; 0: spatial)", "mean |gradient|")
    for (panel, who), own in data.sort_values("lag", kind="stable").groupby(["panel", "who"], sort=False):
        axes, look = found[str(panel)], looks[str(who)]
        shown = own.value.where((own.value > 0) & np.isfinite(own.value))
        axes.plot(own.lag, shown, **look, marker=".", markersize=3)
        zeros = list(own.lag[own.value == 0])
        if zeros:
            look = {"linestyle": "", "marker": "v", "markersize": 3, "color": look["color"]}
            axes.plot(zeros, [ON_THE_EDGE] * len(zeros), **look, transform=axes.get_xaxis_transform())
    for panel, axes in found.items():
        if (data.value[data.panel == panel] > 0).any():
            axes.set_yscale("log")
        else:
            axes.set_yticks([])
            axes.text(0.5, 0.5, "no gradient", transform=axes.transAxes, ha="center", fontsize=7)
    legend(figure, looks)
    return figure


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
    names, layers = style.ordered(data.who), list(dict.fromkeys(data.layer))
    wrapped = len(names) > MOST_ACROSS
    places = {(layer, who): (down, across) for down, layer in enumerate(layers) for across, who in enumerate(names)}
    if wrapped:
        pairs = [(layer, who) for who in names for layer in layers]
        places = {pair: divmod(place, MOST_ACROSS) for place, pair in enumerate(pairs)}
    rows, columns = (1 + max(place[axis] for place in places.values()) for axis in (0, 1))
    side = min(1.0, style.PAGE / columns)
    size = (side * columns + 1.0, (side + (0.3 if wrapped else 0)) * rows + 0.4)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    norm = _norm(data.value)
    steps = int(data.t_loss.max()) + 1
    image: AxesImage | None = None
    for (layer, who), own in data.groupby(["layer", "who"], sort=False):
        axes = grid[places[str(layer), str(who)]]
        matrix = np.full((steps, steps), np.nan)
        matrix[own.t_loss, own.t] = own.value.where(own.value > 0)
        if norm is None or not np.isfinite(matrix).any():
            axes.text(0.5, 0.5, "no gradient", transform=axes.transAxes, ha="center", va="center", fontsize=6)
            axes.set_aspect("equal")
        else:
            image = axes.imshow(matrix, norm=norm, cmap="viridis", rasterized=True, interpolation="nearest")
    _name_panels(grid, places, wrapped)
    figure.supxlabel("input at step t →", fontsize=7)
    figure.supylabel("← loss at step t'", fontsize=7)
    if image is not None:
        bar = figure.colorbar(image, ax=grid, shrink=0.6, pad=0.02, aspect=max(20, 10 * rows))
        bar.ax.set_title("mean |gradient|", fontsize=6, loc="left")
        bar.ax.tick_params(labelsize=6)
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
            axes.set_title(f"{textwrap.shorten(label(who), 16, placeholder='…')}\n{layer}", fontsize=5.5)
        else:
            axes.set_title(label(who) if down == 0 else "", fontsize=7)
            axes.set_ylabel(label(layer) if across == 0 else "", fontsize=7)


PLOTS = [
    Plot(
        "gradient_by_lag",
        "Temporal gradient by lag",
        "Mean gradient magnitude that reaches a neuron's input from a loss that many steps later, one line a neuron. A "
        "triangle on the lower edge is an exact 0.",
        _by_lag,
        _draw_by_lag,
    ),
    Plot(
        "gradient_between_steps",
        "Temporal gradient between steps",
        "Mean gradient magnitude from the loss at step t' (down) to the input at step t (across), by layer and neuron, "
        "on a logarithmic scale. The diagonal is the spatial gradient; blank is exactly 0.",
        _between_steps,
        _draw_between_steps,
    ),
]
