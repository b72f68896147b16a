"""The leaderboard: one line a neuron, its main figures, sortable and filterable without a network."""

from __future__ import annotations

import html

import itables
import pandas as pd
from itables.javascript import generate_init_offline_itables_html
from itables.utils import find_package_file

import tasks
from suite.report.comparison import METRIC, accuracies, rank_matrix
from suite.report.style import ordered
from suite.report.tables import training_state

TABLE_ID = "board"
SHARE = 100
METRICS = [METRIC, "temporal_ratio", "horizon", "saved_bytes", "forward_backward_time", "firing_rate"]


def leaderboard(rows: pd.DataFrame) -> pd.DataFrame:
    """Neurons with mean rank, accuracy by data set, temporal gradient, memory and speed, as far as a run has them."""
    ok = rows[rows.metric.isin(METRICS) & rows.value.notna()]
    matrix = rank_matrix(ok)
    columns: dict[str, pd.Series] = {}
    if not matrix.empty:
        columns["mean rank"] = matrix.rank(axis=1, ascending=False).mean()
        for dataset in dict.fromkeys(accuracies(ok).dataset):
            columns[f"{dataset} (%)"] = matrix.loc[dataset]
    gradient = ok[ok.task == "temporal_gradient"]
    trained = gradient[gradient.settings.map(training_state) == "trained"] if len(gradient) else gradient
    columns["temporal / spatial gradient"] = _mean(trained, "temporal_ratio")
    columns["horizon (steps)"] = _mean(trained, "horizon")
    columns["saved (B)"] = _mean(ok[ok.task == "memory"], "saved_bytes")
    layer = ok[ok.task == "throughput"]
    if len(layer):
        shortest = layer[layer.timesteps == layer.timesteps.min()]
        columns["forward + backward (ns)"] = _mean(shortest, "forward_backward_time")
    columns["spikes a step (%)"] = _mean(ok[ok.task == "accuracy"], "firing_rate") * SHARE
    table = pd.DataFrame({name: values for name, values in columns.items() if len(values)})
    table.index = table.index.astype(str)
    for name in table:
        percent = str(name).endswith("(%)")
        table[name] = table[name].round(1) if percent else [float(f"{value:.3g}") for value in table[name]]
    return table.reindex(ordered(table.index)).rename_axis("neuron").reset_index()


def _mean(rows: pd.DataFrame, metric: str) -> pd.Series:
    """Mean by neuron; infinite and missing values left out."""
    return rows[rows.metric == metric].groupby("neuron", observed=True).value.mean().dropna()


def interactive(table: pd.DataFrame) -> str:
    """The leaderboard as HTML with its scripts and styles inside."""
    bundle = generate_init_offline_itables_html(find_package_file("html", "dt_bundle.js"))
    shown = itables.to_html_datatable(
        table,
        table_id=TABLE_ID,
        connected=False,
        showIndex=False,
        paging=False,
        layout={"topStart": "search", "topEnd": None, "bottomStart": "info", "bottomEnd": None},
        language={"search": "Filter: "},
        classes="display compact",
        style="width:100%",
        text_in_header_can_be_selected=False,
        display_logo_when_loading=False,
        maxBytes=0,
        order=[],
        column_filters="header" if len(table) > MANY else False,
    )
    return bundle.partition('<div style="vertical-align')[0] + shown


MANY = 12
"""Neurons from which each column gets a filter of its own."""


def describe(table: pd.DataFrame) -> dict[str, str]:
    """What each column of the leaderboard is."""
    known = {
        "mean rank": "mean over data sets of the rank by accuracy; 1 is best",
        "temporal / spatial gradient": _description("temporal_gradient", "temporal_ratio") + ", trained networks",
        "horizon (steps)": _description("temporal_gradient", "horizon"),
        "saved (B)": "bytes kept for the backward pass, for each neuron and time step",
        "forward + backward (ns)": "time of a layer alone, for each neuron and time step",
        "spikes a step (%)": "mean output of all layers on the test sets, times 100",
    }
    accuracy = "test accuracy, mean over seeds"
    return {name: html.escape(known.get(name, accuracy)) for name in map(str, table) if name != "neuron"}


def _description(task: str, metric: str) -> str:
    return tasks.TASKS[task].metrics[metric].description
