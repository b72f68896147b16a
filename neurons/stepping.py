"""One step of a layer with its state outside, for loops that somebody else writes: recurrent networks, streaming.

The step is run as plain torch, whatever backend the layer has: T calls equal one call of the reference backend to the
last bit, and of a fused backend as far as its conformance says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurons.errors import BackendUnavailable, InvalidValue
from neurons.learnable import broadcastable
from neurons.model import Neuron
from neurons.reference import per_step_names


@dataclass(frozen=True)
class LayerState:
    """What a layer carries from one time step to the next.

    Attributes:
        time: how many steps were made.
        values: the neuron's states in the order that the model declares, each of the shape of one step's input.
    """

    time: int
    values: tuple[Tensor, ...]


def initial_state(neuron: Neuron, x: Tensor) -> LayerState:
    """The state before the first step, zero everywhere, for inputs of a step like `x` [N, *features].

    Raises:
        BackendUnavailable: the model is no step over time.
    """
    if not neuron.runs_over_time():
        raise BackendUnavailable(f"{neuron.name} has no step; call the layer on the whole sequence")
    return LayerState(0, tuple(torch.zeros_like(x) for _ in neuron.states))


def step(neuron: Neuron, parameters: Mapping[str, Tensor], x: Tensor, state: LayerState) -> tuple[Tensor, LayerState]:
    """One time step: output and next state for the input current x [N, *features].

    Raises:
        InvalidValue: the model has parameters for fewer time steps than were made.
    """
    per_step, bound = per_step_names(neuron), {}
    for name, given in parameters.items():
        value = broadcastable(given, x.unsqueeze(0), name in per_step)
        if name in per_step:
            if state.time >= len(value):
                raise InvalidValue(f"{neuron.name} has parameters for {len(value)} time steps, this is one more")
            value = value[state.time]
        bound[name] = value
    output, *values = neuron.bind(bound).step(x, *state.values)
    return output, LayerState(state.time + 1, tuple(values))
