"""The temporal gradient: by lag, and between every pair of time steps."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from suite.report import style
from suite.report.plots.base import Plot
from suite.report.tables import training_state


def _of_task(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = rows[(rows.task == "temporal_gradient") & rows.value.notna()].copy()
    chosen["training"] = chosen.settings.map(training_state)
    return chosen


def _by_lag(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean gradient by lag; lag 0 is the spatial gradient."""
    chosen = _of_task(rows)
    chosen = chosen[chosen.metric.isin(["temporal_gradient_by_lag", "spatial_gradient"])]
    chosen["lag"] = chosen.lag.fillna(0).astype(int)
    chosen["panel"] = chosen.dataset + "\n" + chosen.training
    means = chosen.groupby(["panel", "neuron", "lag"], as_index=False, sort=False).value.mean()
    return means[means.value > 0]


def _draw_by_lag(data: pd.DataFrame) -> Figure:
    grid = sns.relplot(
        data,
        x="lag",
        y="value",
        col="panel",
        kind="line",
        facet_kws={"sharex": False, "sharey": False},
        **style.by_neuron(data.neuron, lines=True),
        **style.facets(data.panel.nunique(), height=1.6),
    )
    grid.set(yscale="log").set_titles("{col_name}").set_axis_labels("lag (steps; 0: spatial)", "mean |gradient|")
    style.legend_below(grid)
    return grid.figure


def _between_steps(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Mean gradient from the loss at step t' to the input at step t, trained, on the data set of most steps."""
    chosen = _of_task(rows)
    chosen = chosen[chosen.metric.isin(["temporal_gradient", "spatial_gradient"]) & (chosen.training == "trained")]
    if chosen.empty:
        return None
    chosen["t"] = chosen.step.astype(int)
    chosen = chosen[chosen.dataset == chosen.sort_values("t").dataset.iloc[-1]]
    chosen["t_loss"] = chosen.t + chosen.lag.fillna(0).astype(int)
    chosen["layer"] = chosen.layer.str.replace("neurons.", "layer ")
    keys = ["dataset", "layer", "neuron", "t", "t_loss"]
    return chosen.groupby(keys, as_index=False, sort=False).value.mean()


def _draw_between_steps(data: pd.DataFrame) -> Figure:
    positive = data.value[data.value > 0]
    norm = LogNorm(max(positive.min(), positive.max() * 1e-6), positive.max())
    order = style.ordered(data.neuron)
    height = style.PAGE / len(order)
    grid = sns.FacetGrid(
        data,
        col="neuron",
        row="layer",
        col_order=order,
        height=height,
        aspect=1,
        margin_titles=True,
        sharex=False,
        sharey=False,
    )
    bar = grid.figure.add_axes((0.94, 0.25, 0.012, 0.5))

    def draw(t: pd.Series, t_loss: pd.Series, value: pd.Series, **_: object) -> None:
        steps = int(t_loss.max()) + 1
        matrix = np.full((steps, steps), np.nan)
        matrix[t_loss, t] = value
        sns.heatmap(
            matrix,
            norm=norm,
            cmap="viridis",
            square=True,
            rasterized=True,
            cbar_ax=bar,
            xticklabels=False,
            yticklabels=False,
        )

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This figure includes Axes that are not compatible")  # the colour bar
        grid.map(draw, "t", "t_loss", "value")
    grid.set_titles(col_template="{col_name}", row_template="{row_name}")
    grid.set_axis_labels("", "")
    grid.figure.supxlabel("input at step t →", fontsize=8)
    grid.figure.supylabel("← loss at step t'", fontsize=8)
    grid.figure.subplots_adjust(right=0.9, wspace=0.08, hspace=0.08)
    bar.set_title("mean |gradient|", fontsize=6, loc="left")
    return grid.figure


PLOTS = [
    Plot(
        "gradient_by_lag",
        "Temporal gradient by lag",
        "Mean gradient magnitude that reaches a neuron's input from a loss that many steps later, one line a neuron.",
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
