"""The step in a Python loop: the definition of what every backend must compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from neurons.learnable import broadcastable
from neurons.model import Neuron


def step_loop(neuron: Neuron, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Run `neuron.step` over the first dimension of `x`, from zero states; returns the stacked outputs."""
    return torch.stack([output for output, _ in steps(neuron, parameters, x)])


def steps(neuron: Neuron, parameters: Mapping[str, Tensor], x: Tensor) -> Iterator[tuple[Tensor, Sequence[Tensor]]]:
    """The output of each time step and the states after it, from zero states."""
    per_step = per_step_names(neuron)
    shaped = {name: broadcastable(value, x, name in per_step) for name, value in parameters.items()}
    states: Sequence[Tensor] = [torch.zeros_like(x[0])] * len(neuron.states)
    for t, x_t in enumerate(x.unbind(0)):
        bound = neuron.bind({name: value[t] if name in per_step else value for name, value in shaped.items()})
        output, *states = (full(value, x_t) for value in bound.step(x_t, *states))
        yield output, states


def full(value: Tensor, x: Tensor) -> Tensor:
    """A value of each neuron: what a step makes of parameters alone is the same for many."""
    return value if value.shape == x.shape else value.expand_as(x)


def per_step_names(neuron: Neuron) -> set[str]:
    """The parameters that have a value for each time step."""
    return {name for name, declared in neuron.learnables().items() if declared.per == "step_channel"}
