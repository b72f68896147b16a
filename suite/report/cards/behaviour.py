"""What a model does: its answer to a step, a ramp and Poisson spikes, its rate, surrogate and gradient by lag."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

import neurons
from neurons import NeuronLayer
from tasks.dynamics import traces
from tasks.measuring.workload import drive
from tasks.temporal_gradient import HORIZON_SHARE, temporal_jacobian

STEPS = 100
"""Of the responses and of the rates."""
POISSON_RATE, WEIGHT = 0.3, 0.9
STRONGEST = 3.0
"""Input up to which rates are told."""
SETTLING = 40
"""Steps at the start that a rate leaves out."""
CHANNELS = 16
"""Neurons with draws of their own over which rates are averaged."""
LAG_STEPS, LAG_NEURONS = 24, 256


@dataclass(frozen=True)
class Response:
    """One neuron's answer to one input: [T] each, `values` the output and then the states, by name."""

    title: str
    input: list[float]
    values: Mapping[str, list[float]]


@dataclass(frozen=True)
class Curve:
    """y over x."""

    x: list[float]
    y: list[float]


@dataclass(frozen=True)
class Behaviour:
    """All that a card draws of a model in its controlled protocol, untrained.

    Attributes:
        rate: mean output against a constant input.
        output, slope: of the first step of a neuron at rest, against its input: value, and gradient by that input.
        lags: mean |∂s[t']/∂x[t]| by lag t' − t, over that of lag 0; of earlier outputs too if not causal.
    """

    responses: list[Response]
    rate: Curve
    output: Curve
    slope: Curve
    lags: Curve

    @property
    def reach(self) -> int | None:
        """The largest lag with 1 % of the gradient of lag 0; None where there is no gradient at lag 0."""
        if not all(map(math.isfinite, self.lags.y)):
            return None
        return max((int(x) for x, y in zip(self.lags.x, self.lags.y, strict=True) if y >= HORIZON_SHARE), default=0)


def behaviour(name: str) -> Behaviour:
    """Measure a model by its reference loop on the CPU; what it draws at random is seeded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        single = neurons.layer(name, channels=1, timesteps=STEPS, backend="reference")
        several = neurons.layer(name, channels=CHANNELS, timesteps=STEPS, backend="reference")
        short = neurons.layer(name, channels=1, timesteps=8, backend="reference")
        x = drive(LAG_STEPS, LAG_NEURONS, seed=0)
        deep = neurons.layer(name, channels=x.shape[2], timesteps=LAG_STEPS, backend="reference")
        output, slope = _first_step(short)
        return Behaviour(
            [_response(single, title, current) for title, current in inputs().items()],
            _rates(several),
            output,
            slope,
            _lags(deep, x),
        )


def inputs() -> dict[str, Tensor]:
    """[T] of each input: a step, a ramp, and spikes of a fixed seed."""
    time = torch.arange(STEPS)
    spikes = torch.rand(STEPS, generator=torch.Generator().manual_seed(1)) < POISSON_RATE
    return {
        "Step of 0.8": 0.8 * ((time >= 20) & (time < 80)).float(),
        "Ramp to 2": 2 * time.float() / (STEPS - 1),
        f"Poisson spikes, rate {POISSON_RATE}, weight {WEIGHT}": WEIGHT * spikes.float(),
    }


def _response(layer: NeuronLayer, title: str, current: Tensor) -> Response:
    if layer.neuron.runs_over_time():
        found = traces(layer, current.unsqueeze(1))
    else:
        with torch.no_grad():
            found = {"output": layer(current.view(-1, 1, 1)).squeeze(2)}
    return Response(title, current.tolist(), {name: values[:, 0].tolist() for name, values in found.items()})


def _rates(layer: NeuronLayer) -> Curve:
    levels = torch.linspace(0, STRONGEST, 61)
    with torch.no_grad():
        output = layer(levels.view(1, -1, 1).expand(STEPS, -1, CHANNELS).contiguous())
    return Curve(levels.tolist(), output[SETTLING:].mean((0, 2)).tolist())


def _first_step(layer: NeuronLayer) -> tuple[Curve, Curve]:
    levels = torch.linspace(-1, 4, 2501)
    steps = layer.neuron.timesteps or 1
    x = torch.cat([levels.view(1, -1, 1), torch.zeros(steps - 1, len(levels), 1)]).requires_grad_()
    output = layer(x)[0]
    (gradient,) = torch.autograd.grad(output.sum(), x, allow_unused=True, materialize_grads=True)
    at = levels.tolist()
    return Curve(at, output.flatten().tolist()), Curve(at, gradient[0].flatten().tolist())


def _lags(layer: NeuronLayer, x: Tensor) -> Curve:
    jacobian = temporal_jacobian(layer, x).abs().flatten(2).mean(2)
    steps = len(x)
    first = 0 if layer.neuron.causal else 1 - steps
    means = [float(jacobian.diagonal(-lag).mean()) for lag in range(first, steps)]
    at_0 = means[-first]
    return Curve([float(lag) for lag in range(first, steps)], [mean / at_0 if at_0 else float("nan") for mean in means])
