"""Micro-benchmarks of every neuron and backend, for `nox -s microbench`: pytest-benchmark, grouped by time steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import neurons
import tasks
from neurons import BackendUnavailable
from neurons.conformance import gate
from suite.runs.backend import resolved
from tasks import Cell
from tasks.measuring import devices
from tasks.measuring.workload import LayerWorkload


@pytest.mark.parametrize("steps", [8, 64])
@pytest.mark.parametrize("backend", ["reference", "auto", "spikingjelly"])
@pytest.mark.parametrize("name", neurons.select(["default"]))
def test_forward_backward(benchmark: Any, name: str, backend: str, steps: int, device: str) -> None:
    """Forward and backward of 65,536 neurons on the device; a backend that does not conform is not timed."""
    torch.set_num_threads(1)
    benchmark.group = f"T = {steps}"
    backend = resolved(backend, name, device)
    benchmark.name = f"{name} {backend}"
    settings = {**tasks.get("throughput").settings, "timesteps": steps, "elements": 1 << 16}
    cell = Cell("throughput", name, backend, 0, settings, device)
    try:
        gate(cell.neuron_layer, cell.torch_device)
    except BackendUnavailable as error:
        pytest.skip(str(error))
    workload = LayerWorkload.of(cell)

    def work() -> None:
        workload.forward_backward()
        devices.of(device).synchronize(cell.torch_device)

    benchmark.pedantic(work, rounds=7, warmup_rounds=1)
