"""Speed of a layer alone: by neuron and backend, and against the roofline of the machine."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from suite.report import names, style, timings
from suite.report.conditions import over_seeds
from suite.report.numbers import format_value
from suite.report.plots.base import Plot
from suite.report.plots.chosen import MOST, by_mean_rank, chosen, of_more
from suite.report.plots.panels import UNNAMED, label_points, legend, logarithmic, point_looks, points, row_panels
from suite.report.timings import sizes

TIME = "forward_backward_time"
BACKENDS = ("cpu", "triton", "compile", "reference", "spikingjelly", "snntorch", "norse")
ACROSS = 3
ODD = 2.0
"""Beside its fused kernel a neuron that takes this many times longer than any other is told of."""


def _measured(rows: pd.DataFrame) -> pd.DataFrame:
    own = sizes(rows)
    return own[own.value.notna()]


def _times(rows: pd.DataFrame) -> pd.DataFrame:
    """Median and percentiles of the rounds; without what was timed at another load than the rest of its size."""
    own = _measured(rows)
    apart = timings.other_loads(own)
    backends = dict(zip(own.who, own.backend, strict=True))
    records = [
        {
            "size": size,
            "who": who,
            "backend": backends[who],
            "value": time.estimate.mean,
            "p20": time.low,
            "p80": time.high,
        }
        for (who, size), time in timings.times(own, TIME).items()
        if (who, size) not in apart
    ]
    return pd.DataFrame(records)


def _draw_times(data: pd.DataFrame) -> Figure:
    whos = style.ordered(chosen(by_mean_rank(data, "value", "size", least_first=True)))
    data = data[data.who.isin(whos)]
    looks = _backend_looks(data.backend)
    figure, found = row_panels(
        list(dict.fromkeys(data["size"])), whos, "ns a neuron and step, forward + backward (log)", ACROSS
    )
    for point in points(data):
        axes, look, place = found[point.size], looks[str(point.backend)], whos.index(str(point.who))
        if math.isfinite(point.p20) and math.isfinite(point.p80):
            axes.plot([point.p20, point.p80], [place, place], color=look["color"], linewidth=1)
        axes.plot([point.value], [place], **look)
    for axes in found.values():
        logarithmic(axes)
    if len(looks) > 1:
        legend(figure, looks)
    return figure


def _backend_looks(backends: pd.Series) -> dict[str, dict[str, Any]]:
    """Backends in grey by their markers, the fused kernel in black: colours are those of neurons."""
    present = set(map(str, backends))
    known = [*BACKENDS, *sorted(present - set(BACKENDS))]
    return {
        name: {
            "marker": style.MARKERS[known.index(name) % len(style.MARKERS)],
            "color": "black" if name in timings.FUSED else style.GREY,
            "linestyle": "",
            "markersize": 4,
        }
        for name in known
        if name in present
    }


def _speed_ups(rows: pd.DataFrame) -> pd.DataFrame | None:
    """The time of every other backend over that of the fused kernel of the same load; None if only one backend ran."""
    own = _measured(rows)
    if own.backend.nunique() < 2:
        return None
    apart = timings.other_loads(own)
    known = {key: time for key, time in timings.times(own, TIME).items() if key not in apart}
    cells = own.drop_duplicates(["who", "size"]).to_dict("records")
    same = ("size", "neuron", "device", "machine", "stack")
    fused = {
        tuple(str(cell[name]) for name in same): known[cell["who"], cell["size"]]
        for cell in cells
        if cell["backend"] in timings.FUSED and (cell["who"], cell["size"]) in known
    }
    records = []
    for cell in cells:
        base, time = fused.get(tuple(str(cell[name]) for name in same)), known.get((cell["who"], cell["size"]))
        if base is None or time is None or cell["backend"] in timings.FUSED:
            continue
        facts = {name: cell[name] for name in ("size", "neuron", "who", "backend")}
        times = timings.ratio(time.estimate.mean, base.estimate.mean)
        spread = {"low": timings.ratio(time.low, base.high), "high": timings.ratio(time.high, base.low)}
        if math.isfinite(times):
            records.append({**facts, "speed_up": times, **spread})
    return pd.DataFrame(records)


def _draw_speed_ups(data: pd.DataFrame) -> Figure:
    whos = style.ordered(chosen(by_mean_rank(data, "speed_up", "size")))
    data = data[data.who.isin(whos)]
    looks = _backend_looks(data.backend)
    figure, found = row_panels(
        list(dict.fromkeys(data["size"])), whos, "times as long as the fused kernel (log)", ACROSS
    )
    for point in points(data):
        axes, look, place = found[point.size], looks[str(point.backend)], whos.index(str(point.who))
        if math.isfinite(point.low) and math.isfinite(point.high):
            axes.plot([point.low, point.high], [place, place], color=look["color"], linewidth=1)
        axes.plot([point.speed_up], [place], **look)
    for axes in found.values():
        axes.axvline(1, color=style.GREY, linewidth=0.9)
        logarithmic(axes)
    legend(figure, looks)
    return figure


def _roofline(rows: pd.DataFrame) -> pd.DataFrame:
    """Operations a byte (counted) and operations a second (measured) of the fused kernels, and the copy's bandwidth."""
    own = _measured(rows)
    needed = ["operations", "least_bytes", TIME, "copy_bandwidth"]
    found: dict[tuple[str, str], dict[str, float]] = {}
    for (size, who, metric), estimate in over_seeds(own[own.metric.isin(needed)], ["size", "who", "metric"]).items():
        found.setdefault((size, who), {})[metric] = estimate.mean
    records = [
        {
            **{"size": size, "who": who},
            "operations_per_byte": values["operations"] / values["least_bytes"],
            "gigaoperations_per_second": values["operations"] / values[TIME],
            "copy_bandwidth": values["copy_bandwidth"],
        }
        for (size, who), values in found.items()
        if set(needed) <= set(values) and values["least_bytes"] > 0 and values[TIME] > 0
    ]
    return pd.DataFrame(records)


def _draw_roofline(data: pd.DataFrame) -> Figure:
    figure, axes = plt.subplots(figsize=(style.COLUMN, 2.5), layout="constrained")
    all_sizes = list(dict.fromkeys(data["size"]))
    largest = data[data["size"] == all_sizes[-1]]
    named = chosen(by_mean_rank(largest, "gigaoperations_per_second", "size"))
    looks = dict.fromkeys(data.who, UNNAMED) | point_looks(style.ordered(named))
    widths = dict(zip(all_sizes, np.linspace(3.5, 6.5, len(all_sizes)), strict=True))
    for point in points(data):
        look = {**looks[str(point.who)], "markersize": widths[str(point.size)]}
        axes.plot([point.operations_per_byte], [point.gigaoperations_per_second], **look)
    across = np.array([data.operations_per_byte.min() / 1.5, data.operations_per_byte.max() * 1.5])
    for place, (_, own) in enumerate(data.groupby("size", sort=False)):
        bandwidth = own.copy_bandwidth.max()
        axes.plot(across, across * bandwidth, color=style.GREY, linewidth=0.8, zorder=0)
        axes.annotate(
            f"{bandwidth:.0f} GB/s copied",
            (across[1], across[1] * bandwidth),
            fontsize=style.SMALL,
            ha="right",
            xytext=(0, 3 if place else -16),
            textcoords="offset points",
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("operations a byte (counted)")
    axes.set_ylabel("Gop/s, forward + backward")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    label_points(
        axes,
        {
            str(point.who): (point.operations_per_byte, point.gigaoperations_per_second)
            for point in points(largest)
            if point.who in named
        },
    )
    return figure


def _finding_of_times(data: pd.DataFrame) -> str:
    """Shortest and longest time of the first size."""
    own = data[data["size"] == data["size"].iloc[0]]
    least, most = own.loc[own.value.idxmin()], own.loc[own.value.idxmax()]
    text = (
        f"{names.neuron(str(least.who))} takes {format_value(least.value, -3)} ns a neuron and step at {least['size']}"
    )
    text = f"{text}, {names.neuron(str(most.who))} {format_value(most.value, -3)} ns." if len(own) > 1 else f"{text}."
    return " ".join([text, *_odd_ones(own)])


def _odd_ones(times: pd.DataFrame) -> list[str]:
    """A sentence on each backend that takes far longer, beside the fused kernel, for one neuron than for all others."""
    neuron = times.who.map(lambda who: names.neuron_of(str(who)))
    fused = times[times.backend.isin(timings.FUSED)].groupby(neuron).value.min()
    known = times.assign(neuron=neuron, over=times.value / neuron.map(fused)).dropna(subset="over").sort_values("over")
    told = []
    for backend, own in known.groupby("backend", sort=False):
        if len(own) < 3 or own.over.iloc[-1] < ODD * own.over.iloc[-2]:
            continue
        most, low, high = own.iloc[-1], own.over.iloc[0], own.over.iloc[-2]
        text = f"By {backend} {names.written(most.neuron)} takes {format_value(most.over, -3)} times its fused kernel's"
        text += f" time, the others {format_value(low, -2)} to {format_value(high, -2)} times"
        if most.p80 < timings.BUSY * most.p20:
            text += f"; its rounds agree ({format_value(most.p20, -3)} to {format_value(most.p80, -3)} ns)"
        told.append(f"{text}.")
    return told


def _finding_of_speed_ups(data: pd.DataFrame) -> str:
    """The range over all neurons and sizes of each backend."""
    texts = [
        f"{backend} {format_value(own.speed_up.min(), -2)} to {format_value(own.speed_up.max(), -2)} times"
        for backend, own in data.groupby("backend", sort=False)
    ]
    return f"Beside the fused kernels, layers take as long: {'; '.join(texts)}."


def _finding_of_roofline(data: pd.DataFrame) -> str:
    share = data.gigaoperations_per_second / (data.operations_per_byte * data.copy_bandwidth)
    return (
        f"The fused kernels reach {format_value(share.min(), 2)} to {format_value(share.max(), 2)} times what the "
        "bandwidth of a plain copy allows; those that write past the cache can exceed it."
    )


PLOTS = [
    Plot(
        "layer_time",
        "Time of a layer",
        "Forward and backward of one layer alone, by neuron and backend: left is faster. The bar is the 20th to 80th "
        "percentile of the rounds; only what was timed at one load of the machine is shown."
        + of_more(f"the {MOST} fastest"),
        _times,
        _draw_times,
        _finding_of_times,
    ),
    Plot(
        "speed_up",
        "Speed-up of the fused kernels",
        "How many times as long each other backend takes for forward and backward of one layer as the fused kernel; "
        "bars: the most that the percentiles of both allow." + of_more(f"the {MOST} that gain most"),
        _speed_ups,
        _draw_speed_ups,
        _finding_of_speed_ups,
    ),
    Plot(
        "roofline",
        "Roofline",
        "Operations a second of each layer's forward and backward against the operations that it does for each byte it "
        "must move; larger points are larger layers. The lines are what the bandwidth of a plain copy allows; kernels "
        "that write past the cache can lie above them." + of_more(f"named are the {MOST} of most operations a second"),
        _roofline,
        _draw_roofline,
        _finding_of_roofline,
    ),
]
