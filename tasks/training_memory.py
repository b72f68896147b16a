"""Memory of a whole network in training, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from neurons.conformance import gate
from tasks.base import Cell, Metric, Value
from tasks.memory import peak_bytes
from tasks.training.network_task import NETWORK_SETTINGS, NetworkTask, budget
from tasks.training.step import TrainingStep

MEBIBYTE = 2**20


class TrainingMemory(NetworkTask):
    """Peak memory of a training step, above the network, its optimiser and the batch."""

    name = "training_memory"
    description = "peak memory of a training step of a network, in its own process"
    exclusive = True
    trains_whole = False
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS
    sources = ("training", "networks", "data", "memory.py", "measuring/devices.py")
    metrics = {
        "training_peak": Metric(
            "MiB", "peak of a training step above what network, gradients, optimiser and batch hold", "lower"
        ),
        "training_peak_reserved": Metric("MiB", "the same as reserved by the card's allocator", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets]

    def run(self, cell: Cell) -> Iterator[Value]:
        gate(cell.neuron_layer, cell.torch_device)
        training = TrainingStep(cell)
        training.step()  # the optimiser's state, libraries and thread pools start outside the measurement
        peak = peak_bytes(training.step, training.x.device)
        yield Value("training_peak", peak.allocated / MEBIBYTE)
        if peak.reserved is not None:
            yield Value("training_peak_reserved", peak.reserved / MEBIBYTE)
