"""What a run would measure, how much of it is stored, and about how long the rest takes; nothing is run or written."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from suite.runs import machine
from suite.runs.cell_key import identity
from suite.runs.durations import Durations, Open
from suite.runs.store import Store
from suite.runs.text import counted
from tasks import Cell, data
from tasks.data.location import DataMissing, find
from tasks.training.pace import clock

Part = tuple[str, str, str, str]
"""Task, data set, backend and device: a line of what is shown."""
MOST_NAMES = 8
WIDTH = 160
SHARED = ("neurons", "backend", "device")
"""What stands once where it is the same for all."""


def show(cells: Sequence[Cell], out: Path, later: str = "", console: Console | None = None) -> int:
    """Print the plan of a run, a line for each task, data set, backend and device.

    Args:
        cells: all of the run, each once.
        out: its run directory, of which stored results are counted; it need not be there.
        later: what is only known once these are measured.
    """
    console = console or Console(width=None if sys.stdout.isatty() else WIDTH)
    stored = _stored(cells, out)
    durations = Durations((cell, seconds) for cell, seconds in stored.values() if seconds)
    parts: dict[Part, list[Cell]] = {}
    for cell in cells:
        parts.setdefault((cell.task, cell.dataset or "", cell.backend, cell.device), []).append(cell)
    lines, left = [], 0.0
    for part, own in parts.items():
        waiting = [cell for cell in own if identity(cell) not in stored]
        seconds = Open(waiting).seconds(durations, machine.usable_cores())
        left += seconds
        lines.append(_line(part, own, len(own) - len(waiting), seconds))
    _print_table(console, lines)
    for line in _missing(cells):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    done = f", {len(stored):,} of them stored in {out}" if stored else ""
    cores = counted(machine.usable_cores(), "core")
    ending = f"{counted(len(cells), 'cell')}{done}; about {clock(left)} on {cores}{later}. Nothing was run."
    console.print(ending, soft_wrap=True, markup=False, highlight=False)
    return 0


def _line(part: Part, cells: Sequence[Cell], stored: int, seconds: float) -> dict[str, str]:
    """What is shown of cells, by the head of its column."""
    task, dataset, backend, device = part
    names = list(dict.fromkeys(cell.neuron for cell in cells))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    lengths = {cell.settings["timesteps"] for cell in cells if cell.settings.get("timesteps")}
    return {
        "task": task,
        "data set": dataset,
        "backend": backend,
        "device": device,
        "neurons": ", ".join(names[:MOST_NAMES]) + more,
        "T": "its own" if dataset and data.SOURCES[dataset].sequence else ", ".join(map(str, sorted(lengths))),
        "seeds": str(len({cell.seed for cell in cells})),
        "cells": f"{len(cells):,}",
        "stored": f"{stored:,}",
        "about": clock(seconds),
    }


def _print_table(console: Console, lines: Sequence[Mapping[str, str]]) -> None:
    """A table of the lines; what is the same in all stands under it."""
    same = {head for head in SHARED if len({line[head] for line in lines}) == 1}
    table = Table(*(head for head in lines[0] if head not in same))
    for line in lines:
        table.add_row(*(text for head, text in line.items() if head not in same))
    console.print(table)
    if same:
        told = "; ".join(f"{head} {lines[0][head]}" for head in SHARED if head in same)
        console.print(f"Same for all: {told}.", soft_wrap=True, markup=False, highlight=False)


def _stored(cells: Sequence[Cell], out: Path) -> dict[str, tuple[Cell, float | None]]:
    """The cells whose results would be reused, by identity, and the seconds that they took."""
    store = Store(out)
    outcomes = store.files.outcomes()
    if not outcomes:
        return {}
    found: dict[str, tuple[Cell, float | None]] = {}
    for cell in cells:
        outcome = outcomes.get(store.key(cell))
        if outcome is not None and outcome.finished and outcome.identity == identity(cell):
            found[identity(cell)] = cell, outcome.seconds
    return found


def _missing(cells: Sequence[Cell]) -> list[str]:
    """A line for each data set whose files are not here: its cells would be unavailable."""
    found = []
    for name in dict.fromkeys(cell.dataset for cell in cells if cell.dataset):
        download = data.SOURCES[name].download
        if download is not None:
            try:
                find(name, download)
            except DataMissing as error:
                found.append(f"unavailable: {error}")
    return found
