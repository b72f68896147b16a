"""Is a package's neuron the model that it is held against? Compared before anything of it is timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch

from neurons.peers import equivalence
from tasks.base import Cell, Metric, Task, Value


class Equivalence(Task):
    """Spikes, potentials and gradients of an implementation against the float64 reference of its model."""

    name = "equivalence"
    description = "spikes, potentials and gradients against the float64 reference; where a package's neuron departs"
    settings: ClassVar[dict[str, Any]] = {"protocol": "controlled"}
    metrics = {
        "different_spikes": Metric("1", "spikes that differ over 1,792 neurons and 64 steps (detail: the relation)"),
        "departure_step": Metric("1", "first step at which anything departs (detail: under which drive)"),
        "departure_neuron": Metric("1", "first neuron that departs at that step"),
        "potential_error": Metric("1", "largest difference of potentials, relative to 1 plus the largest", "lower"),
        "gradient_error": Metric("1", "largest error of a gradient, relative to 1 plus its largest entry", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [{}]

    def seeds(self, profile: str, seeds: int) -> int:
        return 1

    def run(self, cell: Cell) -> Iterator[Value]:
        torch.manual_seed(cell.seed)
        layer = cell.neuron_layer(equivalence.CHANNELS, equivalence.TIMESTEPS)
        found = equivalence.compare(layer, cell.seed, cell.torch_device)
        yield Value("different_spikes", found.different_spikes, detail=found.relation)
        for metric, value in (
            ("departure_step", found.step),
            ("departure_neuron", found.neuron),
            ("potential_error", found.potential_error),
            ("gradient_error", found.gradient_error),
        ):
            if value is not None:
                yield Value(metric, value, detail=found.drive or "")
