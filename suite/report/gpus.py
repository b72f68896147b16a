"""The table of GPUs: what layers of neurons take on each that was measured, beside what was predicted for it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd

from suite.report.conditions import in_order, name_conditions, over_seeds
from suite.report.numbers import MISSING
from suite.report.table import Entry, Table
from suite.statistics import Estimate

NAME = "gpus"
MEASURED, PREDICTED, COPY = "forward_backward_time", "forward_backward_predicted_time", "copy_bandwidth"
HEADER = ("GPU", "neuron", "T", "neurons", "measured (ps)", "predicted (ps)", "measured / predicted", "copy (GB/s)")
CAPTION = (
    "Forward and backward of a layer by the fused kernel, for a neuron and time step, at the largest size measured of "
    "each length. Measured: median of rounds by the GPU's own clock. Predicted: from the machine code of the kernels "
    "and the data sheet, no measurement. Copy: a plain copy in the same rounds, bytes read and written."
)


def table(rows: pd.DataFrame) -> Table | None:
    """A line a GPU, neuron and length; None unless the fused kernel of a layer was timed on one."""
    chosen = rows[(rows.task == "throughput") & (rows.backend == "triton") & rows.value.notna()]
    chosen = chosen[chosen.metric.isin([MEASURED, PREDICTED, COPY])]
    if chosen[chosen.metric == MEASURED].empty:
        return None
    named = _largest(in_order(name_conditions(chosen)))
    found = over_seeds(named, ["device", "who", "timesteps", "elements", "where", "metric"])
    places = [place[:-1] for place in found if place[-1] == MEASURED]
    lines = [
        _line(place, found[*place, MEASURED], found.get((*place, PREDICTED)), found.get((*place, COPY)))
        for place in places
    ]
    made = Table(NAME, "GPUs, measured beside predicted.", CAPTION, HEADER, lines)
    made.tasks = ["throughput"]
    return made


def read(run: Path) -> list[list[str]]:
    """The lines of the table in a run's report, as `HEADER` names their entries; none where it has no such table."""
    path = run / "report" / "tables" / f"{NAME}.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        entries = [(own.get(HEADER[0]) or "", own.get("column"), own.get("text") or "") for own in csv.DictReader(file)]
    columns = len(HEADER) - 1
    if [column for _, column, _ in entries] != [*HEADER[1:]] * (len(entries) // columns):
        return []
    starts = range(0, len(entries), columns)
    return [[entries[at][0], *(text for _, _, text in entries[at : at + columns])] for at in starts]


def _largest(named: pd.DataFrame) -> pd.DataFrame:
    """The rows of the largest size of each question, with the size as `elements`."""
    named = named.assign(elements=named.settings.map(lambda text: json.loads(text)["elements"]))
    most = named.groupby(["device", "who", "timesteps", "where"])["elements"].transform("max")
    return named[named.elements == most]


def _line(
    place: tuple[str, str, int, int, str], measured: Estimate, predicted: Estimate | None, copy: Estimate | None
) -> tuple[str, list[Entry]]:
    device, who, steps, elements, where = place
    ratio = MISSING if predicted is None else f"{measured.mean / predicted.mean:.2f}"
    named = f"{who}, {where}" if where else who
    entries = [Entry(named), Entry(str(steps)), Entry(f"{elements:,}"), _picoseconds(measured), _picoseconds(predicted)]
    return device, [*entries, Entry(ratio), Entry(MISSING if copy is None else f"{copy.mean:.0f}")]


def _picoseconds(time: Estimate | None) -> Entry:
    return Entry(MISSING) if time is None else Entry(f"{1e3 * time.mean:.2f}")
