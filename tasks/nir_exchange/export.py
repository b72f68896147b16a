"""A network of the suite as a NIR graph, held against the network before it is handed out."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_weights, fuse_linear_bn_weights

from neurons import InvalidValue, NeuronLayer
from neurons.nir_nodes import STEP_SECONDS, gain_of, nir_package, node_of
from tasks.networks import EachStep, SpikingNetwork
from tasks.nir_exchange import check
from tasks.nir_exchange.load import DT
from tasks.nir_exchange.synapses import node_of_module, weighted

SHIFT = 1.2345e-4
"""Added to thresholds while a graph is held against its network: weights on a grid meet thresholds exactly, where the
rounding of τ in seconds would decide about a spike."""


FOLDED = "NIR export can fold batch normalisation only into the weights right before it"


@dataclass
class Part:
    """A node of the graph and the modules it stands for."""

    name: str
    modules: list[nn.Module]
    node: Any


@torch.no_grad()
def to_graph(network: SpikingNetwork, features: Sequence[int], dt: float = STEP_SECONDS, unit_r: bool = False) -> Any:
    """The NIR graph of one time step of a network, as in evaluation, for inputs of `features` (without time and batch).

    Batch normalisation has no node in NIR; it is folded into the weights before it. Each node, and the whole graph, is
    run on random input by NIR's definitions and must give what the network gives.

    Args:
        dt: seconds of a time step; kept in the graph's metadata, where `from_graph` finds it.
        unit_r: write R = 1 for all neurons, as norse, snnTorch and sinabs read it; that of a LIF whose input does not
            decay goes into the weights before it.

    Raises:
        InvalidValue: NIR cannot say what the network computes: no form for a layer, no chain, or other values.
    """
    if not isinstance(network, SpikingNetwork):
        raise InvalidValue(f"NIR export takes a SpikingNetwork, not {type(network).__name__}")
    for index, layer in enumerate(network.neurons):
        if not isinstance(layer, NeuronLayer):
            raise InvalidValue(f"neurons.{index} is {type(layer).__name__}, no layer of neurons")
    shifted = _exact(network)
    for layer in _layers(shifted):
        layer.neuron.v_th += SHIFT
    check.whole(shifted, _graph(shifted, features, dt, unit_r, check_parts=True), features, dt)
    graph = _graph(_exact(network), features, dt, unit_r, check_parts=False)
    kept = next((parameter.dtype for parameter in network.parameters()), torch.float32)
    for node in graph.nodes.values():
        for name in {"weight", "bias"} & set(vars(node)):
            setattr(node, name, getattr(node, name).astype(np.float64 if kept == torch.float64 else np.float32))
    return graph


def _exact(network: SpikingNetwork) -> SpikingNetwork:
    """A copy in evaluation, in float64 on the CPU, its neurons by the reference."""
    exact = copy.deepcopy(network).cpu().double().eval()
    for layer in _layers(exact):
        layer.backend = "reference"
        layer.neuron = copy.copy(layer.neuron)
        layer._runners = {}
    return exact


def _layers(network: SpikingNetwork) -> Iterator[NeuronLayer]:
    return (layer for layer in network.modules() if isinstance(layer, NeuronLayer))


def _graph(network: SpikingNetwork, features: Sequence[int], dt: float, unit_r: bool, check_parts: bool) -> Any:
    nir = nir_package()
    x = torch.randn(2, *features, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array(features))}
    synapses = [*((f"synapses.{index}", synapse) for index, synapse in enumerate(network.synapses))]
    layers: list[Any] = list(network.neurons)
    for index, (name, synapse) in enumerate([*synapses, ("readout", network.readout)]):
        parts = list(_parts(name, synapse, x))
        output = _run(name, synapse, x)
        if check_parts:
            check.synapse(name, synapse, [(part.name, part.modules, part.node) for part in parts], x)
        x = torch.randn(output.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(index + 1))
        if index < len(layers):
            node = node_of(layers[index], x.shape[1:], dt, unit_r)
            if check_parts and not unit_r:
                check.neurons(f"neurons.{index}", layers[index], node, x.shape[1:], dt)
            if unit_r:
                _scale(parts, gain_of(layers[index]), f"neurons.{index}")
        nodes |= {f"{index}_{place}_{type(part.node).__name__.lower()}": part.node for place, part in enumerate(parts)}
        if index < len(layers):
            nodes[f"{index}_neurons"] = node
    nodes["output"] = nir.Output(output_type=np.array(x.shape[1:]))
    try:
        graph = nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes)), metadata={DT: dt})
        nir.NIRGraph.from_dict(graph.to_dict())  # what a reader of the file does
    except (ValueError, TypeError) as error:
        raise InvalidValue(f"nir cannot hold this network: {error}") from error
    return graph


def _parts(name: str, synapse: nn.Module, x: Tensor) -> Iterator[Part]:
    """The nodes of one synapse, its batch normalisation folded into the weights before it."""
    if not isinstance(synapse, EachStep):
        raise InvalidValue(f"{name}: NIR export takes chains of layers, not {type(synapse).__name__}")
    part, before = None, x
    for place, module in _leaves(name, synapse):
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            if part is None or len(part.modules) > 1:
                raise InvalidValue(f"{place}: {FOLDED}")
            part = Part(part.name, [*part.modules, module], _folded(place, part.modules[0], module, before))
        else:
            if part is not None:
                yield part
            part, before = Part(place, [module], node_of_module(module, x)), x
            if isinstance(module, nn.Flatten) and module(x).shape == x.shape:
                part = None  # snnTorch and norse would flatten the batch away
        x = _run(place, module, x)
    if part is not None:
        yield part


def _leaves(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers of nested sequences in their order; one that is there twice comes twice."""
    if isinstance(module, nn.Sequential):
        for own, child in module._modules.items():
            if child is not None:
                yield from _leaves(f"{name}.{own}", child)
    elif not isinstance(module, (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)):  # nothing in evaluation
        yield name, module


def _folded(place: str, weights: nn.Module, norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Any:
    if norm.running_mean is None or norm.running_var is None:
        raise InvalidValue(f"{place}: batch normalisation without running means depends on the batch")
    if not isinstance(weights, (nn.Linear, nn.Conv2d)):
        raise InvalidValue(f"{place}: {FOLDED}")
    fuse = fuse_linear_bn_weights if isinstance(weights, nn.Linear) else fuse_conv_bn_weights
    moments = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    return weighted(weights, *fuse(weights.weight, weights.bias, *moments), x)


def _scale(parts: list[Part], gain: float, neurons: str) -> None:
    """Multiply what reaches the neurons, all of which is linear, by scaling the last weights before them."""
    if gain == 1:
        return
    for part in reversed(parts):
        if hasattr(part.node, "weight"):
            part.node.weight = part.node.weight * gain
            if hasattr(part.node, "bias"):
                part.node.bias = part.node.bias * gain
            return
    raise InvalidValue(f"{neurons}: there are no weights before it that could take its r of {gain:g}")


def _run(place: str, module: nn.Module, x: Tensor) -> Tensor:
    """One step through a module, or through a synapse over time."""
    try:
        return module(x.unsqueeze(0))[0] if isinstance(module, EachStep) else module(x)
    except (RuntimeError, ValueError, IndexError) as error:
        raise InvalidValue(f"{place} cannot take {list(x.shape[1:])}: {str(error).splitlines()[0]}") from error
