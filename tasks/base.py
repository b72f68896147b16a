"""What a task is: a measurement that turns one cell into values, with its settings and metrics declared as data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

import neurons
from neurons import InvalidValue, NeuronLayer, UnknownName
from neurons.layer import PROTOCOLS
from tasks.measuring import devices


class NotFinite(Exception):
    """A model produced NaN or Inf."""


@dataclass(frozen=True)
class Metric:
    """A measured quantity.

    Attributes:
        better: which direction is (None: neither).
        exact: counted, not measured: the same in every run of the same code, on any machine.
    """

    unit: str
    description: str
    better: Literal["higher", "lower"] | None = None
    exact: bool = False


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
    """One measurement to make: (task, neuron, backend, device, settings, seed). `settings` holds plain JSON values.

    Everything of a cell lives on its device (see `tasks.measuring.devices`): data, network, neurons.
    """

    task: str
    neuron: str
    backend: str
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    @property
    def torch_device(self) -> torch.device:
        """Where its tensors are; of several cards the first, unless it was given another."""
        return devices.torch_device(self.device)

    @property
    def dataset(self) -> str | None:
        return self.settings.get("dataset")

    def neuron_layer(self, channels: int | None = None, timesteps: int | None = None) -> NeuronLayer:
        """A layer of the cell's neuron on its device, by its backend, protocol and parameters (`neuron.NAME`).

        Its first values are drawn on the CPU, so that they are the same on every device.
        """
        prefix = "neuron."
        parameters = {key.removeprefix(prefix): value for key, value in self.settings.items() if key.startswith(prefix)}
        protocol = self.settings.get("protocol", "controlled")
        bptt_steps = self.settings.get("bptt_steps")
        layer = neurons.layer(self.neuron, channels, timesteps, self.backend, protocol, bptt_steps, **parameters)
        return layer.to(self.torch_device)


@dataclass(frozen=True)
class Range:
    """What a setting may be, so that a wrong one is refused before anything runs.

    Attributes:
        kind: the type of its value.
        least, most: the smallest and the largest number.
        above: a number that it must exceed.
        choices: the names that it may be, asked for when it is needed.
        optional: None is a value, too; the task's `settings` say what it means.
    """

    kind: type[int] | type[float] | type[str] | type[bool]
    least: float | None = None
    most: float | None = None
    above: float | None = None
    choices: Callable[[], Iterable[str]] | None = None
    optional: bool = False

    def value(self, name: str, given: Any) -> Any:
        """The value of the setting `name` in its type.

        Raises:
            UnknownName, InvalidValue: it is out of the range; the message says what is in it.
        """
        if given is None and self.optional:
            return None
        value = _as_kind(self.kind, given)
        if value is None or not self._holds(value):
            raise InvalidValue(f"setting {name}={_shown(given)}: {self}")
        if self.choices is not None and value not in (known := list(self.choices())):
            raise UnknownName(name, value, known)
        return value

    def _holds(self, value: Any) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
        )

    def __str__(self) -> str:
        kinds = {int: "a whole number", float: "a number", str: "a name", bool: "true or false"}
        bounds = [f"at least {self.least:g}"] if self.least is not None else []
        bounds += [f"above {self.above:g}"] if self.above is not None else []
        bounds += [f"at most {self.most:g}"] if self.most is not None else []
        wanted = " ".join([kinds[self.kind], " and ".join(bounds)]).strip()
        return f"{wanted} is wanted" + (", or null" if self.optional else "")


def _as_kind(kind: type, given: Any) -> Any:
    """The value as that type if it is one of it, else None; 3.0 is a whole number, true is no number."""
    if kind in (str, bool):
        return given if isinstance(given, kind) else None
    if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) <= LARGEST:
        return None
    if kind is int:
        return int(given) if given == int(given) else None
    return float(given)


def _shown(given: Any) -> str:
    text = str(given)
    return text if len(text) <= 60 else f"{text[:59]}…"


LARGEST = 2**53
"""Numbers beyond it are no setting of anything here; JSON would not keep whole ones, either."""
COMMON_RANGES: Mapping[str, Range] = {
    "timesteps": Range(int, least=1),
    "elements": Range(int, least=1),
    "rounds": Range(int, least=1),
    "processes": Range(int, least=1),
    "samples": Range(int, least=1),
    "protocol": Range(str, choices=lambda: PROTOCOLS),
}
"""The ranges of settings that mean the same in every task that has them."""


class Task(ABC):
    """A measurement shared by all neurons.

    Attributes:
        main: a run measures it unless told otherwise.
        exclusive: the cell must run alone on the machine (timings, memory).
        settings: every setting with its default; `--set key=value` may change these and no others.
        ranges: what the settings may be, beside COMMON_RANGES; one in neither may be what is like its default.
        metrics: what `run` yields.
        sources: files or folders below `tasks/` that decide the values, beside the module itself.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    main: ClassVar[bool] = False
    exclusive: ClassVar[bool] = False
    settings: ClassVar[Mapping[str, Any]]
    ranges: ClassVar[Mapping[str, Range]] = {}
    metrics: ClassVar[Mapping[str, Metric]]
    sources: ClassVar[Sequence[str]] = ()

    def range(self, name: str) -> Range:
        """What a setting of this task may be."""
        known = {**COMMON_RANGES, **self.ranges}
        default = self.settings[name]
        return (
            known[name] if name in known else Range(str if default is None else type(default), optional=default is None)
        )

    def refusal(self, settings: Mapping[str, Any]) -> str | None:
        """Why these settings do not go together, in one line, or None; each alone is in its range."""
        return None

    def refusal_on(self, device: str, settings: Mapping[str, Any]) -> str | None:
        """Why a device of that kind cannot do what these settings ask, in one line, or None."""
        return None

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

    def unfinished(self, log: Path) -> list[Value]:
        """What a cell that failed or ran out of time had measured until then, by what lies beside its log."""
        return []

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
