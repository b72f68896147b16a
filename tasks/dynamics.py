"""One neuron under Poisson input: potentials and spikes over time, rate against input rate, autocorrelation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from neurons import BackendUnavailable, NeuronLayer
from neurons.reference import steps
from tasks.base import Cell, Metric, Range, Task, Value

TRACED_STEPS, LAGS = 100, 20


def traces(layer: NeuronLayer, current: Tensor) -> dict[str, Tensor]:
    """Output and states [T, N] of every step of a layer of one channel, for input current [T, N].

    Raises:
        BackendUnavailable: the neuron is no step over time, so it has no states to look at.
    """
    neuron = layer.neuron
    if not neuron.runs_over_time():
        raise BackendUnavailable(f"{neuron.name} has no step of the suite, so there are no states to trace")
    kept: dict[str, list[Tensor]] = {name: [] for name in ("output", *neuron.states)}
    with torch.no_grad():
        for output, states in steps(neuron, dict(layer.named_parameters()), current.unsqueeze(-1)):
            for name, value in zip(kept, (output, *states), strict=True):
                kept[name].append(value.squeeze(-1))
    return {name: torch.stack(values) for name, values in kept.items()}


def autocorrelation(values: Tensor, lags: int) -> list[float]:
    """Of [T, N] over time for lag 1 to `lags`, but at most T − 1; mean over neurons, 0 for a constant."""
    centred = values - values.mean(0)
    variance = (centred * centred).mean(0)
    result = []
    for lag in range(1, min(lags, len(values) - 1) + 1):
        covariance = (centred[lag:] * centred[:-lag]).mean(0)
        result.append(float(torch.where(variance > 0, covariance / variance.clamp(min=1e-12), 0.0).mean()))
    return result


def correlation(values: Tensor, lags: int) -> list[float]:
    """R_x[k] = 1/N Σ x[n]·x[n − k] of [N, neurons] for k = 0 to `lags` (CLIF paper, Appendix F), mean over neurons.

    The mean of x stays in, so R_x of a signal that is never negative never falls to 0.
    """
    steps = len(values)
    return [float((values[k:] * values[: steps - k]).sum(0).mean() / steps) for k in range(min(lags, steps - 1) + 1)]


class Dynamics(Task):
    """The same Poisson spikes, weighted, into one neuron of each model.

    The weight stays below the threshold of 1: above it every input spike fires a LIF, which then copies its input.
    """

    name = "dynamics"
    description = "one neuron under Poisson input: traces, rate, autocorrelation of its states"
    settings: ClassVar[dict[str, Any]] = {
        "timesteps": 1000,
        "input_rate": 0.3,
        "weight": 0.9,
        "samples": 64,
        "protocol": "controlled",
    }
    ranges = {"input_rate": Range(float, least=0, most=1)}
    metrics = {
        "trace": Metric("1", "a value over time of the first neuron (layer: which; step: time step)"),
        "firing_rate": Metric("spikes/step", "mean output"),
        "autocorrelation": Metric("1", "autocorrelation over time by lag (layer: of which state), mean taken out"),
        "correlation": Metric("1", "R_x[k] of the CLIF paper's Appendix F by lag k from 0 (layer: of which state)"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        steps = 200 if profile == "smoke" else 1000
        rates, weights = (0.1, 0.3, 0.5, 0.7, 0.9), (0.5, 0.9)
        return [{"timesteps": steps, "input_rate": rate, "weight": weight} for rate in rates for weight in weights]

    def seeds(self, profile: str, seeds: int) -> int:
        return 1

    def run(self, cell: Cell) -> Iterator[Value]:
        settings = cell.settings
        shape = (settings["timesteps"], settings["samples"])
        spikes = torch.rand(shape, generator=torch.Generator().manual_seed(cell.seed)) < settings["input_rate"]
        torch.manual_seed(cell.seed)
        layer = cell.neuron_layer(channels=1, timesteps=shape[0])
        found = traces(layer, (settings["weight"] * spikes.float()).to(cell.torch_device))
        yield Value("firing_rate", float(found["output"].mean()))
        for name, values in found.items():
            for step, value in enumerate(values[:TRACED_STEPS, 0].tolist()):
                yield Value("trace", value, name, step=step)
            if name != "output":
                for lag, value in enumerate(autocorrelation(values, LAGS), 1):
                    yield Value("autocorrelation", value, name, lag=lag)
                for lag, value in enumerate(correlation(values, LAGS)):
                    yield Value("correlation", value, name, lag=lag)
