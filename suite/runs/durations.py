"""How long cells take, relative to each other: measured once, corrected by what a run has seen.

`durations.json` holds the seconds of the quick profile's cells by task, data set and neuron; of one epoch where cells
train.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import tasks
from tasks import Cell

FILE = Path(__file__).with_name("durations.json")
TYPICAL = 1.0
"""Seconds of a cell of which nothing is known."""

Key = tuple[str, str, str]
"""Task, data set (empty for tasks without) and neuron."""


def key(cell: Cell) -> Key:
    return cell.task, cell.dataset or "", cell.neuron


def epochs(cell: Cell) -> int:
    """What a cell's time grows with; 1 for cells that do not train over epochs."""
    trains = cell.task in ("accuracy", "temporal_gradient", "ablation", "conversion", "energy")
    return max(1, int(cell.settings.get("epochs") or 1)) if trains else 1


@cache
def measured() -> Mapping[Key, float]:
    """The seconds of durations.json."""
    found: dict[Key, float] = {}
    for task, by_dataset in json.loads(FILE.read_text()).items():
        for dataset, by_neuron in by_dataset.items():
            found |= {(task, dataset, neuron): float(seconds) for neuron, seconds in by_neuron.items()}
    return found


class Durations:
    """Expected seconds of cells.

    Args:
        earlier: seconds of cells that were measured before, in this run directory.
    """

    def __init__(self, earlier: Iterable[tuple[Cell, float]] = ()) -> None:
        self.known: dict[Key, list[float]] = defaultdict(list)
        for cell, seconds in earlier:
            self.known[key(cell)].append(seconds / epochs(cell))
        self.seen: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)

    def saw(self, cell: Cell, seconds: float) -> None:
        """A cell of this run took so long, the start of its process included."""
        self.seen[key(cell)[:2]].append((seconds, self.weight(cell)))

    def weight(self, cell: Cell) -> float:
        """Seconds by what was known before the run: of the neuron, else the mean over others, else over data sets.

        Cells that are measured together are recorded with the time of all at one of them: of these the mean counts.
        """
        task, dataset, neuron = key(cell)
        together = tasks.get(task).exclusive
        for table in (self.known, {own: [seconds] for own, seconds in measured().items()}):
            for alike in (
                [own for own in table if own == (task, dataset, neuron) and not together],
                [own for own in table if own[:2] == (task, dataset)],
                [own for own in table if own[0] == task],
            ):
                found = [second for own in alike for second in table[own]]
                if found:
                    return max(statistics.mean(found), 1e-3) * epochs(cell)
        return TYPICAL

    def expected(self, cell: Cell) -> float:
        """Seconds by what this run has seen: of this task and data set, else of the task, else of all."""
        task, dataset, _ = key(cell)
        of_task = [pair for own, pairs in self.seen.items() if own[0] == task for pair in pairs]
        of_all = [pair for pairs in self.seen.values() for pair in pairs]
        for alike in (self.seen.get((task, dataset), []), of_task, of_all):
            if alike:
                return self.weight(cell) * sum(took for took, _ in alike) / sum(weight for _, weight in alike)
        return self.weight(cell)


def left(cells: Iterable[Cell], durations: Durations, jobs: int) -> float:
    """Seconds until all these cells are done: those that run side by side by so many at a time, the others alone."""
    shared = alone = 0.0
    expected: dict[tuple[object, ...], float] = {}
    for cell in cells:
        kind = (*key(cell), epochs(cell))
        if kind not in expected:
            expected[kind] = durations.expected(cell)
        if tasks.get(cell.task).exclusive:
            alone += expected[kind]
        else:
            shared += expected[kind]
    return shared / max(jobs, 1) + alone
