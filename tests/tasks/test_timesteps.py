"""The column `timesteps` of a row is the first dimension of what its neurons saw, for every task and data set."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import neurons
import tasks
from suite.report.conditions import name_conditions
from suite.runs.store import Store
from suite.runs.worker import as_result
from tasks import Cell, data
from tasks.training.network_task import NetworkTask

SMALL = {
    "width": 4,
    "epochs": 1,
    "train_samples": 8,
    "batch_size": 4,
    "samples": 4,
    "rounds": 1,
    "elements": 64,
    "network": "mlp",
    "timesteps": 3,
    "delay": 5,
}
LENGTHS = {
    "random_images": 3,
    "digits": 3,
    "mnist5k": 3,
    "mnist5k_rows": 28,
    "japanese_vowels": 29,
    "delayed_recall": 8,
    "mnist1d": 40,
    "mnist5k_events": 6,
    "binary_adding": 100,
    "psmnist5k": 784,
}
"""T of each set where the setting asks for 3 steps and a delay of 5 (a cue of 2, the delay, the signal)."""
FOR_LONG = ("accuracy", "training_speed")
"""What is tried on 784 steps, which take the others too long for a test."""
NETWORK_TASKS = [name for name, task in tasks.TASKS.items() if isinstance(task, NetworkTask)]


def cell_of(task: str, neuron: str, **settings: object) -> Cell:
    known = tasks.get(task).settings
    own = {name: value for name, value in {**SMALL, **settings}.items() if name in known}
    return Cell(task, neuron, "reference", 0, {**known, **own})


def lengths_seen(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The first dimension of every input of a layer of neurons while the cell runs."""
    seen = set()
    plain = neurons.NeuronLayer.forward

    def forward(self: neurons.NeuronLayer, x: torch.Tensor) -> torch.Tensor:
        seen.add(len(x))
        return plain(self, x)

    monkeypatch.setattr(neurons.NeuronLayer, "forward", forward)
    module = sys.modules[type(tasks.get(cell.task)).__module__]
    monkeypatch.setattr(module, "gate", lambda *_: None, raising=False)  # its own lengths are no part of the cell
    list(tasks.get(cell.task).run(cell))
    return seen


def test_every_task_of_networks_is_tested() -> None:
    assert set(NETWORK_TASKS) >= {"accuracy", "temporal_gradient", "energy", "conversion", "training_speed"}
    assert set(LENGTHS) == {name for name in data.SOURCES if data.embedded(name)}


@pytest.mark.parametrize(
    ("task", "dataset"),
    [(task, name) for task in NETWORK_TASKS for name in LENGTHS if name != "psmnist5k" or task in FOR_LONG],
)
def test_networks(task: str, dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = cell_of(task, "lif", dataset=dataset)
    assert tasks.get(task).timesteps(cell) == LENGTHS[dataset]
    assert lengths_seen(cell, monkeypatch) == {LENGTHS[dataset]}


@pytest.mark.parametrize("task", ["accuracy", "energy"])
@pytest.mark.parametrize(("dataset", "steps"), [("digits", 1), ("japanese_vowels", 29)])
def test_a_neuron_without_memory(task: str, dataset: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = cell_of(task, "relu", dataset=dataset)
    assert tasks.get(task).timesteps(cell) == steps
    assert lengths_seen(cell, monkeypatch) == {steps}


@pytest.mark.parametrize("task", ["memory", "throughput"])
def test_layers(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = cell_of(task, "lif", timesteps=6)
    assert tasks.get(task).timesteps(cell) == 6
    assert lengths_seen(cell, monkeypatch) == {6}


def test_the_column_of_the_table(tmp_path: Path) -> None:
    """A sequence's T, the T of one look, and the T asked for, in one table; the conditions keep one name."""
    asked = [("lif", "delayed_recall", 8), ("relu", "digits", 1), ("lif", "digits", 3)]
    store = Store(tmp_path)
    cells = [cell_of("accuracy", neuron, dataset=dataset) for neuron, dataset, _ in asked]
    store.begin(cells)
    for cell in cells:
        value = tasks.Value("accuracy_final", 50.0)
        store.save(cell, replace(as_result([value], 1.0), timesteps=tasks.get("accuracy").timesteps(cell)))
    table = store.write_table()
    assert list(zip(table.neuron, table.dataset, table.timesteps, strict=True)) == asked
    kept = [json.loads(text).get("timesteps") for text in table.settings]
    assert kept == [3, 3, None]
    assert list(name_conditions(table).dataset) == ["delayed_recall", "digits", "digits"]
