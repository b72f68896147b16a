"""Does a NIR graph compute what the network computes that it came from? In float64, on random input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from neurons import InvalidValue, NeuronLayer
from tasks.networks import SpikingNetwork
from tasks.nir_exchange.definition import run_graph, run_node

TOLERANCE = 1e-9
"""Relative to 1 plus the largest value."""
STEPS = 8


def synapse(name: str, module: nn.Module, parts: Sequence[tuple[str, list[nn.Module], Any]], x: Tensor) -> None:
    """Hold each part of a synapse, then the whole of it, against its nodes.

    Args:
        parts: the name, modules and node of each part, in order.
        x: input [N, *features].

    Raises:
        InvalidValue: they give other values; by module.
    """
    by_nodes = x
    for place, modules, node in parts:
        found, wanted = run_node(node, by_nodes.unsqueeze(0), 1.0)[0], nn.Sequential(*modules)(by_nodes)
        _refuse(place, modules[0], found, wanted)
        by_nodes = found
    _refuse(name, module, by_nodes, module(x.unsqueeze(0))[0])


def neurons(name: str, layer: NeuronLayer, node: Any, features: Sequence[int], dt: float) -> None:
    """Hold a layer of neurons against its node, under a drive that makes it fire.

    Raises:
        InvalidValue: they give other spikes.
    """
    own = layer.neuron
    scale = (1 + abs(own.v_th) + abs(own.v_reset)) * (own.tau if own.decay_input else 1)
    x = scale * _random((own.timesteps or STEPS, 2, *features))
    _refuse(name, layer, run_node(node, x, dt), layer(x))


def whole(network: SpikingNetwork, graph: Any, features: Sequence[int], dt: float) -> None:
    """Hold a network against its graph.

    Raises:
        InvalidValue: they give other scores.
    """
    made_for = [layer.neuron.timesteps for layer in network.neurons if isinstance(layer, NeuronLayer)]
    steps = network.timesteps or next(filter(None, made_for), STEPS)
    x = 3 * _random((1 if network.timesteps else steps, 2, *features))
    scores = network(x[0] if network.timesteps else x.transpose(0, 1))
    _refuse("the network", network, run_graph(graph, x.expand(steps, *x.shape[1:]), dt)[: len(scores)], scores)


def _refuse(place: str, module: nn.Module, found: Tensor, wanted: Tensor) -> None:
    said = place if isinstance(module, SpikingNetwork) else f"{place}: {str(module).splitlines()[0]}"
    if found.shape != wanted.shape:
        shapes = f"{list(found.shape[1:])}, not {list(wanted.shape[1:])}"
        raise InvalidValue(f"{said} computes what NIR cannot say; its NIR node gives the shape {shapes}")
    error = float((found - wanted).abs().max() / (1 + wanted.abs().max())) if wanted.numel() else 0.0
    if not error <= TOLERANCE:
        raise InvalidValue(
            f"{said} computes what NIR cannot say; its NIR node is off by {error:.2g} of the largest value"
        )


def _random(shape: Sequence[int]) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
