"""The step in a Python loop: the definition of what every backend must compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

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
        output, *states = (_full(value, x_t) for value in bound.step(x_t, *states))
        yield output, states


def _full(value: Tensor, x: Tensor) -> Tensor:
    """A value of each neuron: what a step makes of parameters alone is the same for many."""
    return value if value.shape == x.shape else value.expand_as(x)


def per_step_names(neuron: Neuron) -> set[str]:
    """The parameters that have a value for each time step."""
    return {name for name, declared in neuron.learnables().items() if declared.per == "step_channel"}


def broadcastable(parameter: Tensor, x: Tensor, per_step: bool) -> Tensor:
    """Shape [C] or [T, C] so that its channels line up with dimension 1 of one step of `x` [N, C, *spatial].

    A scalar gets the dimensions of a step too: torch lets a number without dimensions follow the dtype of the tensors
    that it meets, so float32 of a truth value times a number would make a float64 parameter float32.
    """
    if parameter.ndim == 0:
        return parameter.to(x.dtype).reshape([1] * (x.ndim - 1))
    lead = parameter.shape[:1] if per_step else ()
    return parameter.to(x.dtype).reshape(*lead, parameter.shape[-1], *[1] * (x.ndim - 3))
