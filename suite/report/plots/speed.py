"""Speed of a layer alone: bars by backend, and against the roofline of the machine."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from suite.report import style
from suite.report.plots.base import Plot

FUSED = ("cpu", "triton")


def _of_task(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = rows[(rows.task == "throughput") & rows.value.notna()]
    elements = chosen.settings.map(lambda text: json.loads(text)["elements"])
    return chosen.assign(size="T = " + chosen.timesteps.astype(str) + ", " + elements.map("{:,}".format) + " neurons")


def _times(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = _of_task(rows)
    chosen = chosen[chosen.metric == "forward_backward_time"]
    return chosen[["size", "neuron", "backend", "value"]]


def _draw_times(data: pd.DataFrame) -> Figure:
    several = data.backend.nunique() > 1
    order = style.ordered(data.neuron)
    grid = sns.catplot(
        data,
        x="value",
        y="neuron",
        hue="backend" if several else "neuron",
        order=order,
        palette="colorblind" if several else style.colours(order),
        col="size",
        kind="bar",
        sharex=False,
        errorbar=None,
        legend=several,
        **style.facets(data["size"].nunique(), height=1.6 + (0.5 if several else 0)),
    )
    grid.set_titles("{col_name}").set_axis_labels("ns per neuron and step", "")
    for place, axes in enumerate(grid.axes.flat):
        axes.tick_params(labelleft=place % 2 == 0)
    style.legend_below(grid)
    return grid.figure


def _speed_ups(rows: pd.DataFrame) -> pd.DataFrame | None:
    """The time of every other backend over that of the fused kernel; None if only one backend ran."""
    times = _times(rows).set_index(["size", "neuron"])
    fused = times[times.backend.isin(FUSED)].value
    others = times[~times.backend.isin(FUSED)]
    if fused.empty or others.empty:
        return None
    found = others.assign(speed_up=others.value / fused.reindex(others.index)).dropna().reset_index()
    return found[["size", "neuron", "backend", "speed_up"]]


def _draw_speed_ups(data: pd.DataFrame) -> Figure:
    grid = sns.catplot(
        data,
        x="speed_up",
        y="neuron",
        hue="backend",
        order=style.ordered(data.neuron),
        palette="colorblind",
        col="size",
        kind="bar",
        sharex=False,
        errorbar=None,
        **style.facets(data["size"].nunique(), height=2.1),
    )
    grid.set_titles("{col_name}").set_axis_labels("times as long as fused", "")
    for place, axes in enumerate(grid.axes.flat):
        axes.axvline(1, color="0.4", linewidth=0.8)
        axes.tick_params(labelleft=place % 2 == 0)
    style.legend_below(grid)
    return grid.figure


def _roofline(rows: pd.DataFrame) -> pd.DataFrame:
    """Operations a byte (counted) and operations a second (measured) of the fused kernels, and the copy's bandwidth."""
    chosen = _of_task(rows)
    keys = ["size", "neuron", "backend"]
    table = chosen.pivot_table(index=keys, columns="metric", values="value", observed=True).reset_index()
    needed = ["operations", "least_bytes", "forward_backward_time", "copy_bandwidth"]
    if not set(needed) <= set(table.columns):
        return pd.DataFrame()
    table = table.dropna(subset=needed)
    table["operations_per_byte"] = table.operations / table.least_bytes
    table["gigaoperations_per_second"] = table.operations / table.forward_backward_time
    return table[[*keys, "operations_per_byte", "gigaoperations_per_second", "copy_bandwidth"]]


def _draw_roofline(data: pd.DataFrame) -> Figure:
    figure, axes = plt.subplots(figsize=(style.COLUMN, 2.5))
    sizes = list(dict.fromkeys(data["size"]))
    arguments = style.by_neuron(data.neuron)
    sns.scatterplot(
        data,
        x="operations_per_byte",
        y="gigaoperations_per_second",
        size="size",
        sizes=dict(zip(sizes, np.linspace(22, 60, len(sizes)), strict=True)),
        ax=axes,
        **arguments,
    )
    across = np.array([data.operations_per_byte.min() / 1.5, data.operations_per_byte.max() * 1.5])
    bandwidths = data.groupby("size", sort=False).copy_bandwidth.mean().sort_values()
    for place, (size, bandwidth) in enumerate(bandwidths.items()):
        axes.plot(across, across * bandwidth, color="0.5", linewidth=0.8, zorder=0)
        axes.annotate(
            f"{bandwidth:.0f} GB/s copied at {str(size).partition(',')[0]}",
            (across[1], across[1] * bandwidth),
            fontsize=5.5,
            color="0.3",
            ha="right",
            xytext=(0, 3 if place else -30),
            textcoords="offset points",
        )
    axes.set_xscale("log", base=2)
    axes.set(yscale="log", xlabel="operations a byte (counted)", ylabel="Gop/s, forward + backward")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.legend(fontsize=6, ncol=1, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


PLOTS = [
    Plot(
        "layer_time",
        "Time of a layer",
        "Forward and backward of one layer alone, by neuron and backend: shorter bars are faster.",
        _times,
        _draw_times,
    ),
    Plot(
        "speed_up",
        "Speed-up of the fused kernels",
        "How many times as long each other backend takes for forward and backward of one layer as the fused kernel.",
        _speed_ups,
        _draw_speed_ups,
    ),
    Plot(
        "roofline",
        "Roofline",
        "Operations a second of each layer's forward and backward against the operations that it does for each byte it "
        "must move. The lines are what the bandwidth of a plain copy allows.",
        _roofline,
        _draw_roofline,
    ),
]
