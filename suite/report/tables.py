"""Which tables a report has, and how they are read off the rows."""

from __future__ import annotations

import json

import pandas as pd

import tasks
from suite.report.style import ordered
from suite.report.table import Entry, Table, format_estimate
from suite.statistics import Estimate

MISSING = Entry("—")


def all_tables(rows: pd.DataFrame) -> list[Table]:
    """Every table for which the rows hold something."""
    candidates = [
        accuracy(rows, "accuracy_selected", "accuracy", "Test accuracy at the best validation epoch (%)."),
        accuracy(rows, "accuracy_final", "accuracy_final", "Test accuracy after the last epoch (%)."),
        accuracy(
            rows, "accuracy_paper_style", "accuracy_paper_style", "Paper-style: best test accuracy over epochs (%)."
        ),
        *(temporal_gradient(rows, metric) for metric in ("temporal_ratio", "horizon", "vanished_fraction")),
        memory(rows),
        layer_throughput(rows),
        training_speed(rows),
        firing_rate(rows),
        problems(rows),
    ]
    return [table for table in candidates if table.rows]


def accuracy(rows: pd.DataFrame, metric: str, name: str, title: str) -> Table:
    """Neuron × data set: mean ± 95 % interval over seeds, the best of each data set in bold."""
    chosen = rows[(rows.task == "accuracy") & ((rows.metric == metric) | (rows.status != "ok"))]
    return _pivot(
        chosen, name, title, "Mean ± 95 % t-interval over seeds; best mean in bold.", "dataset", digits=1, metric=metric
    )


def training_state(settings: str) -> str:
    """ "untrained", "trained", or the share of the training done."""
    progress = json.loads(settings)["progress"]
    return {0.0: "untrained", 1.0: "trained"}.get(progress, f"{progress:.0%} trained")


GRADIENT_TITLES = {
    "temporal_ratio": "Temporal over spatial gradient: Σ over lags of mean |𝒯| / mean |P|.",
    "horizon": "Horizon: largest lag with mean |𝒯| at least 1 % of mean |P| (steps).",
    "vanished_fraction": "Vanished: share of the Jacobian's entries t' > t that are exactly 0.",
}


def temporal_gradient(rows: pd.DataFrame, metric: str) -> Table:
    """One of the gradient's summary numbers by neuron, data set and training, averaged over layers."""
    chosen = rows[(rows.task == "temporal_gradient") & (rows.metric == metric)]
    trained = chosen.settings.map(training_state)
    chosen = chosen.assign(column=chosen.dataset + ", " + trained)
    per_seed = chosen.groupby(["neuron", "backend", "column", "seed", "metric"], as_index=False)[["value"]].mean()
    caption = "Mean over the layers of the network, on a real batch with a real loss."
    return _pivot(per_seed, metric, GRADIENT_TITLES[metric], caption, "column", digits=2)


def memory(rows: pd.DataFrame) -> Table:
    """Bytes per element-step by neuron and length."""
    chosen = rows[(rows.task == "memory")].copy()
    chosen["column"] = chosen.metric.astype(str).str.replace("_bytes", "") + ", T=" + chosen.timesteps.astype(str)
    caption = "Bytes for each neuron and time step; a float32 input is 4. Saved is exact; peak is forward + backward."
    return _pivot(chosen[chosen.metric.notna()], "memory", "Memory of a layer (B/element-step).", caption, "column", 1)


def layer_throughput(rows: pd.DataFrame) -> Table:
    """Nanoseconds per element-step, and times the limit of the memory bandwidth."""
    chosen = rows[(rows.task == "throughput") & rows.metric.notna()].copy()
    names = {"forward_time": "forward", "forward_backward_time": "both", "forward_backward_limit": "both / limit"}
    chosen = chosen[chosen.metric.isin(names)]
    elements = chosen.settings.map(lambda text: json.loads(text)["elements"])
    sizes = "T=" + chosen.timesteps.astype(str) + ", " + elements.astype(str) + " neurons: "
    chosen["column"] = sizes + chosen.metric.map(names)
    caption = (
        "Median of interleaved rounds (ns for each neuron and time step). The limit is 2.5 copies of the input, "
        "measured in the same rounds."
    )
    return _pivot(chosen, "throughput", "Time of a layer alone.", caption, "column", digits=2)


def training_speed(rows: pd.DataFrame) -> Table:
    """Samples per second in training, by data set."""
    chosen = rows[(rows.task == "training_speed") & (rows.metric == "training_speed")]
    caption = "Samples per second, all threads, median of interleaved rounds."
    return _pivot(chosen, "training_speed", "Training throughput of the networks.", caption, "dataset", digits=0)


def firing_rate(rows: pd.DataFrame) -> Table:
    """Spikes per neuron and step after training, by data set and layer."""
    chosen = rows[(rows.task == "accuracy") & (rows.metric == "firing_rate")].copy()
    chosen["column"] = chosen.dataset + " " + chosen.layer.astype(str).str.replace("neurons.", "layer ")
    caption = "Mean output for each neuron and step."
    return _pivot(chosen, "firing_rate", "Firing rate after training.", caption, "column", 2)


def problems(rows: pd.DataFrame) -> Table:
    """Every cell that did not end ok, with its cause."""
    bad = rows[rows.status != "ok"].drop_duplicates("cell")
    shown = bad[["task", "dataset", "backend", "seed", "status", "detail"]].fillna("").astype(str)
    entries = [
        (str(neuron), [Entry(text) for text in texts])
        for neuron, texts in zip(bad.neuron, shown.itertuples(index=False), strict=True)
    ]
    header = ["neuron", "task", "data set", "backend", "seed", "status", "cause"]
    return Table("problems", "Cells that did not end ok.", "", header, entries)


def _pivot(
    rows: pd.DataFrame,
    name: str,
    title: str,
    caption: str,
    column: str,
    digits: int,
    metric: str | None = None,
) -> Table:
    if rows.empty:
        return _empty(name)
    columns = list(dict.fromkeys(rows[column]))
    estimates = {
        group: Estimate.of(list(values))
        for group, values in rows.dropna(subset=["value"]).groupby(["neuron", "backend", column]).value
    }
    best = {at: _best(at, rows, column, estimates, metric) for at in columns}

    def is_best(at: str, estimate: Estimate) -> bool:
        top = best[at]
        return top is not None and round(estimate.mean, digits) == round(top, digits)

    several = rows.backend.nunique() > 1
    table: list[tuple[str, list[Entry]]] = []
    places = {name: place for place, name in enumerate(ordered(rows.neuron))}
    pairs = set(zip(rows.neuron, rows.backend, strict=True))
    for neuron, backend in sorted(pairs, key=lambda pair: (places[pair[0]], pair[1])):
        entries = []
        for at in columns:
            estimate = estimates.get((neuron, backend, at))
            if estimate is None:
                entries.append(MISSING)
                continue
            entries.append(Entry(format_estimate(estimate, digits), estimate, is_best(at, estimate)))
        table.append((f"{neuron} ({backend})" if several else neuron, entries))
    missing = any(entry is MISSING for _, entries in table for entry in entries)
    notes = ["— nothing to measure here, or no cell that ended ok (see the table of problems)."] if missing else []
    return Table(name, title, caption, ["neuron", *map(str, columns)], table, notes)


def _best(at: str, rows: pd.DataFrame, column: str, estimates: dict, metric: str | None) -> float | None:
    metrics = {metric} if metric else set(rows.loc[rows[column] == at, "metric"].dropna())
    means = [estimate.mean for (_, _, where), estimate in estimates.items() if where == at]
    if len(metrics) != 1 or not means:
        return None
    known = {name: entry for task in tasks.TASKS.values() for name, entry in task.metrics.items()}
    better = known[metrics.pop()].better
    return {"higher": max(means), "lower": min(means), None: None}[better]


def _empty(name: str) -> Table:
    return Table(name, "", "", ["neuron"], [])
