"""Runs a model's own step over currents, for comparison with steps worked out by hand, in float64."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
import torch

import neurons

Trace = list[tuple[float, ...]]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def trace(
    name: str,
    currents: Sequence[float],
    parameters: Mapping[str, float] | None = None,
    protocol: str = "controlled",
    **constants: object,
) -> Trace:
    """(output, *states) of each step of one neuron; parameters that are not given have their first value."""
    layer = neurons.layer(name, 1, len(currents), "reference", protocol, **constants).double()
    given = {key: torch.tensor(float(value), dtype=torch.float64) for key, value in (parameters or {}).items()}
    assert given.keys() <= dict(layer.named_parameters()).keys()
    with torch.no_grad():
        for key, value in given.items():
            getattr(layer, key).fill_(value)
        state = layer.initial_state(torch.zeros(1, 1, dtype=torch.float64))
        found = []
        for current in currents:
            output, state = layer.step(torch.tensor([[current]], dtype=torch.float64), state)
            found.append((output.item(), *(value.item() for value in state.values)))
    return found


def assert_trace(found: Trace, expected: Sequence[Sequence[float]], tolerance: float = 1e-9) -> None:
    assert len(found) == len(expected)
    for step, (own, right) in enumerate(zip(found, expected, strict=True)):
        assert own == pytest.approx(tuple(right), abs=tolerance), f"step {step}"


def run(name: str, currents: Sequence[float], **settings: object) -> list[float]:
    """The outputs of one neuron with its first values, by a whole layer."""
    layer = neurons.layer(name, 1, len(currents), "reference", **settings).double()
    x = torch.tensor(currents, dtype=torch.float64).reshape(-1, 1, 1)
    return layer(x).flatten().tolist()


def gradient(name: str, currents: Sequence[float], at: int, **settings: object) -> list[float]:
    """∂output[at]/∂x[t] of one neuron, for each t."""
    layer = neurons.layer(name, 1, len(currents), "reference", **settings).double()
    x = torch.tensor(currents, dtype=torch.float64).reshape(-1, 1, 1).requires_grad_()
    (found,) = torch.autograd.grad(layer(x)[at].sum(), x, materialize_grads=True)
    return found.flatten().tolist()
