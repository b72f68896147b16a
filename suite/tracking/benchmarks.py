"""Speed, memory, accuracy and temporal gradient of every registered neuron, for `nox -s asv`.

ASV takes less of any figure for better, so errors are tracked where other pages show accuracies.
"""

from __future__ import annotations

import os
from typing import Any

import torch

import neurons
import tasks
from suite.runs.backend import resolved
from suite.tracking.track import DEVICE_VARIABLE
from tasks import Cell
from tasks.measuring import devices
from tasks.measuring.workload import LayerWorkload, drive
from tasks.memory import peak_bytes, saved_bytes
from tasks.temporal_gradient import decompose, temporal_jacobian
from tasks.training.network_task import budget

MODELS = neurons.select(["default"])
STEPS = [8, 64]
ELEMENTS = 1 << 16
TRAINING = {"epochs": 6, "train_samples": None}


DEVICE = devices.resolve(os.environ.get(DEVICE_VARIABLE, "cpu"))
PLACE = devices.torch_device(DEVICE)


def cell(task: str, name: str, **settings: Any) -> Cell:
    """A cell by the fused kernel of the device that is tracked."""
    return Cell(task, name, resolved("auto", name, DEVICE), 0, {**tasks.get(task).settings, **settings}, DEVICE)


class Layer:
    """One layer of neurons, forward and backward."""

    params = (MODELS, STEPS)
    param_names = ("neuron", "timesteps")
    timeout = 300

    def setup(self, name: str, steps: int) -> None:
        torch.set_num_threads(1)
        self.workload = LayerWorkload.of(cell("throughput", name, timesteps=steps, elements=ELEMENTS))
        self.workload.forward_backward()

    def time_forward(self, name: str, steps: int) -> None:
        self.workload.forward()
        devices.of(PLACE).synchronize(PLACE)

    def time_forward_backward(self, name: str, steps: int) -> None:
        self.workload.forward_backward()
        devices.of(PLACE).synchronize(PLACE)

    def track_saved_bytes(self, name: str, steps: int) -> float:
        workload = self.workload
        saved = saved_bytes(lambda: workload.layer(workload.x), list(workload.layer.parameters()))
        return saved / workload.element_steps

    def track_peak_bytes(self, name: str, steps: int) -> float:
        self.workload.x.grad = None  # of the call in setup; the gradient belongs to the peak
        self.workload.layer.zero_grad(set_to_none=True)
        return peak_bytes(self.workload.forward_backward, PLACE).allocated / self.workload.element_steps

    track_saved_bytes.unit = track_peak_bytes.unit = "B/element-step"  # type: ignore[attr-defined]


class Network:
    """What a short, fixed training gives."""

    params = (MODELS,)
    param_names = ("neuron",)
    timeout = 300

    def setup(self, name: str) -> None:
        torch.set_num_threads(1)

    def track_error(self, name: str) -> float:
        settings = budget("smoke", "digits") | TRAINING
        values = tasks.get("accuracy").run(cell("accuracy", name, **settings))
        return 100 - next(value.value for value in values if value.metric == "accuracy_selected")

    def track_spatial_share(self, name: str) -> float:
        """The gradient of a neuron's own step over that with all later steps; 1 if nothing goes back in time."""
        x = drive(16, 64 * 16, seed=0, device=PLACE)
        layer = cell("throughput", name).neuron_layer(channels=64, timesteps=16)
        return 1 / (1 + decompose(temporal_jacobian(layer, x), torch.ones_like(x)).ratio())

    track_error.unit = "% wrong"  # type: ignore[attr-defined]
    track_spatial_share.unit = "1"  # type: ignore[attr-defined]


def timeraw_import() -> tuple[str, str]:
    """Import of the neurons package beyond torch, in a fresh process: what is timed, and what is done before."""
    return "import neurons; neurons.names()", "import torch"


timeraw_import.number = 1  # type: ignore[attr-defined]
