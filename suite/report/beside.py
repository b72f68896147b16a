"""Devices side by side: what one run, or a merged one, measured of the same question on several of them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from suite.report.conditions import in_order, name_conditions, over_seeds
from suite.report.numbers import MISSING
from suite.report.table import Entry, Table, format_estimate
from suite.statistics import Estimate


@dataclass(frozen=True)
class Compared:
    """A metric that is shown for each device, with its unit and its digits."""

    task: str
    metric: str
    words: str
    unit: str
    digits: int


COMPARED = (
    Compared("throughput", "forward_time", "forward of a layer", "ns", 3),
    Compared("throughput", "forward_backward_time", "forward and backward of a layer", "ns", 3),
    Compared("throughput", "forward_backward_graph_time", "the same as a CUDA graph", "ns", 3),
    Compared("memory", "peak_bytes", "peak memory of a layer", "B", 1),
    Compared("training_speed", "training_speed", "training", "samples/s", 0),
    Compared("training_speed", "step_energy", "energy of a training step, measured", "J", 3),
    Compared("training_memory", "training_peak", "peak memory of training", "MiB", 1),
    Compared("accuracy", "accuracy_selected", "test accuracy", "%", 2),
)
NOT_MEASURABLE = "not measurable here"
MEASURED_BY_COUNTERS = ("step_energy",)
"""Metrics that a device without a counter has not; nothing is estimated in their place."""


def table(rows: pd.DataFrame) -> Table | None:
    """A line a neuron and measurement, a column a device; None unless rows of two devices or more have values."""
    chosen = rows[rows.metric.isin({own.metric for own in COMPARED}) & rows.value.notna()]
    if chosen.device.nunique() < 2:
        return None
    named = in_order(name_conditions(chosen))
    named = named.assign(ran_by=_ran_by(named))
    columns = list(dict.fromkeys(named.ran_by))
    lines = [line for own in COMPARED for line in _lines(named, own, columns)]
    caption = (
        "Mean over seeds; of timings the median of rounds by the device's own clock, of layers for a neuron and "
        "time step. Ratio: the second device over the first, where there are two."
    )
    header = ["neuron and measurement", *columns, *(["ratio"] if len(columns) == 2 else [])]
    found = Table("devices", "Devices side by side.", caption, header, lines)
    found.tasks = list(dict.fromkeys(own.task for own in COMPARED if own.task in set(chosen.task)))
    return found


def _ran_by(rows: pd.DataFrame) -> pd.Series:
    """The column of each row: backend and device, and the machine and versions where one of these had several."""
    words = rows.backend.astype(str) + " on " + rows.device.astype(str)
    for column in ("machine", "versions"):
        several = rows[column].groupby(words).transform(lambda own: own.nunique(dropna=False)) > 1
        words = words.where(~several, words + ", " + rows[column].fillna("unknown").astype(str))
    return words


def _lines(named: pd.DataFrame, own: Compared, columns: list[str]) -> list[tuple[str, list[Entry]]]:
    rows = named[(named.task == own.task) & (named.metric == own.metric)]
    if rows.empty:
        return []
    rows = rows.assign(
        line=[_words(*places) for places in zip(rows.task, rows["where"], rows.ran, rows.settings, strict=True)]
    )
    estimates = over_seeds(rows, ["neuron", "line", "ran_by"])
    questions = list(dict.fromkeys(zip(rows.neuron, rows.line, strict=True)))
    lines = []
    for neuron, line in questions:
        known = [estimates.get((neuron, line, column)) for column in columns]
        entries = [_entry(estimate, own) for estimate in known]
        if len(known) == 2:
            first, second = known
            ratio = f"{second.mean / first.mean:.3g}" if first and second and first.mean else MISSING
            entries.append(Entry(ratio))
        lines.append((f"{neuron}: {own.words}{line} ({own.unit})", entries))
    return lines


def _words(task: str, where: str, steps: object, settings: str) -> str:
    elements = json.loads(settings).get("elements")
    words = [where] if where else []
    if elements is not None:
        words = [f"T = {steps}", f"{elements:,} neurons", *words]
    return f", {', '.join(words)}" if words else ""


def _entry(estimate: Estimate | None, own: Compared) -> Entry:
    if estimate is None:
        return Entry(NOT_MEASURABLE if own.metric in MEASURED_BY_COUNTERS else MISSING)
    return Entry(format_estimate(estimate, own.digits), estimate)
