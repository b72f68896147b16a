"""What `--profile gpu` measures of a card: whether its kernels are right, what they cost, and what networks gain.

Every cell runs on the card; packages that are not installed leave cells that are `unavailable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import neurons
import tasks
from neurons import peers
from suite.runs.backend import resolved
from tasks import Cell, data
from tasks.measuring.workload import DTYPES

LENGTHS = (1, 4, 8, 32, 128, 1024)
SIZES = (1 << 15, 1 << 20, 1 << 25)
"""Neurons × time steps, from those whose time is that of their launches to those that fill a card."""
LARGEST = 1 << 30
"""Of these but LIF and CLIF have room beside each other: 4 GiB an input."""
BEYOND_32_BITS = (1 << 31) + 1
FEW = ("lif", "clif")
FLEXIBLE = ("spikingjelly.lif_flexsn", "spikingjelly.clif_flexsn")
"""The same two as steps from which spikingjelly makes its own kernels."""
CIFAR_SIZED: dict[str, Any] = {
    **{"dataset": "random_images", "network": "resnet18", "width": 64, "batch_size": 64, "timesteps": 4},
    "rounds": 5,
}


def grid(device: str, models: Sequence[str], seeds: int) -> list[Cell]:
    """The cells of a card: the standard models, and of conformance and accuracy the `models`."""
    return [*_conformance(device), *_layers(device, models), *_training(device), *_networks(device, models, seeds)]


def _cell(task: str, neuron: str, backend: str, device: str, seed: int = 0, **settings: Any) -> Cell:
    known = tasks.get(task).settings
    own = {name: value for name, value in settings.items() if name in known}
    return Cell(task, neuron, backend, seed, {**known, **own}, device)


def _fused(neuron: str, device: str) -> str:
    return resolved("auto", neuron, device)


def _conformance(device: str) -> Iterator[Cell]:
    for neuron in neurons.names():
        for dtype in DTYPES:
            yield _cell("conformance", neuron, _fused(neuron, device), device, dtype=dtype)
    for neuron in FEW:
        backend = _fused(neuron, device)
        yield _cell("conformance", neuron, backend, device, dtype="float16", elements=BEYOND_32_BITS)


def _layers(device: str, models: Sequence[str]) -> Iterator[Cell]:
    for size in (*SIZES, LARGEST):
        for timesteps in LENGTHS:
            for neuron in FEW if size == LARGEST else models:
                settings = {"timesteps": timesteps, "elements": max(64, size // timesteps), "rounds": 5}
                yield _cell("throughput", neuron, _fused(neuron, device), device, **settings)
    for timesteps in (8, 128):
        for neuron in models:
            settings = {"timesteps": timesteps, "elements": (1 << 25) // timesteps}
            yield _cell("memory", neuron, _fused(neuron, device), device, **settings)


def _training(device: str) -> Iterator[Cell]:
    """A training step of ResNet-18 by every backend that computes the model, and by every package."""
    for neuron in FEW:
        for backend in (_fused(neuron, device), "reference", "compile", *peers.beside_torch()):
            for task in ("training_speed", "training_memory"):
                yield _cell(task, neuron, backend, device, **CIFAR_SIZED)
    for peer in FLEXIBLE:
        for task in ("training_speed", "training_memory"):
            yield _cell(task, peer, "spikingjelly", device, **CIFAR_SIZED)


def _networks(device: str, models: Sequence[str], seeds: int) -> Iterator[Cell]:
    for neuron in models:
        backend = _fused(neuron, device)
        for name, source in data.SOURCES.items():
            if source.timings_alone or not data.embedded(name):
                continue
            settings = {"dataset": name, "network": source.network} | dict(source.budgets.get("quick", {}))
            for seed in range(seeds):
                yield _cell("accuracy", neuron, backend, device, seed, **settings)
            if name in ("digits", "japanese_vowels"):
                for progress in (0.0, 1.0):
                    yield _cell("temporal_gradient", neuron, backend, device, progress=progress, **settings)
