"""Accuracy over seeds, against cost, and by rank over data sets."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import scikit_posthocs
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from suite.report import style
from suite.report.comparison import accuracies, rank_matrix
from suite.report.plots.base import Plot
from suite.statistics import rank_over_datasets


def _draw_seeds(data: pd.DataFrame) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.catplot(
        data,
        x="neuron",
        y="value",
        hue="neuron",
        order=order,
        hue_order=order,
        palette=style.colours(order),
        col="dataset",
        kind="box",
        fliersize=0,
        linewidth=0.8,
        boxprops={"alpha": 0.45},
        sharex=False,
        sharey=False,
        legend=False,
        **style.facets(data.dataset.nunique()),
    )
    grid.map_dataframe(
        sns.stripplot, x="neuron", y="value", hue="neuron", order=order, palette=style.colours(order), size=2.5
    )
    grid.set_titles("{col_name}").set_axis_labels("", "test accuracy (%)")
    grid.tick_params(axis="x", labelrotation=40, labelsize=6.5, pad=1)
    return grid.figure


def _against_speed(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy and training time of a sample, and whether no other neuron is both better and faster."""
    speeds = rows[(rows.task == "training_speed") & (rows.metric == "training_speed")]
    keys = ["dataset", "neuron"]
    accuracy = accuracies(rows).groupby(keys, observed=True).value.mean().rename("accuracy")
    microseconds = (1e6 / speeds.groupby(keys, observed=True).value.mean()).rename("microseconds")
    both = pd.concat([accuracy, microseconds], axis=1).dropna().reset_index()
    both["pareto"] = [not _beaten(place, both) for place in range(len(both))]
    return both


def _beaten(place: int, points: pd.DataFrame) -> bool:
    """Whether another neuron is at least as good in both on the same data set, and better in one."""
    point = points.iloc[place]
    others = points[points.dataset == point.dataset]
    as_good = (others.accuracy >= point.accuracy) & (others.microseconds <= point.microseconds)
    better = (others.accuracy > point.accuracy) | (others.microseconds < point.microseconds)
    return bool((as_good & better).any())


def _draw_pareto(data: pd.DataFrame) -> Figure:
    grid = sns.relplot(
        data,
        x="microseconds",
        y="accuracy",
        s=26,
        col="dataset",
        facet_kws={"sharex": False, "sharey": False},
        **style.by_neuron(data.neuron),
        **style.facets(data.dataset.nunique()),
    )
    for name, axes in grid.axes_dict.items():
        front = data[(data.dataset == name) & data.pareto].sort_values("microseconds")
        axes.plot(front.microseconds, front.accuracy, drawstyle="steps-post", color="0.6", zorder=0, linewidth=0.8)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.margins(0.12)
    grid.set_titles("{col_name}").set_axis_labels("training time of a sample (µs)", "accuracy (%)")
    style.legend_below(grid)
    return grid.figure


def _ranks(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Mean accuracies, from which the ranks follow; None for too few data sets or neurons."""
    matrix = rank_matrix(rows)
    return None if rank_over_datasets(matrix) is None else matrix.reset_index()


def _draw_critical_difference(data: pd.DataFrame) -> Figure:
    ranks = rank_over_datasets(data.set_index("dataset"))
    assert ranks is not None, "checked where the data were made"
    figure, axes = plt.subplots(figsize=(style.COLUMN, 1.3))
    scikit_posthocs.critical_difference_diagram(
        ranks.mean.to_dict(),
        ranks.pairwise,
        ax=axes,
        color_palette=style.colours(ranks.mean.index),
        label_props={"fontsize": 7},
        text_h_margin=0.03,
    )
    axes.set_xlabel("mean rank over data sets (1 is best)")
    return figure


PLOTS = [
    Plot(
        "accuracy",
        "Accuracy over seeds",
        "Test accuracy at the best validation epoch by neuron and data set: each point a seed, boxes their quartiles.",
        accuracies,
        _draw_seeds,
    ),
    Plot(
        "pareto",
        "Accuracy against training time",
        "Up is more accurate, left trains faster. The grey line is the front that no neuron beats in both.",
        _against_speed,
        _draw_pareto,
    ),
    Plot(
        "critical_difference",
        "Ranks over data sets",
        "Mean rank of each neuron over the data sets; a bar joins those that Nemenyi's test does not tell apart.",
        _ranks,
        _draw_critical_difference,
    ),
]
