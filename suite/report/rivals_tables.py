"""The tables of the page `rivals.html`."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from neurons import peers
from suite.report.numbers import format_spread, format_value
from suite.report.plots.panels import points
from suite.report.rivals_rows import relation
from suite.report.table import Entry, Table

TASKS = ("linear_neuron",)
PAPER = Path("results/paper")
PREDICTED = " (predicted)"
ENDS = ("", "_p20", "_p80")
"""Endings of a timing: its median and percentiles."""


def at_published_setting(found: pd.DataFrame) -> Table | None:
    """Today's packages and the suite in Open Neuromorphic's setting."""
    columns: dict[str, Callable[[Any], Entry]] = {
        "neurons alone (ms)": lambda row: _spread(row, "neuron_time"),
        "over fused LIF": lambda row: _spread(row, "neuron_time_over_baseline"),
        "Linear alone (ms)": lambda row: _spread(row, "linear_time", predicted=True),
        "neurons' share": lambda row: _share(row, "neuron_share"),
        "together (ms)": lambda row: _spread(row, "together_time"),
        "neurons' peak (GiB)": lambda row: _number(row, "neuron_peak"),
    }
    caption = (
        "Forward and backward, median (20th to 80th percentile) of interleaved rounds in one process; JAX in a process "
        "of its own, in the same rounds, beside its own Linear; without a range: one round. Share: neurons over Linear "
        "plus neurons, same rounds. "
        "Predicted: the Linear took too long and was timed on one in 16 of its rows. Batch 16, 500 steps."
    )
    return _by_width(found, "onm_today", "The published setting, today.", caption, columns)


def _by_width(
    found: pd.DataFrame, name: str, title: str, caption: str, columns: dict[str, Callable[[Any], Entry]]
) -> Table | None:
    if found.empty:
        return None
    lines = []
    notes = []
    for width in sorted(found.width.unique()):
        reasons = set(found.reason[found.width == width])
        if len(reasons) == 1 and "" not in reasons:  # one line for all
            notes.append(f"n = {width:,}: {reasons.pop()}")
            continue
        for row in found[found.width == width].itertuples():
            told = [Entry(f"{width:,}"), Entry(relation(row.relation) if not row.reason else "—")]
            if row.reason:
                lines.append((str(row.who), [*told, Entry(row.reason), *[Entry("—")] * (len(columns) - 1)]))
            else:
                lines.append((str(row.who), [*told, *(entry(row) for entry in columns.values())]))
    return Table(name, title, caption, ["neurons", "n", "same model?", *columns], lines, notes, TASKS)


def published(folder: Path = PAPER) -> Table | None:
    """Open Neuromorphic's figures, as they were published."""
    path = folder / "onm.csv"
    if not path.is_file():
        return None
    with path.open(newline="") as file:
        records = list(csv.DictReader(file))
    by_library: dict[tuple[str, str, str], dict[str, dict[str, str]]] = {}
    for row in records:
        by_library.setdefault((row["library"], row["version"], row["how"]), {})[row["neurons"]] = row
    sizes = sorted({row["neurons"] for row in records}, key=int)
    lines = []
    for (library, version, how), own in by_library.items():
        times = [Entry(_published_time(own.get(size))) for size in sizes]
        peaks = [Entry(_published_peak(own.get(size))) for size in sizes]
        lines.append((library, [Entry(version), Entry(how), *times, *peaks]))
    header = ["library", "version", "how", *(f"n = {int(size):,}: forward + backward (ms)" for size in sizes)]
    header += [f"n = {int(size):,}: peak (GB)" for size in sizes]
    caption = (
        "Open Neuromorphic, 2024-02-20: Linear and LIF together, on a GPU (its text names an RTX 4090, an RTX 3090 and "
        "an A100, and not which figure is of which), every library with a LIF of its own, no spread. They are not "
        "comparable with times of another machine; the order of libraries is."
    )
    return Table("onm_published", "The published figures.", caption, header, lines)


def _published_time(row: dict[str, str] | None) -> str:
    if row is None:
        return "—"
    forward, backward = (1e3 * float(row[f"{name}_seconds"]) for name in ("forward", "backward"))
    return f"{_three_digits(forward)} + {_three_digits(backward)}"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _published_peak(row: dict[str, str] | None) -> str:
    return "not measured" if row is None or not row["peak_bytes"] else f"{float(row['peak_bytes']) / 1e9:.2f}"


def lengths(found: pd.DataFrame) -> Table | None:
    """Neurons without a reset, by length: nanoseconds a neuron and step."""
    measured = found[found.reason == ""] if len(found) else found
    if measured.empty:
        return None
    steps = sorted(measured.timesteps.unique())
    best = measured[measured.model == "reset_free"].groupby("timesteps").neuron_time.min()
    lines = []
    for who, own in found.groupby("who", sort=False):
        by_length: dict[int, Any] = {row.timesteps: row for row in points(own)}
        first = next(iter(by_length.values()))
        entries = [_per_step(by_length.get(length), best.get(length)) for length in steps]
        told = relation(first.relation) if not first.reason else first.reason
        lines.append((str(who), [Entry(f"{first.model}: {told}"), *entries]))
    caption = (
        "Nanoseconds a neuron and step, forward and backward, median (20th to 80th percentile) of interleaved rounds; "
        "bold: the fastest without a reset. LIF, with its reset, must be computed step by step."
    )
    header = ["neurons", "held against", *(f"T = {length:,}" for length in steps)]
    return Table("reset_free", "Without a reset: in step or in parallel.", caption, header, lines, tasks=TASKS)


def _per_step(row: Any, best: float | None) -> Entry:
    if row is None or row.reason:
        return Entry("—")
    scale = 1e6 / (row.timesteps * row.batch_size * row.width)
    middle, low, high = (scale * getattr(row, f"neuron_time{end}") for end in ENDS)
    fastest = row.model == "reset_free" and row.neuron_time == best
    return Entry(_told(middle, low, high, 2), best=fastest, spread=(low, high))


def offers(found: pd.DataFrame) -> Table | None:
    """What each package offers, from what was run."""
    theirs = found[found.neuron.isin(list(peers.peers()))]
    if theirs.empty:
        return None
    lines = []
    for name, own in theirs.groupby("neuron", sort=False):
        peer, ran = peers.get(str(name)), own[own.reason == ""]
        if ran.empty:
            reason = str(own.reason.iloc[0])
            lines.append((str(name), [Entry(peer.class_name), Entry(peer.model), Entry(reason), *[Entry("—")] * 4]))
            continue
        jit = f"{ran.jit_time.median():.2g}" if "jit_time" in ran and ran.jit_time.notna().any() else "—"
        call = next(str(text) for text in [*ran.jit.dropna(), *ran.called.dropna()]).partition(";")[0]
        sizes = f"{ran[['batch_size', 'timesteps', 'width']].drop_duplicates().shape[0]}"
        why = peer.departs or "—"
        told = [peer.class_name, peer.model, relation(ran.relation.iloc[0]), why, call, jit, sizes]
        lines.append((str(name), [Entry(text) for text in told]))
    header = ["neuron", "class", "held against", "found", "because", "version, and the call that was timed"]
    header += ["compiling (s)", "sizes"]
    caption = "From the rows of this run, not from anybody's documentation; found: by spikes and gradients in float64."
    return Table("offers", "What each package offers.", caption, header, lines, tasks=TASKS)


def _spread(row: Any, metric: str, predicted: bool = False) -> Entry:
    middle, low, high = (float(getattr(row, f"{metric}{end}", math.nan)) for end in ENDS)
    if math.isnan(middle):
        return Entry("—")
    told = PREDICTED if predicted and row.predicted else ""
    digits = 2 if middle < 10 else 1 if middle < 100 else 0
    return Entry(_told(middle, low, high, digits) + told, spread=(low, high))


def _share(row: Any, metric: str) -> Entry:
    middle, low, high = (100 * float(getattr(row, f"{metric}{end}")) for end in ENDS)
    told = PREDICTED if row.predicted else ""
    return Entry(f"{_told(middle, low, high, 1)} %{told}", spread=(low, high))


def _told(middle: float, low: float, high: float, digits: int) -> str:
    """A median with its percentiles, unless there was but one round."""
    return format_spread(middle, low, high, digits) if low < high else format_value(middle, digits)


def _number(row: Any, metric: str) -> Entry:
    value = getattr(row, metric, float("nan"))
    return Entry("—" if pd.isna(value) else f"{value:.3g}")


def all_of(found: Iterable[Table | None]) -> list[Table]:
    """The tables that there are."""
    return [table for table in found if table is not None]
