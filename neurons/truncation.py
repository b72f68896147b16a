"""Truncated back-propagation through time, exact, as a property of the layer.

With `bptt_steps` = k the gradient of the loss at step t' reaches the inputs of steps t' − k + 1 to t' and no earlier
(the paper's k in Figure 2(a) and Table 3). Outputs are those of the whole sequence. k = 1 is SLTT (Meng et al., ICCV
2023), for any model with a step: every state that a step is given is a constant to its gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from neurons.learnable import broadcastable
from neurons.model import Neuron
from neurons.reference import per_step_names, step_loop, steps


def reference_loop(neuron: Neuron, bptt_steps: int | None) -> Callable[[Mapping[str, Tensor], Tensor], Tensor]:
    """What defines a layer: parameters and x [T, N, *features] to outputs, the gradient truncated or not."""
    return partial(step_loop, neuron) if bptt_steps is None else partial(truncated_loop, neuron, bptt_steps)


def truncated_loop(neuron: Neuron, bptt_steps: int, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """As `step_loop`, with gradients over at most `bptt_steps` time steps.

    The first k outputs are those of a plain loop over k steps. Each later output t' comes from a window of its own:
    k steps from the state before step t' − k + 1, which is a constant. All windows run side by side.
    """
    length = len(x)
    if bptt_steps >= length:
        return step_loop(neuron, parameters, x)
    head = step_loop(neuron, _first_steps(neuron, parameters, bptt_steps), x[:bptt_steps])
    windows = length - bptt_steps
    with torch.no_grad():
        trajectory = _states_before(neuron, parameters, x)
    states = [torch.stack(before[1 : windows + 1]) for before in trajectory]
    names = per_step_names(neuron)
    for k in range(bptt_steps):
        now = slice(1 + k, 1 + k + windows)
        shaped = {}
        for name, value in parameters.items():
            wide = broadcastable(value, x, name in names)
            # [windows, 1, C, ...] against [windows, N, C, ...]
            shaped[name] = wide[now].unsqueeze(1) if name in names else wide
        output, *states = neuron.bind(shaped).step(x[now], *states)
    return torch.cat([head, output])


def _first_steps(neuron: Neuron, parameters: Mapping[str, Tensor], steps: int) -> dict[str, Tensor]:
    names = per_step_names(neuron)
    return {name: value[:steps] if name in names else value for name, value in parameters.items()}


def _states_before(neuron: Neuron, parameters: Mapping[str, Tensor], x: Tensor) -> list[list[Tensor]]:
    """For each state its values before every time step."""
    after = [list(states) for _, states in steps(neuron, parameters, x)]
    return [[torch.zeros_like(x[0]), *(states[index] for states in after[:-1])] for index in range(len(neuron.states))]
