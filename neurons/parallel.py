"""Neurons whose potential is linear in their input, computed for all time steps at once instead of one after the other.

A step u' = γ·u + a·x whose output depends on u' alone has the potentials u[t] = a·Σ_k γ^k·x[t − k]: a causal
convolution, or an associative scan. Both are derived from the step itself, and follow γ^k until it is below rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from neurons.model import Neuron

TOLERANCE = 1e-12
"""Of what a linear step gives in float64."""


class Linear(NamedTuple):
    """The coefficients of u' = decay·u + gain·x."""

    decay: float
    gain: float


def linear_step(neuron: Neuron) -> Linear | str:
    """The coefficients of a model's step, or why it cannot be computed in parallel over time.

    The step is tried at random inputs and states, of which some fire.
    """
    if len(neuron.states) != 1 or neuron.learnables():
        return f"{neuron.name} is not one state of constant decay"
    draws = 3 * torch.randn(2, 512, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, u = torch.cat([torch.eye(2, dtype=torch.float64), draws], 1)
    output, after = neuron.step(x, u)
    gain, decay = float(after[0]), float(after[1])
    if not torch.allclose(after, decay * u + gain * x, TOLERANCE, TOLERANCE):
        return f"the potential of {neuron.name} is not linear in its input: it is reset, or charged otherwise"
    if not gain or not torch.equal(neuron.step(after / gain, torch.zeros_like(u))[0], output):
        return f"the output of {neuron.name} does not depend on its new potential alone"
    return Linear(decay, gain)


def terms(decay: float, steps: int, dtype: torch.dtype) -> int:
    """How many powers of the decay are above rounding, at most `steps`."""
    if abs(decay) >= 1:
        return steps
    if decay == 0:
        return 1
    return min(steps, math.ceil(math.log(torch.finfo(dtype).eps) / math.log(abs(decay))) + 1)


def convolution(x: Tensor, decay: float) -> Tensor:
    """Σ_k decay^k·x[t − k] of x [T, …] by a causal convolution of all sequences."""
    count = terms(decay, len(x), x.dtype)
    powers = decay ** torch.arange(count - 1, -1, -1, dtype=x.dtype, device=x.device)
    sequences = functional.pad(x.reshape(len(x), -1).T.unsqueeze(1), (count - 1, 0))
    return functional.conv1d(sequences, powers.view(1, 1, -1)).squeeze(1).T.reshape(x.shape)


def scan(x: Tensor, decay: float) -> Tensor:
    """The same by doubling: after pass i each step holds the sum over 2^i steps (Hillis & Steele 1986)."""
    count, distance = terms(decay, len(x), x.dtype), 1
    while distance < count:
        x = torch.cat([x[:distance], x[distance:] + decay**distance * x[:-distance]])
        distance *= 2
    return x


def run(neuron: Neuron, step: Linear, potentials: Callable[[Tensor, float], Tensor], x: Tensor) -> Tensor:
    """The outputs of a linear neuron for the input current x [T, N, *features], with its own spike function."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    after = potentials(wide, step.decay)  # of a gain of 1: the step below scales them
    output = neuron.step(after, torch.zeros_like(after))[0]
    return output.to(x.dtype)
