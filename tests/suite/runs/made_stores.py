"""Run directories filled by hand, for tests of what is read and written there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from suite.runs.record import Result, measured
from suite.runs.store import Store, read_results
from tasks import Cell, Value

PROVENANCE = {
    "date": "2026-01-01T00:00:00.000+00:00",
    "command": ["python", "-m", "suite", "run"],
    "commit": "0123456789abcdef",
    "dirty": False,
    "python": "3.11.2",
    "packages": {"torch": "2.14.1", "numpy": "2.1.0", "triton": None, "norse": "1.1"},
    "machine": {"cpu": "Fast CPU", "cores": 2, "memory_gib": 16},
}


def cell(neuron: str = "lif", task: str = "accuracy", **settings: Any) -> Cell:
    return Cell(task, neuron, "cpu", 0, {"dataset": "digits", **settings})


def answer(value: float = 1.0, metric: str = "accuracy_selected") -> Result:
    return measured([Value(metric, value)], seconds=1.0)


def filled(root: Path, *neurons: str, provenance: dict[str, Any] | None = None, value: float = 1.0) -> Store:
    """A run directory with one measured cell a neuron."""
    own = Store(root, {**PROVENANCE, **(provenance or {})})
    own.begin([cell(name) for name in neurons])
    own.write_provenance()
    for name in neurons:
        own.save(cell(name), answer(value))
    own.write_table()
    return own


def measured_neurons(root: Path) -> list[str]:
    rows = read_results(root)
    return sorted(rows[rows.status == "ok"].neuron)


def lose_cells(root: Path) -> None:
    shutil.rmtree(root / "cells")
