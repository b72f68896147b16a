"""Speed of a whole network in training: all neurons of one data set in one process, in interleaved rounds.

The baseline and a plain copy run in the same rounds, so that a neuron that is measured later can be held against the
others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch

from neurons.conformance import gate
from tasks.base import Cell, InterleavedTask, Metric, Value
from tasks.measuring import devices
from tasks.measuring.timing import CARD_METRICS, COPY_WORK, CardWatch, Spread, add_baseline, interleave, spread_values
from tasks.training.network_task import NETWORK_SETTINGS, NetworkTask, budget
from tasks.training.step import TrainingStep

ENERGY_SECONDS = 2.0
"""How long the steps go on whose energy is read: the counters move every 20 to 100 ms."""
COPY_ELEMENTS = 1 << 22
"""Of float32: more than the caches of a core hold."""


class TrainingSpeed(NetworkTask, InterleavedTask):
    """Training samples per second, with all threads."""

    name = "training_speed"
    description = "training samples per second of a network, all threads, and the neurons' share of the time"
    main = True
    exclusive = True
    trains_whole = False
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"rounds": 7}
    sources = ("training", "networks", "data", "measuring/timing.py", "measuring/devices.py")
    metrics = {
        "training_speed": Metric("samples/s", "training steps, median of rounds", "higher"),
        "training_speed_p20": Metric("samples/s", "20th percentile of the rounds", "higher"),
        "training_speed_p80": Metric("samples/s", "80th percentile of the rounds", "higher"),
        "training_speed_over_baseline": Metric("1", "over that with LIF by the fused kernel, same rounds", "higher"),
        "training_speed_over_baseline_p20": Metric("1", "20th percentile of the rounds", "higher"),
        "training_speed_over_baseline_p80": Metric("1", "80th percentile of the rounds", "higher"),
        "copy_bandwidth": Metric("GB/s", "bytes read and written by a copy of 16 MiB, same rounds"),
        "step_energy": Metric("J", "energy of a training step by the card's own counter, measured", "lower"),
        **CARD_METRICS,
        "neuron_share": Metric("1", "time of the neurons alone on their inputs over that of the whole step", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets]

    def batch(self, cell: Cell) -> Hashable:
        """Models with other constants still share the rounds."""
        return tuple(sorted((key, str(value)) for key, value in cell.settings.items() if not key.startswith("neuron.")))

    def run_batch(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Value] | Exception]]:
        steps: dict[Hashable, TrainingStep] = {}
        for index, cell in enumerate(cells):
            try:
                steps[index] = _prepared(cell)
            except Exception as error:
                yield cell, error
        if not steps:
            return
        measured = list(steps)
        device = next(iter(steps.values())).x.device
        baseline, missing = add_baseline(cells, steps, device, _prepared)
        source = torch.ones(COPY_ELEMENTS, device=device)
        target = torch.empty_like(source)
        works: dict[Hashable, Callable[[], object]] = {COPY_WORK: lambda: target.copy_(source)}
        for key, training in steps.items():
            works[key, "step"] = training.step
            works[key, "neurons"] = training.neurons_alone
        watch = CardWatch(device)
        times = interleave(works, cells[0].settings["rounds"], device, watch.look)
        bandwidth = Value("copy_bandwidth", 2 * source.nbytes / times[COPY_WORK].p50 / 1e9, detail=missing)
        for index, cell in enumerate(cells):
            if index in measured:
                values = [*_speeds(index, cell, times, baseline), bandwidth, *watch.values()]
                yield cell, [*values, *_energy(steps[index], times[index, "step"].p50)]


def _prepared(cell: Cell) -> TrainingStep:
    gate(cell.neuron_layer, cell.torch_device)
    training = TrainingStep(cell)
    training.step()
    training.record_currents()
    training.neurons_alone()
    return training


def _energy(training: TrainingStep, seconds: float) -> Iterator[Value]:
    """Joules of a step; nothing where the device has no counter, as no number stands for what was not measured."""
    device = training.x.device
    own, steps = devices.of(device), max(1, math.ceil(ENERGY_SECONDS / seconds))
    before = own.joules(device)
    if before is None:
        return
    for _ in range(steps):
        training.step()
    own.synchronize(device)
    after = own.joules(device)
    assert after is not None
    yield Value("step_energy", (after - before) / steps, detail=f"{steps} steps, with what the card draws at rest")


def _speeds(index: int, cell: Cell, times: Mapping[Hashable, Spread], baseline: Hashable) -> Iterator[Value]:
    """Samples a second: the more, the less time."""
    step = times[index, "step"]
    samples = cell.settings["batch_size"]
    yield from spread_values("training_speed", Spread(samples / step.p80, samples / step.p50, samples / step.p20))
    if (baseline, "step") in times:
        yield from spread_values("training_speed_over_baseline", times[baseline, "step"].over(step))
    yield Value("neuron_share", times[index, "neurons"].p50 / step.p50)
