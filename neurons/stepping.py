"""One step of a layer with its state outside, for loops that somebody else writes: recurrent networks, streaming.

T steps equal one call of the same backend to the last bit. Two backends have a single step: `reference`, plain torch,
and `cpu`, fused; `auto` takes the fused one on the CPU and plain torch elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from neurons.errors import BackendUnavailable, InvalidValue
from neurons.learnable import broadcastable
from neurons.model import Neuron
from neurons.reference import full, per_step_names


class Stepper(Protocol):
    """Runs one time step of a neuron."""

    def state_dtype(self, x: Tensor) -> torch.dtype:
        """Of the states for inputs like x."""

    def __call__(
        self, parameters: Mapping[str, Tensor], x: Tensor, states: Sequence[Tensor], time: int
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Output and states after step `time` of x [N, *features]."""


@dataclass(frozen=True)
class LayerState:
    """What a layer carries from one time step to the next.

    Attributes:
        time: how many steps were made.
        values: the neuron's states in the order that the model declares, each of the shape of one step's input.
    """

    time: int
    values: tuple[Tensor, ...]


class PlainStep:
    """Runs one time step of a neuron in plain torch."""

    def __init__(self, neuron: Neuron) -> None:
        self.neuron = neuron

    def state_dtype(self, x: Tensor) -> torch.dtype:
        return x.dtype

    def __call__(
        self, parameters: Mapping[str, Tensor], x: Tensor, states: Sequence[Tensor], time: int
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        per_step, shaped = per_step_names(self.neuron), {}
        for name, value in parameters.items():
            wide = broadcastable(value, x.unsqueeze(0), name in per_step)
            shaped[name] = wide[time] if name in per_step else wide
        output, *after = (full(value, x) for value in self.neuron.bind(shaped).step(x, *states))
        return output, tuple(after)


def initial_state(neuron: Neuron, run: Stepper, x: Tensor) -> LayerState:
    """The state before the first step, zero everywhere, for inputs of a step like `x` [N, *features]."""
    dtype = run.state_dtype(x)
    return LayerState(0, tuple(torch.zeros_like(x, dtype=dtype, requires_grad=False) for _ in neuron.states))


def step(
    neuron: Neuron,
    run: Stepper,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    state: LayerState,
    bptt_steps: int | None = None,
) -> tuple[Tensor, LayerState]:
    """One time step: output and next state for the input current x [N, *features].

    Args:
        run: what runs the step of the neuron.
        bptt_steps: None, or 1, which passes no gradient from step to step.

    Raises:
        BackendUnavailable: a gradient over several steps, but not all, is asked for.
        InvalidValue: the model has parameters for fewer time steps than were made.
    """
    for name in per_step_names(neuron):
        count = len(parameters[name])
        if state.time >= count:
            raise InvalidValue(f"{neuron.name} has parameters for {count} time steps, this is one more")
    values: Sequence[Tensor] = state.values
    if bptt_steps is not None:
        if bptt_steps > 1:
            raise BackendUnavailable(
                f"bptt_steps={bptt_steps} needs the whole sequence in one call; single steps have all or 1"
            )
        values = [value.detach() for value in values]
    output, after = run(parameters, x, values, state.time)
    return output, LayerState(state.time + 1, after)
