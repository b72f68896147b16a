"""What is timed of a neuron behind a Linear: works of this process, or of one that runs packages of JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from neurons import NeuronLayer
from neurons.peers.apart import PLATFORMS, Apart
from neurons.peers.jax_peer import JaxPeer
from neurons.peers.peer import versioned
from tasks.base import Cell, Value
from tasks.measuring.linear_workload import Behind, Synapse
from tasks.measuring.timing import Work
from tasks.memory import peak_bytes

GIBIBYTE = 2**30
DIRECTIONS = ("forward", "forward_backward")


@dataclass
class Contender:
    """Neurons that are timed.

    Attributes:
        works: of the neurons alone, by direction.
        linear: the name of the Linear that they are held beside, of the same framework.
        both: makes the work of both together, forward and backward.
        peak: bytes by which memory grows at most during a work.
        known: what is known before the rounds.
    """

    works: Mapping[str, Work]
    linear: str
    both: Callable[[], Work]
    peak: Callable[[Work], int]
    known: list[Value]


def of_torch(synapse: Synapse, layer: NeuronLayer, known: Sequence[Value]) -> Contender:
    """Neurons of this process."""
    behind, device = Behind(synapse, layer), synapse.current.device
    works: dict[str, Work] = {"forward": behind.forward, "forward_backward": behind.forward_backward}

    def peak(work: Work) -> int:
        behind.clear()  # gradients of earlier works, which this one frees as it begins, would hide as much of its peak
        return peak_bytes(work, device).allocated

    return Contender(works, "torch", lambda: behind.together, peak, list(known))


def linear_of_torch(synapse: Synapse) -> dict[str, Work]:
    """The Linear alone, by direction."""
    return {"forward": synapse.forward, "forward_backward": synapse.forward_backward}


@dataclass(frozen=True)
class There:
    """A work that was prepared in another process under a key."""

    process: Apart
    key: object
    direction: str

    def __call__(self) -> float:
        return self.seconds(1)

    def seconds(self, repeats: int) -> float:
        found = self.process.ask("seconds", self.key, self.direction, repeats)
        return float(found)

    def peak(self) -> int:
        """Bytes by which that process grows at most during one call."""
        return int(self.process.ask("peak", self.key, self.direction))


@dataclass
class OfJax:
    """The process of JAX of a batch, started when a cell first needs it, and ended with the batch."""

    process: Apart | None = field(default=None, init=False)

    def __enter__(self) -> OfJax:
        return self

    def __exit__(self, *of_error: object) -> None:
        if self.process is not None:
            self.process.close()

    def forget(self) -> None:
        """Free what was prepared."""
        if self.process is not None and self.process.alive:
            self.process.ask("forget")

    def contender(self, cell: Cell, neuron: JaxPeer, synapse: Synapse, known: Sequence[Value]) -> Contender:
        """Neurons of a package of JAX, compiled for the size of the synapse."""
        process, named = self._started(synapse.current.device), neuron.named
        steps, batch, width = synapse.current.shape
        seconds = process.ask("neuron", named, (steps, batch), width, cell.seed)
        told = f"{versioned(neuron.package)}, {versioned('jax')}: {neuron.class_name}, {neuron.call}"

        def both() -> Work:
            process.ask("together", named, (steps, batch), width, cell.settings["input_gradient"], cell.seed)
            return There(process, ("together", named), "forward_backward")

        works: dict[str, Work] = {direction: There(process, named, direction) for direction in DIRECTIONS}
        return Contender(works, "jax", both, _peak, [*known, Value("jit_time", seconds, detail=told)])

    def linear(self, cell: Cell, synapse: Synapse) -> dict[str, Work]:
        """JAX's Linear alone on as many rows as the synapse has, by direction."""
        process = self._started(synapse.current.device)
        *rows, width = synapse.x.shape
        process.ask("linear", tuple(rows), width, cell.settings["input_gradient"], cell.seed)
        return {direction: There(process, "linear", direction) for direction in DIRECTIONS}

    def _started(self, device: torch.device) -> Apart:
        if self.process is None or not self.process.alive:
            self.process = Apart(PLATFORMS[device.type])
        return self.process


def _peak(work: Work) -> int:
    assert isinstance(work, There)
    return work.peak()


def peaks(contender: Contender, both: Work | None) -> Iterator[Value]:
    """Peak memory of the neurons alone, and of both together where they are measured so."""
    yield Value("neuron_peak", contender.peak(contender.works["forward_backward"]) / GIBIBYTE)
    if both is not None:
        yield Value("together_peak", contender.peak(both) / GIBIBYTE)
