"""How long cells take, relative to each other: measured once, corrected by what a run has seen.

`durations.json` holds the seconds of cells by task, data set or size, and neuron; of one epoch where cells train. It is
made anew from run directories that were measured on an idle machine: `python -m suite.runs.durations RUN ...`.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import tasks
from suite.runs.cell_files import CellFiles
from tasks import Cell

FILE = Path(__file__).with_name("durations.json")
TYPICAL = 1.0
"""Seconds of a cell of which nothing is known."""

LIKE = {"tuning": "accuracy"}
"""Tasks that train as another one does."""
SIZES = ("timesteps", "batch_size", "width", "elements")
"""Settings on which the time of a cell without a data set depends most."""
Key = tuple[str, str, str]
"""Task, data set (else the size of what is measured) and neuron."""


def key(cell: Cell) -> Key:
    return LIKE.get(cell.task, cell.task), cell.dataset or _size(cell), cell.neuron


def _size(cell: Cell) -> str:
    return ", ".join(f"{name} {cell.settings[name]}" for name in SIZES if name in cell.settings)


Kind = tuple[Key, int]
"""Cells of which the same time is expected: their key and how many epochs they train."""


def kind(cell: Cell) -> Kind:
    return key(cell), epochs(cell)


def epochs(cell: Cell) -> int:
    """What a cell's time grows with; 1 for cells that do not train, or that time single steps of a training."""
    return 1 if tasks.get(cell.task).exclusive else max(1, int(cell.settings.get("epochs") or 1))


@cache
def measured() -> Mapping[Key, float]:
    """The seconds of durations.json."""
    found: dict[Key, float] = {}
    for task, by_dataset in json.loads(FILE.read_text()).items():
        for dataset, by_neuron in by_dataset.items():
            found |= {(task, dataset, neuron): float(seconds) for neuron, seconds in by_neuron.items()}
    return found


class Durations:
    """Expected seconds of cells. What is known is kept as sums: it takes as long after 100,000 cells as after one.

    Args:
        earlier: seconds of cells that were measured before, in this run directory.
    """

    def __init__(self, earlier: Iterable[tuple[Cell, float]] = ()) -> None:
        known: dict[Key, list[float]] = defaultdict(list)
        for cell, seconds in earlier:
            known[key(cell)].append(seconds / epochs(cell))
        self.known = {own: (math.fsum(seconds), len(seconds)) for own, seconds in known.items()}
        self.seen: dict[tuple[str, str], tuple[float, float]] = {}
        """Of a task and data set the seconds that its cells took, and their weights."""
        self._weights: dict[Kind, float] = {}

    def saw(self, cell: Cell, seconds: float) -> None:
        """A cell of this run took so long, the start of its process included."""
        own = key(cell)[:2]
        took, weight = self.seen.get(own, (0.0, 0.0))
        self.seen[own] = (took + seconds, weight + self.weight(cell))

    def weight(self, cell: Cell) -> float:
        """Seconds by what was known before the run, see `_weight`."""
        own = kind(cell)
        if own not in self._weights:
            self._weights[own] = self._weight(own)
        return self._weights[own]

    def _weight(self, own: Kind) -> float:
        """Seconds by what was known before: of the neuron, else the mean over others, else over data sets.

        Cells that are measured together are recorded with the time of all at one of them: of these the mean counts.
        """
        (task, dataset, _), times = own
        together = tasks.get(task).exclusive
        for table in (self.known, {each: (seconds, 1) for each, seconds in measured().items()}):
            for alike in (
                [each for each in table if each == own[0] and not together],
                [each for each in table if each[:2] == (task, dataset)],
                [each for each in table if each[0] == task],
            ):
                if alike:
                    mean = sum(table[each][0] for each in alike) / sum(table[each][1] for each in alike)
                    return max(mean, 1e-3) * times
        return TYPICAL

    def expected(self, cell: Cell) -> float:
        """Seconds by what this run has seen: of this task and data set, else of the task, else of all."""
        task, dataset, _ = key(cell)
        weight = self.weight(cell)
        of_task = [pair for (each, _), pair in self.seen.items() if each == task]
        here = [self.seen[task, dataset]] if (task, dataset) in self.seen else []
        for alike in (here, of_task, list(self.seen.values())):
            if alike:
                return weight * sum(took for took, _ in alike) / sum(weights for _, weights in alike)
        return weight


class Open:
    """The cells of a run that are still to be done, counted by their kind."""

    def __init__(self, cells: Iterable[Cell] = ()) -> None:
        self.counts: Counter[Kind] = Counter()
        self.examples: dict[Kind, Cell] = {}
        for cell in cells:
            self.counts[kind(cell)] += 1
            self.examples.setdefault(kind(cell), cell)

    def done(self, cell: Cell) -> None:
        if self.counts[kind(cell)]:
            self.counts[kind(cell)] -= 1

    def seconds(self, durations: Durations, jobs: int) -> float:
        """Seconds until all are done: those that run side by side by so many at a time, the others alone."""
        shared = alone = 0.0
        for own, count in self.counts.items():
            cell = self.examples[own]
            expected = count * durations.expected(cell)
            if tasks.get(cell.task).exclusive:
                alone += expected
            else:
                shared += expected
        return shared / max(jobs, 1) + alone


def write(runs: Iterable[Path]) -> None:
    """Make durations.json anew from the cells of run directories; those that failed or are of other devices are left.

    Cells that are measured together are recorded with the time of all at one of them: each has the mean.
    """
    known: dict[Key, list[float]] = defaultdict(list)
    for run in runs:
        for _, record in CellFiles(run / "cells").records():
            cell = record.cell
            if record.result.status == "ok" and cell.device == "cpu":
                name = "" if tasks.get(cell.task).exclusive else cell.neuron
                known[(*key(cell)[:2], name)].append(record.result.seconds / epochs(cell))
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for (task, where, neuron), seconds in sorted(known.items()):
        table[task][where][neuron] = float(f"{max(math.fsum(seconds) / len(seconds), 1e-3):.3g}")
    FILE.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    measured.cache_clear()


if __name__ == "__main__":
    write(map(Path, sys.argv[1:]))
