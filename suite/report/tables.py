"""Which tables a report has, and how they are read off the rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pandas as pd

from suite.report import beside, gpus, timings
from suite.report.comparison import differences, improvements, mean_ranks, tests
from suite.report.conditions import mean_over_layers, of_task
from suite.report.over_datasets import aggregate
from suite.report.pivot import Shape, pivot, with_failures
from suite.report.reference import reference
from suite.report.sampling import sampling
from suite.report.setup import setup
from suite.report.table import Entry, Table
from suite.report.timings import Column, sizes
from suite.report.trade_offs import frontier, reach
from suite.report.tuned import tuned, tuned_settings

Make = Callable[[], Table | None]

ACCURACIES = {
    "accuracy_selected": ("accuracy", "Test accuracy at the best validation epoch."),
    "accuracy_final": ("accuracy_final", "Test accuracy after the last epoch."),
    "accuracy_paper_style": ("accuracy_paper_style", "Paper-style: best test accuracy over epochs."),
}
"""Name and title of the table by metric."""


def makers(rows: pd.DataFrame, baseline: str) -> dict[str, Make]:
    """What makes each table, by name, in the order of the page."""
    accuracies = {name: partial(accuracy, rows, metric, name, title) for metric, (name, title) in ACCURACIES.items()}
    return {
        "accuracy": accuracies.pop("accuracy"),
        "tuned": partial(tuned, rows),
        "tuned_settings": partial(tuned_settings, rows),
        "reference": partial(reference, rows),
        "setup": partial(setup, rows),
        "difference": partial(differences, rows, baseline),
        "tests": partial(tests, rows, baseline),
        "mean_rank": partial(mean_ranks, rows),
        "improvement": partial(improvements, rows, baseline),
        "aggregate": partial(aggregate, rows),
        "sampling": partial(sampling, rows, baseline),
        "frontier": partial(frontier, rows, baseline),
        "reach": partial(reach, rows, baseline),
        **accuracies,
        **{metric: partial(temporal_gradient, rows, metric) for metric in GRADIENT_TABLES},
        "memory": partial(memory, rows),
        "throughput": partial(layer_throughput, rows),
        "training_speed": partial(training_speed, rows),
        "devices": partial(beside.table, rows),
        gpus.NAME: partial(gpus.table, rows),
        "firing_rate": partial(firing_rate, rows),
        "problems": partial(problems, rows),
    }


def all_tables(rows: pd.DataFrame, baseline: str) -> list[Table]:
    """Every table for which the rows hold something."""
    return [table for make in makers(rows, baseline).values() if (table := make()) is not None]


def accuracy(rows: pd.DataFrame, metric: str, name: str, title: str) -> Table | None:
    """Neuron × data set."""
    chosen = with_failures(of_task(rows, "accuracy"), [metric])
    caption = (
        "Mean ± 95 % t-interval over seeds; bold: the best, and all that the paired permutation test, corrected over "
        "all pairs of the column (step-down max-T), does not tell from it."
    )
    return pivot(chosen, Shape(name, title, caption, "where", digits=1, unit="%"))


def training_state(settings: str) -> str:
    """ "untrained", "trained", or the share of the training done."""
    progress = json.loads(settings)["progress"]
    return {0.0: "untrained", 1.0: "trained"}.get(progress, f"{progress:.0%} trained")


GRADIENT_TABLES = {
    "temporal_ratio": (
        "Temporal over spatial gradient: the mean of |temporal| summed over lags, by the mean of |spatial|.",
        None,
    ),
    "horizon": ("Horizon: the largest lag with a mean |temporal| of at least 1 % of the mean |spatial|.", "steps"),
    "vanished_fraction": (
        "Vanished on the way: share of 0 among the Jacobian's entries t' > t that a gradient enters.",
        None,
    ),
}
"""Title and unit by metric."""


def temporal_gradient(rows: pd.DataFrame, metric: str) -> Table | None:
    """One of the gradient's summary numbers by neuron, data set and training, averaged over layers."""
    title, unit = GRADIENT_TABLES[metric]
    chosen = with_failures(of_task(rows, "temporal_gradient"), [metric])
    chosen = chosen.assign(column=chosen["where"] + ", " + chosen.settings.map(training_state).astype(str))
    caption = "Mean over the layers of the network, on a real batch with a real loss."
    return pivot(mean_over_layers(chosen), Shape(metric, title, caption, "column", digits=2, unit=unit))


def _behind(where: pd.Series) -> pd.Series:
    return where.map(lambda text: f", {text}" if text else "").astype(str)


def memory(rows: pd.DataFrame) -> Table | None:
    """Bytes per element-step by neuron and length."""
    chosen = with_failures(of_task(rows, "memory"), ["saved_bytes", "peak_bytes"])
    words = chosen.metric.astype(str).str.replace("_bytes", "") + ", T=" + chosen.timesteps.astype(str)
    chosen = chosen.assign(column=words + _behind(chosen["where"]))
    caption = (
        "For each neuron and time step; a float32 input is 4 B. Saved is exact; peak is forward + backward. Bold: the "
        "least, and all that print like it."
    )
    return pivot(chosen, Shape("memory", "Memory of a layer.", caption, "column", 1, "B"))


SPREAD = (
    "Median of interleaved rounds (20th to 80th percentile). × LIF: over the time of the fused LIF in the same rounds, "
    "which holds whatever else the machine does. Bold where no other's percentiles meet."
)


def layer_throughput(rows: pd.DataFrame) -> Table | None:
    """Nanoseconds per element-step, times the baseline of the same rounds, and times the limit of the bandwidth."""
    caption = (
        f"{SPREAD} For each neuron and time step. The limit is the time of 2.5 copies of the input, measured in the "
        "same rounds."
    )
    columns = [
        Column("forward_backward_time", "both (ns)", 2),
        Column("forward_backward_time", "both (× LIF)", 2, over_baseline=True),
        Column("forward_time", "forward (ns)", 2),
        Column("forward_backward_limit", "both (× limit)", 2, holds=True),
    ]
    return timings.table(sizes(rows), "throughput", "Time of a layer alone.", caption, columns)


def training_speed(rows: pd.DataFrame) -> Table | None:
    """Samples per second in training, and times the baseline of the same rounds, by data set."""
    own = of_task(rows, "training_speed")
    columns = [
        Column("training_speed", "samples/s", 0),
        Column("training_speed", "× LIF", 2, over_baseline=True),
    ]
    caption = f"All threads. {SPREAD.replace('time of', 'speed of')}"
    title = "Training throughput of the networks."
    return timings.table(own.assign(size=own["where"]), "training_speed", title, caption, columns)


def firing_rate(rows: pd.DataFrame) -> Table | None:
    """Spikes per neuron and step after training, by data set and layer."""
    chosen = of_task(rows, "accuracy")
    chosen = chosen[(chosen.metric == "firing_rate") & chosen.value.notna()]
    layers = chosen.layer.astype(str).str.replace("neurons.", "layer ")
    caption = "Mean output for each neuron and step."
    chosen = chosen.assign(column=chosen["where"] + " " + layers)
    return pivot(chosen, Shape("firing_rate", "Firing rate after training.", caption, "column", 2))


def problems(rows: pd.DataFrame) -> Table | None:
    """Every cell that did not end ok, with its cause."""
    bad = rows[rows.status != "ok"].drop_duplicates("cell")
    shown = bad[["task", "dataset", "backend", "seed", "status", "detail"]].astype(object)
    texts = shown.where(shown.notna(), "").astype(str).itertuples(index=False)
    entries = [(str(neuron), [Entry(text) for text in own]) for neuron, own in zip(bad.neuron, texts, strict=True)]
    header = ["neuron", "task", "data set", "backend", "seed", "status", "cause"]
    return Table("problems", "Cells that did not end ok.", "", header, entries) if entries else None
