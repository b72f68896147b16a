"""Learning curves."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.plots.base import Plot, interval


def _curves(metric: str, rows: pd.DataFrame) -> pd.DataFrame:
    chosen = rows[(rows.task == "accuracy") & (rows.metric == metric) & rows.value.notna()]
    return chosen.assign(epoch=chosen.step.astype(int))[["dataset", "neuron", "seed", "epoch", "value"]]


def _draw(data: pd.DataFrame, label: str) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.relplot(
        data,
        x="epoch",
        y="value",
        hue="neuron",
        hue_order=order,
        palette=style.colours(order),
        col="dataset",
        kind="line",
        errorbar=interval,
        err_kws={"alpha": 0.15, "linewidth": 0},
        facet_kws={"sharex": False, "sharey": False},
        **style.facets(data.dataset.nunique()),
    )
    grid.set_titles("{col_name}").set_axis_labels("epoch", label)
    style.legend_below(grid)
    return grid.figure


PLOTS = [
    Plot(
        "loss_curves",
        "Test loss",
        "Test loss by epoch: mean and 95 % interval over seeds.",
        lambda rows: _curves("test_loss", rows),
        lambda data: _draw(data, "test loss"),
    ),
    Plot(
        "accuracy_curves",
        "Test accuracy while training",
        "Test accuracy by epoch: mean and 95 % interval over seeds.",
        lambda rows: _curves("test_accuracy", rows),
        lambda data: _draw(data, "test accuracy (%)"),
    ),
]
