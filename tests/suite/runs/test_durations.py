"""The time that is left: right within half as much again from a quarter of a run on, by a clock made by hand."""

from __future__ import annotations

import heapq
import io
from pathlib import Path

import pytest
from rich.console import Console

from suite.runs import display, durations
from suite.runs.record import Result
from suite.runs.store import Store
from tasks import Cell
from tasks.training.pace import clock

NEURONS = {"lif": 1.0, "plif": 1.0, "clif": 1.4, "glif": 2.0, "mine": 1.7}
SETS = {"digits": (0.3, 10), "delayed_recall": (0.2, 12), "japanese_vowels": (0.5, 20), "mnist5k": (4.0, 3)}
START = 1.5
"""Seconds in which a process starts, on top of what a cell takes."""


def trainings(seeds: int) -> list[Cell]:
    return [
        Cell("accuracy", neuron, "cpu", seed, {"dataset": dataset, "epochs": epochs})
        for dataset, (_, epochs) in SETS.items()
        for seed in range(seeds)
        for neuron in NEURONS
    ]


def seconds_of(cell: Cell) -> float:
    if cell.task == "throughput":
        return 2.0 * NEURONS[cell.neuron]
    per_epoch, epochs = SETS[str(cell.dataset)]
    return START + per_epoch * epochs * NEURONS[cell.neuron]


@pytest.mark.parametrize("speed", [0.3, 1.0, 8.0], ids=["a fast machine", "as measured", "a slow one"])
def test_the_time_left_is_near_from_a_quarter_on(speed: float, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = trainings(8)
    alone = [Cell("throughput", neuron, "cpu", 0, {"timesteps": steps}) for steps in (8, 64) for neuron in NEURONS]
    clock = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(display.machine, "usable_cores", lambda: 2)
    shown = display.Display([*shared, *alone], cached=0, console=Console(file=io.StringIO()))
    shown.plan([*shared, *alone])
    told: list[tuple[float, float]] = []

    def work(cells: list[Cell], jobs: int) -> None:
        waiting, running = list(cells)[::-1], []
        while waiting or running:
            while waiting and len(running) < jobs:
                cell = waiting.pop()
                shown.started([cell])
                heapq.heappush(running, (clock[0] + speed * seconds_of(cell), id(cell), cell))
            clock[0], _, cell = heapq.heappop(running)
            shown.finished(cell, Result("ok", seconds=speed * (seconds_of(cell) - START)))
            left = shown.seconds_left()
            assert left is not None
            told.append((clock[0], left))

    work(shared, 2)
    work(alone, 1)
    end = clock[0]
    late = [(left, end - now) for now, left in told if end / 4 <= now <= 0.95 * end]
    assert len(late) > 40
    wrong = [(round(left), round(true)) for left, true in late if not true / 1.5 <= left <= 1.5 * true]
    assert [pair for pair in wrong if abs(pair[0] - pair[1]) > 0.05 * end] == [], "but for the last moments"


def test_cells_that_are_measured_together_share_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their results come one after the other in an instant; the first does not stand for the time of all."""
    first, later = (
        [
            Cell("training_speed", neuron, "cpu", 0, {"dataset": dataset, "timesteps": 4})
            for neuron in ("lif", "clif", "glif", "plif")
        ]
        for dataset in ("digits", "delayed_recall")
    )
    clock = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: clock[0])
    shown = display.Display([*first, *later], cached=0, console=Console(file=io.StringIO()))
    shown.plan([*first, *later])
    shown.started(first)
    clock[0] = expected = sum(durations.Durations().weight(cell) for cell in first)
    rest = sum(durations.Durations().weight(cell) for cell in later)
    for cell in first:
        shown.finished(cell, Result("ok", seconds=0.0))
        left = shown.seconds_left()
        assert left is None or left <= 1.01 * (rest + expected), "nothing is known, or about what there is"
    assert shown.seconds_left() == pytest.approx(rest)


def test_cells_of_the_same_run_tell_of_others() -> None:
    """The same neuron on the same set, else others on it, else other sets; by epoch."""
    lif, clif = (Cell("accuracy", name, "cpu", 0, {"dataset": "digits", "epochs": 10}) for name in ("lif", "clif"))
    known = durations.Durations([(lif, 20.0), (clif, 40.0)])
    assert known.weight(lif) == pytest.approx(20.0)
    assert known.weight(Cell("accuracy", "new", "cpu", 0, {"dataset": "digits", "epochs": 20})) == pytest.approx(60.0)
    known.saw(lif, 60.0)
    assert known.expected(clif) == pytest.approx(120.0), "three times as slow as it was"


def test_what_was_measured_once_covers_the_quick_profile() -> None:
    assert {task for task, _, _ in durations.measured()} >= {"accuracy", "throughput", "memory", "training_speed"}
    assert all(seconds > 0 for seconds in durations.measured().values())


def test_durations_are_made_anew_from_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one epoch where cells train; the mean over cells that are measured together; by size where there is no set."""
    lif, clif = (Cell("accuracy", name, "cpu", 0, {"dataset": "digits", "epochs": 10}) for name in ("lif", "clif"))
    broken = Cell("accuracy", "glif", "cpu", 0, {"dataset": "digits", "epochs": 10})
    narrow, wide = (
        [Cell("linear_neuron", name, "cpu", 0, {"timesteps": 500, "width": width}) for name in ("lif", "clif")]
        for width in (512, 4096)
    )
    store = Store(tmp_path)
    (tmp_path / "cells").mkdir()
    cells = [lif, clif, *narrow, *wide]
    for cell, seconds in zip(cells, (20.0, 40.0, 6.0, 0.0, 60.0, 0.0), strict=True):
        store.save(cell, Result("ok", seconds=seconds))
    store.save(broken, Result("failed", seconds=90.0))
    monkeypatch.setattr(durations, "FILE", tmp_path / "durations.json")
    durations.write([tmp_path])
    known = durations.Durations()
    assert [known.weight(cell) for cell in (lif, clif, broken)] == pytest.approx([20.0, 40.0, 30.0])
    assert [known.weight(cell) for cell in (*narrow, *wide)] == pytest.approx([3.0, 3.0, 30.0, 30.0])
    durations.measured.cache_clear()


@pytest.mark.parametrize(("seconds", "told"), [(7.9, "0:07"), (3599, "59:59"), (3600, "1:00:00"), (12_867, "3:34:27")])
def test_hours_are_told_apart_from_minutes(seconds: float, told: str) -> None:
    assert clock(seconds) == told
