"""Cells spread over the cards: several small ones a card, timings alone, and again alone if memory ran out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from suite.runs import machine
from suite.runs.execute import LocalExecutor, batches
from suite.runs.places import MEMORY_OF_A_CELL, Places
from tasks import Cell, get
from tasks.measuring import devices


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cards, each with room for three cells, on a machine of eight cores."""
    monkeypatch.setattr(devices.Cuda, "count", lambda self: 2)
    monkeypatch.setattr(devices.Cuda, "free_bytes", lambda self, device: 3 * MEMORY_OF_A_CELL + 1)
    monkeypatch.setattr(machine, "usable_cores", lambda: 8)


def taken(places: Places, name: str, count: int) -> list[str | None]:
    return [places.take(name) for _ in range(count)]


def test_small_cells_share_cards_as_far_as_their_memory_goes(cards: None) -> None:
    places = Places(8, alone=False)
    assert taken(places, "cuda", 7) == [*["cuda:0", "cuda:1"] * 3, None]
    assert taken(places, "cpu", 3) == ["cpu", "cpu", None], "eight cores in all"
    places.give_back("cuda:1")
    assert places.take("cuda:0") is None, "only the other card has room"
    assert places.take("cuda") == "cuda:1"


def test_a_timing_has_its_card_to_itself(cards: None) -> None:
    places = Places(2, alone=True)
    assert taken(places, "cuda", 3) == ["cuda:0", "cuda:1", None]
    pinned = Places(2, alone=True)
    assert taken(pinned, "cuda:1", 2) == ["cuda:1", None]


def test_a_card_with_no_memory_left_still_takes_one(cards: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.Cuda, "free_bytes", lambda self, device: 0)
    assert taken(Places(8, alone=False), "cuda:0", 2) == ["cuda:0", None]


def test_phases_of_a_run(cards: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Side-by-side cells of all devices, those that lacked memory, alone, then timings of the CPU and of the cards."""
    phases: list[tuple[list[tuple[str, str]], int, bool, int]] = []
    made = [
        Cell(task, "lif", "reference", 0, get(task).settings, device)
        for device in ("cpu", "cuda")
        for task in ("accuracy", "memory")
    ]

    def run(self: LocalExecutor, batched: Any, places: Places, threads: int) -> None:
        asked: Sequence[Cell] = [cell for batch in batched for cell in batch]
        phases.append(([(cell.task, cell.device) for cell in asked], places.jobs, places.alone, threads))
        if not places.alone:
            self.short.append(asked[1])

    monkeypatch.setattr(LocalExecutor, "_run_batches", run)
    nothing: Any = None
    LocalExecutor(1.0, [], lambda cell: tmp_path, nothing, nothing, lambda: False).run(made)
    assert phases == [
        ([("accuracy", "cpu"), ("accuracy", "cuda")], 8, False, 1),
        ([("accuracy", "cuda")], 2, True, 4),
        ([("memory", "cpu")], 1, True, 8),
        ([("memory", "cuda")], 2, True, 4),
    ]


def test_cells_of_two_devices_are_no_batch() -> None:
    settings = get("throughput").settings
    made = [
        Cell("throughput", name, "reference", 0, settings, device)
        for name in ("lif", "if")
        for device in ("cpu", "cuda")
    ]
    assert [[(cell.neuron, cell.device) for cell in batch] for batch in batches(made)] == [
        [("lif", "cpu"), ("if", "cpu")],
        [("lif", "cuda"), ("if", "cuda")],
    ]
