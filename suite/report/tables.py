"""Which tables a report has, and how they are read off the rows."""

from __future__ import annotations

import json

import pandas as pd

from suite.report.comparison import differences, improvements, mean_ranks, tests
from suite.report.pivot import WORDS, Shape, pivot
from suite.report.table import Entry, Table


def all_tables(rows: pd.DataFrame, baseline: str) -> list[Table]:
    """Every table for which the rows hold something."""
    candidates = [
        accuracy(rows, "accuracy_selected", "accuracy", "Test accuracy at the best validation epoch."),
        differences(rows, baseline),
        tests(rows, baseline),
        mean_ranks(rows),
        improvements(rows, baseline),
        accuracy(rows, "accuracy_final", "accuracy_final", "Test accuracy after the last epoch."),
        accuracy(rows, "accuracy_paper_style", "accuracy_paper_style", "Paper-style: best test accuracy over epochs."),
        *(temporal_gradient(rows, metric) for metric in GRADIENT_TABLES),
        memory(rows),
        layer_throughput(rows),
        training_speed(rows),
        firing_rate(rows),
        problems(rows),
    ]
    return [table for table in candidates if table is not None]


def accuracy(rows: pd.DataFrame, metric: str, name: str, title: str) -> Table | None:
    """Neuron × data set."""
    of_task = rows[rows.task == "accuracy"]
    chosen = of_task[(of_task.metric == metric) | of_task.status.isin(WORDS)]
    caption = "Mean ± 95 % t-interval over seeds; bold: the best, and all whose interval meets that of the best."
    return _table(chosen, Shape(name, title, caption, "dataset", digits=1, unit="%"))


def training_state(settings: str) -> str:
    """ "untrained", "trained", or the share of the training done."""
    progress = json.loads(settings)["progress"]
    return {0.0: "untrained", 1.0: "trained"}.get(progress, f"{progress:.0%} trained")


GRADIENT_TABLES = {
    "temporal_ratio": ("Temporal over spatial gradient: Σ over lags of mean |𝒯| / mean |P|.", None),
    "horizon": ("Horizon: largest lag with mean |𝒯| at least 1 % of mean |P|.", "steps"),
    "vanished_fraction": ("Vanished: share of the Jacobian's entries t' > t that are exactly 0.", None),
}
"""Title and unit by metric."""


def temporal_gradient(rows: pd.DataFrame, metric: str) -> Table | None:
    """One of the gradient's summary numbers by neuron, data set and training, averaged over layers."""
    title, unit = GRADIENT_TABLES[metric]
    chosen = rows[(rows.task == "temporal_gradient") & (rows.metric == metric)]
    chosen = chosen.assign(column=chosen.dataset.astype(str) + ", " + chosen.settings.map(training_state))
    keys = ["task", "neuron", "backend", "column", "seed", "metric", "status", "detail"]
    per_seed = chosen.groupby(keys, as_index=False, sort=False, dropna=False)[["value"]].mean()
    caption = "Mean over the layers of the network, on a real batch with a real loss."
    return _table(per_seed, Shape(metric, title, caption, "column", digits=2, unit=unit))


def memory(rows: pd.DataFrame) -> Table | None:
    """Bytes per element-step by neuron and length."""
    chosen = rows[(rows.task == "memory") & rows.metric.notna()].copy()
    chosen["column"] = chosen.metric.astype(str).str.replace("_bytes", "") + ", T=" + chosen.timesteps.astype(str)
    caption = "For each neuron and time step; a float32 input is 4 B. Saved is exact; peak is forward + backward."
    return _table(chosen, Shape("memory", "Memory of a layer.", caption, "column", 1, "B"))


def layer_throughput(rows: pd.DataFrame) -> Table | None:
    """Nanoseconds per element-step, and times the limit of the memory bandwidth."""
    chosen = rows[(rows.task == "throughput") & rows.metric.notna()].copy()
    names = {
        "forward_time": "forward (ns)",
        "forward_backward_time": "both (ns)",
        "forward_backward_limit": "both (× limit)",
    }
    chosen = chosen[chosen.metric.isin(names)]
    elements = chosen.settings.map(lambda text: json.loads(text)["elements"])
    sizes = "T=" + chosen.timesteps.astype(str) + ", " + elements.map("{:,}".format) + " neurons: "
    chosen["column"] = sizes + chosen.metric.map(names)
    caption = (
        "Median of interleaved rounds, for each neuron and time step. The limit is the time of 2.5 copies of the "
        "input, measured in the same rounds."
    )
    return _table(chosen, Shape("throughput", "Time of a layer alone.", caption, "column", digits=2))


def training_speed(rows: pd.DataFrame) -> Table | None:
    """Samples per second in training, by data set."""
    chosen = rows[(rows.task == "training_speed") & (rows.metric == "training_speed")]
    caption = "All threads, median of interleaved rounds."
    title = "Training throughput of the networks."
    return _table(chosen, Shape("training_speed", title, caption, "dataset", digits=0, unit="samples/s"))


def firing_rate(rows: pd.DataFrame) -> Table | None:
    """Spikes per neuron and step after training, by data set and layer."""
    chosen = rows[(rows.task == "accuracy") & (rows.metric == "firing_rate")].copy()
    chosen["column"] = chosen.dataset + " " + chosen.layer.astype(str).str.replace("neurons.", "layer ")
    caption = "Mean output for each neuron and step."
    return _table(chosen, Shape("firing_rate", "Firing rate after training.", caption, "column", 2))


def problems(rows: pd.DataFrame) -> Table | None:
    """Every cell that did not end ok, with its cause."""
    bad = rows[rows.status != "ok"].drop_duplicates("cell")
    shown = bad[["task", "dataset", "backend", "seed", "status", "detail"]].astype(object).fillna("").astype(str)
    entries = [
        (str(neuron), [Entry(text) for text in texts])
        for neuron, texts in zip(bad.neuron, shown.itertuples(index=False), strict=True)
    ]
    header = ["neuron", "task", "data set", "backend", "seed", "status", "cause"]
    return Table("problems", "Cells that did not end ok.", "", header, entries) if entries else None


def _table(rows: pd.DataFrame, shape: Shape) -> Table | None:
    """The table, or None if no cell measured anything for it."""
    return None if rows.value.isna().all() else pivot(rows, shape)
