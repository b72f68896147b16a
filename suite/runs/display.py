"""What the terminal shows while a run goes on: counts, running cells, failures, time left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

import tasks
from suite.runs import machine
from suite.runs.durations import Durations, Open
from suite.runs.record import STATUSES, Result
from suite.runs.text import LONGEST_NAME, plain
from suite.runs.worker import tail
from tasks import Cell
from tasks.base import InterleavedTask
from tasks.training.pace import PACE, clock

PLAIN_INTERVAL = 15.0
SILENCE = 60.0
"""Seconds without a line after which, where the output is no terminal, one says what is running."""
LONGEST_DETAIL = 300
MOST_RUNNING = 8


@dataclass
class Batch:
    """Cells of one process, `waiting` of them; `last` is when it started or sent its last result."""

    cells: Sequence[Cell]
    last: float
    waiting: int


class Display:
    """A live status on a terminal; a line every 15 s, and of long cells every minute, where the output is no terminal.

    Args:
        cells: all cells of the plan.
        cached: how many of them are reused from an earlier run.
        log: the file that takes what a cell prints.
        earlier: cells of earlier runs with the seconds that they took.

    Attributes:
        jobs: how many cells run at a time.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        cached: int,
        console: Console | None = None,
        earlier: Iterable[tuple[Cell, float]] = (),
        log: Callable[[Cell], Path] | None = None,
    ) -> None:
        self.log = log
        self.console = console or Console(stderr=True)
        self.jobs = machine.usable_cores()
        self.total, self.cached = len(cells), cached
        self.counts: Counter[str] = Counter()
        self.running: dict[int, Cell] = {}
        self.open = Open()
        self.durations = Durations(earlier)
        self.batches: dict[int, Batch] = {}
        self.begun = self.last_plain = time.monotonic()
        self.live = Live(console=self.console, refresh_per_second=4, transient=True, get_renderable=self._render)

    def plan(self, cells: Sequence[Cell]) -> None:
        """Set the cells that are still to be run."""
        self.open = Open(cells)

    def started(self, cells: Sequence[Cell]) -> None:
        batch = Batch(cells, time.monotonic(), len(cells))
        for cell in cells:
            self.running[id(cell)] = cell
            self.batches[id(cell)] = batch

    def finished(self, cell: Cell, result: Result) -> None:
        self.running.pop(id(cell), None)
        self.counts[result.status] += 1
        self.open.done(cell)
        batch = self.batches.pop(id(cell), None)
        if batch is not None:
            self._take_time(cell, batch)
        if result.status != "ok":
            line = f"{result.status}: {label(cell)}: {plain(result.detail, LONGEST_DETAIL)}"
            self.console.print(line, style="red", markup=False, soft_wrap=True)
        if not self.console.is_terminal and time.monotonic() - self.last_plain > PLAIN_INTERVAL:
            self.last_plain = time.monotonic()
            self.console.print(self._line(), highlight=False)

    def look(self) -> None:
        """Say what is running if nothing was said for long; asked often."""
        if not self.console.is_terminal and self.running and time.monotonic() - self.last_plain > SILENCE:
            self.last_plain = time.monotonic()
            for line in (self._line(), *self._running()):
                self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _running(self) -> list[str]:
        """A line for each of the cells at work, as many as are shown, with the pace of a training."""
        lines = []
        for cell in list(self.running.values())[:MOST_RUNNING]:
            pace = "" if self.log is None else pace_in(self.log(cell))
            lines.append(f"  running {label(cell)}" + (f": {pace}" if pace else ""))
        return lines

    def _take_time(self, cell: Cell, batch: Batch) -> None:
        """Note how long a cell took; cells that are measured together come all at once and share their time."""
        now, batch.waiting = time.monotonic(), batch.waiting - 1
        if not isinstance(tasks.get(cell.task), InterleavedTask):
            self.durations.saw(cell, now - batch.last)
            batch.last = now
        elif batch.waiting == 0:
            for own in batch.cells:
                self.durations.saw(own, (now - batch.last) / len(batch.cells))

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self.live.stop()
        self.console.print(self._line(), highlight=False)

    def seconds_left(self) -> float | None:
        """By what cells of the kind took so far, and by what was measured of them before; None at the start."""
        if not self.durations.seen:
            return None
        now = time.monotonic()
        expected = self.open.seconds(self.durations, self.jobs)
        begun = {id(batch): now - batch.last for batch in self.batches.values()}
        shared = [cell for cell in self.running.values() if not tasks.get(cell.task).exclusive]
        spent = sum(begun.values()) / (self.jobs if shared else 1)
        return max(0.0, expected - min(spent, expected / 2))

    def _line(self) -> str:
        done = self.cached + sum(self.counts.values())
        parts = [f"{done}/{self.total} cells", f"{self.counts['ok']} ok", f"{self.cached} cached"]
        parts += [f"{self.counts[status]} {status}" for status in STATUSES if status != "ok" and self.counts[status]]
        parts.append(clock(time.monotonic() - self.begun))
        left = self.seconds_left()
        if left is not None and done < self.total:
            parts.append(f"about {clock(left)} left")
        return " · ".join(parts)

    def _render(self) -> Group:
        done = self.cached + sum(self.counts.values())
        bar = ProgressBar(total=max(self.total, 1), completed=done, width=60)
        return Group(bar, Text(self._line()), *(Text(line, style="dim") for line in self._running()))


def pace_in(log: Path) -> str:
    """What a training printed last of its pace; empty if there is nothing of it."""
    said = [line for line in tail(log)[0].splitlines() if PACE.match(line)]
    return said[-1] if said else ""


def label(cell: Cell) -> str:
    """A cell in a few words."""
    steps = cell.settings.get("timesteps")
    where = cell.dataset or (f"T={steps}" if steps is not None else None)
    device = "" if cell.device == "cpu" else f"on {cell.device}"
    words = (cell.task, plain(cell.neuron, LONGEST_NAME), cell.backend, device, where, f"seed {cell.seed}")
    return " ".join(word for word in words if word)
