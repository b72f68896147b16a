"""What a task is: a measurement that turns one cell into values, with its settings and metrics declared as data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import neurons
from neurons import NeuronLayer


class NotFinite(Exception):
    """A model produced NaN or Inf."""


@dataclass(frozen=True)
class Metric:
    """A measured quantity: its unit, what it is, and which direction is better (None: neither)."""

    unit: str
    description: str
    better: Literal["higher", "lower"] | None = None


@dataclass(frozen=True)
class Value:
    """One measured number; `layer`, `step` and `lag` place it where the metric has them, `detail` says it in words."""

    metric: str
    value: float
    layer: str | None = None
    step: int | None = None
    lag: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Cell:
    """One measurement to make: (task, neuron, backend, settings, seed). `settings` holds plain JSON values."""

    task: str
    neuron: str
    backend: str
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dataset(self) -> str | None:
        return self.settings.get("dataset")

    def neuron_layer(self, channels: int | None = None, timesteps: int | None = None) -> NeuronLayer:
        """A layer of the cell's neuron, by the cell's backend, protocol and parameters (settings `neuron.NAME`)."""
        prefix = "neuron."
        parameters = {key.removeprefix(prefix): value for key, value in self.settings.items() if key.startswith(prefix)}
        protocol = self.settings.get("protocol", "controlled")
        bptt_steps = self.settings.get("bptt_steps")
        return neurons.layer(self.neuron, channels, timesteps, self.backend, protocol, bptt_steps, **parameters)


class Task(ABC):
    """A measurement shared by all neurons.

    Attributes:
        exclusive: the cell must run alone on the machine (timings, memory).
        settings: every setting with its default; `--set key=value` may change these and no others.
        metrics: what `run` yields.
        sources: files or folders below `tasks/` that decide the values, beside the module itself.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    exclusive: ClassVar[bool] = False
    settings: ClassVar[Mapping[str, Any]]
    metrics: ClassVar[Mapping[str, Metric]]
    sources: ClassVar[Sequence[str]] = ()

    @abstractmethod
    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        """The settings of the cells of a profile ("smoke", "quick" or "full"), once for each neuron and seed."""

    @abstractmethod
    def run(self, cell: Cell) -> Iterator[Value]:
        """Measure one cell. Raises whatever the neuron raises; NotFinite for NaN or Inf."""

    def seeds(self, profile: str, seeds: int) -> int:
        """How many of the run's seeds this task uses; timings repeat inside a cell and take one."""
        return 1 if self.exclusive else seeds

    def timesteps(self, cell: Cell) -> int | None:
        """The time steps T that its neurons run over; None if the task runs none."""
        return cell.settings.get("timesteps")

    def batch(self, cell: Cell) -> Hashable:
        """Cells with an equal batch other than None are measured together, interleaved in one process."""
        return None

    def run_batch(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Value] | Exception]]:
        """Measure cells of one batch; an exception of one is its result and leaves the others."""
        for cell in cells:
            try:
                yield cell, list(self.run(cell))
            except Exception as error:
                yield cell, error


class InterleavedTask(Task):
    """A task whose cells are measured in turns: it brings `batch` and `run_batch`, and one cell is a batch of one."""

    def run(self, cell: Cell) -> Iterator[Value]:
        for _, result in self.run_batch([cell]):
            if isinstance(result, Exception):
                raise result
            yield from result
