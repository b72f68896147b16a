"""How far a run is, as a table in a terminal."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from suite.runs import progress
from suite.runs.progress import Part, Status
from tasks.training.pace import clock

INTERVAL, SHARE = 2.0, 10
"""Seconds between two looks, and how many times longer that is than a look takes."""


def show(run: Path) -> None:
    """Print how far it is."""
    Console().print(rendered(progress.read(run)))


def watch(run: Path) -> None:
    """Show how far it is until no run is at work there."""
    console = Console()
    status = progress.read(run)
    with Live(rendered(status), console=console, auto_refresh=False, transient=console.is_terminal) as live:
        while status.where is not None:
            began = time.monotonic()
            status = progress.read(run)
            live.update(rendered(status), refresh=console.is_terminal)
            time.sleep(max(INTERVAL, SHARE * (time.monotonic() - began)))
    if console.is_terminal:
        console.print(rendered(status))


def rendered(status: Status) -> Group:
    """The table by task and neuron, the trainings at work, and one line of the whole."""
    table = Table("task", "neuron", box=None, pad_edge=False)
    for head in ("cells", "done", "running", "failed", "open"):
        table.add_column(head, justify="right")
    for (task, neuron), part in sorted(status.parts.items()):
        table.add_row(task, neuron, *counts(part))
    paces = [Text(f"{cell}: {pace}", style="dim") for cell, pace in status.paces.items()]
    return Group(table, *paces, Text(line(status)))


def counts(part: Part) -> list[str]:
    waiting = part.cells - part.done - part.failed - part.running
    numbers = (part.cells, part.done, part.running, part.failed, waiting)
    return [str(number) if number else "·" for number in numbers]


def line(status: Status) -> str:
    """ "120/371 cells done, 2 running, 1 failed, about 4:10 left; process 4711 on cluster-1" """
    whole = status.total()
    parts = [f"{whole.done}/{whole.cells} cells done", f"{whole.running} running", f"{whole.failed} failed"]
    if status.seconds_left is not None:
        parts.append(f"about {clock(status.seconds_left)} left")
    return ", ".join(parts) + f"; {status.where or 'no run is at work here'}"
