"""Speed of a whole network in training: all neurons of one data set in one process, in interleaved rounds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, ClassVar

from neurons.conformance import gate
from tasks.accuracy.task import NETWORK_SETTINGS, NetworkTask, budget
from tasks.base import Cell, InterleavedTask, Metric, Value
from tasks.timing import interleave
from tasks.training_step import TrainingStep


class TrainingSpeed(NetworkTask, InterleavedTask):
    """Training samples per second, with all threads."""

    name = "training_speed"
    description = "training samples per second of a network, all threads, and the neurons' share of the time"
    exclusive = True
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"rounds": 7}
    sources = ("accuracy", "networks.py", "cache.py", "timing.py", "training_step.py")
    metrics = {
        "training_speed": Metric("samples/s", "training steps, median of rounds", "higher"),
        "neuron_share": Metric("1", "time of the neurons alone on their inputs over that of the whole step", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets]

    def batch(self, cell: Cell) -> Hashable:
        """Models with other constants still share the rounds."""
        return tuple(sorted((key, str(value)) for key, value in cell.settings.items() if not key.startswith("neuron.")))

    def run_batch(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Value] | Exception]]:
        works: dict[Hashable, Callable[[], None]] = {}
        for index, cell in enumerate(cells):
            try:
                gate(cell.neuron_layer)
                training = TrainingStep(cell)
                training.step()
                training.record_currents()
                training.neurons_alone()
            except Exception as error:
                yield cell, error
            else:
                works[index, "step"] = training.step
                works[index, "neurons"] = training.neurons_alone
        times = interleave(works, cells[0].settings["rounds"])
        for index, cell in enumerate(cells):
            if (index, "step") in times:
                step = times[index, "step"].p50
                yield (
                    cell,
                    [
                        Value("training_speed", cell.settings["batch_size"] / step),
                        Value("neuron_share", times[index, "neurons"].p50 / step),
                    ],
                )
