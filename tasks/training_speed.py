"""Speed of a whole network in training: all neurons of one data set in one process, in interleaved rounds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, ClassVar

import torch

from neurons.conformance import gate
from tasks.accuracy.task import NETWORK_SETTINGS, budget, prepare
from tasks.accuracy.training import LOSSES, Recipe, read_out
from tasks.base import Cell, InterleavedTask, Metric, Value
from tasks.timing import interleave


class TrainingSpeed(InterleavedTask):
    """Training samples per second, with all threads."""

    name = "training_speed"
    description = "training samples per second of a network, all threads"
    exclusive = True
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"rounds": 7}
    sources = ("accuracy", "networks.py", "cache.py", "timing.py")
    metrics = {"training_speed": Metric("samples/s", "training steps, median of rounds", "higher")}

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets]

    def batch(self, cell: Cell) -> Hashable:
        return tuple(sorted((key, str(value)) for key, value in cell.settings.items()))

    def run_batch(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Value] | Exception]]:
        works: dict[int, Callable[[], None]] = {}
        for index, cell in enumerate(cells):
            try:
                gate(cell.neuron, cell.backend, cell.settings["protocol"])
                work = _training_step(cell)
                work()
            except Exception as error:
                yield cell, error
            else:
                works[index] = work
        times = interleave(works, cells[0].settings["rounds"])
        for index, spread in times.items():
            cell = cells[index]
            yield cell, [Value("training_speed", cell.settings["batch_size"] / spread.p50)]


def _training_step(cell: Cell) -> Callable[[], None]:
    dataset, network = prepare(cell)
    recipe = Recipe.from_settings(dict(cell.settings))
    optimizer = recipe.make_optimizer(network)
    inputs, labels = dataset.part("train")
    repeated = torch.arange(recipe.batch_size) % len(labels)
    x, y = inputs[repeated], labels[repeated]

    def step() -> None:
        loss = LOSSES[recipe.loss](read_out(network(x), dataset.readout), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step
