"""Which plots a report has, each a figure from the rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from suite.report import style
from suite.report.tables import training_state
from suite.statistics import Estimate


@dataclass(frozen=True)
class Plot:
    """A named figure with the sentence that describes it."""

    name: str
    title: str
    description: str
    draw: Callable[[pd.DataFrame], Figure | None]


def interval(values: pd.Series) -> tuple[float, float]:
    """The 95 % interval of the tables."""
    estimate = Estimate.of(list(values))
    return (estimate.low, estimate.high) if estimate.count > 1 else (estimate.mean, estimate.mean)


def accuracy(rows: pd.DataFrame) -> Figure | None:
    chosen = rows[(rows.task == "accuracy") & (rows.metric == "accuracy_selected")]
    if chosen.empty:
        return None
    order = style.ordered(chosen.neuron)
    grid = sns.catplot(
        chosen,
        x="neuron",
        y="value",
        hue="neuron",
        col="dataset",
        col_wrap=3,
        kind="point",
        order=order,
        palette=style.colours(order),
        errorbar=interval,
        sharey=False,
        height=2.3,
        aspect=1.25,
        linestyle="none",
    )
    grid.set_titles("{col_name}").set_axis_labels("", "test accuracy (%)")
    return grid.figure


def gradient_by_lag(rows: pd.DataFrame) -> Figure | None:
    chosen = rows[
        (rows.task == "temporal_gradient") & rows.metric.isin(["temporal_gradient_by_lag", "spatial_gradient"])
    ]
    if chosen.empty:
        return None
    chosen = chosen.copy()
    chosen["lag"] = chosen.lag.fillna(0).astype(int)
    trained = chosen.settings.map(training_state)
    chosen["panel"] = chosen.dataset + ", " + trained
    means = chosen.groupby(["panel", "neuron", "lag"], as_index=False).value.mean()
    means = means[means.value > 0]
    order = style.ordered(means.neuron)
    grid = sns.relplot(
        means,
        x="lag",
        y="value",
        hue="neuron",
        hue_order=order,
        palette=style.colours(order),
        col="panel",
        col_wrap=2,
        kind="line",
        style="neuron",
        style_order=order,
        markers=True,
        markersize=5,
        height=2.5,
        aspect=1.4,
        facet_kws={"sharex": False, "sharey": False},
    )
    grid.set(yscale="log").set_titles("{col_name}").set_axis_labels("lag (steps; 0 is spatial)", "mean |gradient|")
    return grid.figure


def accuracy_against_speed(rows: pd.DataFrame) -> Figure | None:
    accuracies = rows[(rows.task == "accuracy") & (rows.metric == "accuracy_selected")]
    speeds = rows[(rows.task == "training_speed")]
    keys = ["neuron", "dataset"]
    both = pd.merge(
        accuracies.groupby(keys).value.mean().rename("accuracy"),
        speeds.groupby(keys).value.mean().rename("speed"),
        left_index=True,
        right_index=True,
    ).reset_index()
    if both.empty:
        return None
    order = style.ordered(both.neuron)
    grid = sns.relplot(
        both,
        x="speed",
        y="accuracy",
        hue="neuron",
        hue_order=order,
        palette=style.colours(order),
        style="neuron",
        style_order=order,
        s=70,
        col="dataset",
        col_wrap=3,
        height=2.3,
        aspect=1.25,
        facet_kws={"sharex": False, "sharey": False},
    )
    grid.set(xscale="log").set_titles("{col_name}").set_axis_labels("training (samples/s)", "test accuracy (%)")
    for axes in grid.axes.flat:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(NullFormatter())
    return grid.figure


def loss_curves(rows: pd.DataFrame) -> Figure | None:
    chosen = rows[(rows.task == "accuracy") & rows.metric.isin(["train_loss", "test_loss"])]
    if chosen.empty:
        return None
    chosen = chosen.assign(part=chosen.metric.str.replace("_loss", ""), epoch=chosen.step.astype(int))
    order = style.ordered(chosen.neuron)
    grid = sns.relplot(
        chosen,
        x="epoch",
        y="value",
        hue="neuron",
        hue_order=order,
        palette=style.colours(order),
        style="part",
        col="dataset",
        col_wrap=3,
        kind="line",
        errorbar=None,
        height=2.3,
        aspect=1.25,
        facet_kws={"sharex": False, "sharey": False},
    )
    grid.set_titles("{col_name}").set_axis_labels("epoch", "loss")
    return grid.figure


def layer_time(rows: pd.DataFrame) -> Figure | None:
    chosen = rows[(rows.task == "throughput") & rows.metric.isin(["forward_backward_time"])]
    if chosen.empty:
        return None
    elements = chosen.settings.map(lambda text: json.loads(text)["elements"])
    chosen = chosen.assign(size="T=" + chosen.timesteps.astype(str) + ", " + elements.astype(str) + " neurons")
    order = style.ordered(chosen.neuron)
    grid = sns.catplot(
        chosen,
        x="value",
        y="neuron",
        hue="backend",
        col="size",
        kind="bar",
        order=order,
        col_wrap=2,
        height=2.6,
        aspect=1.4,
        palette="colorblind",
        sharex=False,
        errorbar=None,
    )
    grid.set_titles("{col_name}").set_axis_labels("forward + backward (ns per neuron and step)", "")
    return grid.figure


PLOTS = [
    Plot(
        "accuracy",
        "Accuracy",
        "Test accuracy at the best validation epoch, mean and 95 % interval over seeds.",
        accuracy,
    ),
    Plot(
        "gradient_by_lag",
        "Temporal gradient",
        "Mean gradient magnitude that reaches a neuron's input from a loss that many steps later, one line a neuron.",
        gradient_by_lag,
    ),
    Plot(
        "accuracy_against_speed",
        "Accuracy against training speed",
        "Each point is a neuron: up is more accurate, right trains faster.",
        accuracy_against_speed,
    ),
    Plot("loss_curves", "Loss curves", "Training and test loss by epoch, mean over seeds.", loss_curves),
    Plot("layer_time", "Time of a layer", "Forward and backward of one layer alone.", layer_time),
]


def draw_all(rows: pd.DataFrame) -> Iterator[tuple[Plot, Figure]]:
    """The plots for which the rows hold something."""
    style.apply()
    for plot in PLOTS:
        figure = plot.draw(rows)
        if figure is not None:
            yield plot, figure
            plt.close(figure)
