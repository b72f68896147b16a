"""What a NIR graph computes, by the definitions of its nodes and one Euler step of `dt` a time step, in float64.

It shares no code with export or import: nirtorch walks the graph, the nodes are evaluated from their fields alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurons import BackendUnavailable
from neurons.nir_nodes import CLOSE, nir_package


def run_graph(graph: Any, x: Tensor, dt: float) -> Tensor:
    """Outputs [T, N, *features] of a graph for inputs x [T, N, *features], from states at zero.

    Raises:
        BackendUnavailable: nirtorch is not installed.
    """
    try:
        from nirtorch import nir_to_torch
    except ImportError as error:
        raise BackendUnavailable("NIR export needs the package nirtorch: pip install 'neuron-suite[nir]'") from error
    nir = nir_package()
    kinds = {getattr(nir, name): _maker(name, dt) for name in (*STATELESS, "IF", "LIF")}
    step, state, outputs = nir_to_torch(graph, kinds, dtype=torch.float64), None, []
    for x_t in x.double():
        output, state = step(x_t, state)
        outputs.append(output)
    return torch.stack(outputs)


def run_node(node: Any, x: Tensor, dt: float) -> Tensor:
    """Outputs [T, N, *features] of a node alone."""
    module, state, outputs = _maker(type(node).__name__, dt)(node), None, []
    for x_t in x.double():
        if isinstance(module, _Neurons):
            output, state = module(x_t, state)
        else:
            output = module(x_t)
        outputs.append(output)
    return torch.stack(outputs)


def _flatten(node: Any, x: Tensor) -> Tensor:
    """`start_dim` and `end_dim` count without the batch."""
    start, end = (int(dim) + 1 if dim >= 0 else int(dim) for dim in (node.start_dim, node.end_dim))
    return x.flatten(start, end)


def _convolve(node: Any, x: Tensor) -> Tensor:
    form = {name: _sizes(getattr(node, name)) for name in ("stride", "padding", "dilation")}
    return F.conv2d(x, _tensor(node.weight), _tensor(node.bias), groups=int(node.groups), **form)


STATELESS: Mapping[str, Callable[[Any, Tensor], Tensor]] = {
    "Affine": lambda node, x: x @ _tensor(node.weight).mT + _tensor(node.bias),
    "Linear": lambda node, x: x @ _tensor(node.weight).mT,
    "Conv2d": _convolve,
    "AvgPool2d": lambda node, x: F.avg_pool2d(x, _sizes(node.kernel_size), _sizes(node.stride), _sizes(node.padding)),
    "Flatten": _flatten,
}


class _Stateless(nn.Module):
    def __init__(self, node: Any) -> None:
        super().__init__()
        self.node = node

    def forward(self, x: Tensor) -> Tensor:
        return STATELESS[type(self.node).__name__](self.node, x)


class _Neurons(nn.Module):
    """IF: v̇ = R·x; LIF: τ·v̇ = v_leak − v + R·x. It spikes at v ≥ threshold, see `neurons.nir_nodes`."""

    def __init__(self, node: Any, dt: float) -> None:
        super().__init__()
        self.node, self.dt = node, dt

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        node, v = self.node, torch.zeros_like(x) if state is None else state
        if hasattr(node, "tau"):
            v = v + self.dt / _tensor(node.tau) * (_tensor(node.v_leak) - v + _tensor(node.r) * x)
        else:
            r = _tensor(node.r)
            v = v + torch.where((r - 1).abs() <= CLOSE, 1.0, self.dt * r) * x  # R = 1: added as it is
        spikes = v >= _tensor(node.v_threshold)
        return spikes.double(), torch.where(spikes, _tensor(node.v_reset), v)


def _maker(kind: str, dt: float) -> Callable[[Any], nn.Module]:
    return _Stateless if kind in STATELESS else lambda node: _Neurons(node, dt)


def _tensor(value: Any) -> Tensor:
    return torch.as_tensor(np.asarray(value), dtype=torch.float64)


def _sizes(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(np.atleast_1d(np.asarray(value)).tolist())
