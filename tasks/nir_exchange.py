"""Whole networks to and from NIR: a chain of synapses and neurons, so that trained networks move between packages.

Batch normalisation has no node in NIR; it is folded into the weights before it, as it acts after training.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurons import InvalidValue, NeuronLayer
from neurons.nir_exchange import layer_of, nir_package, node_of
from tasks.networks import EachStep, SpikingNetwork


@torch.no_grad()
def to_graph(network: SpikingNetwork, features: Sequence[int]) -> Any:
    """The NIR graph of one time step of a network, as in evaluation, for inputs of `features` (without time and batch).

    Raises:
        InvalidValue: NIR has no form for a layer, or the network is no chain.
    """
    nir, network = nir_package(), copy.deepcopy(network).eval()
    layers = [layer for layer in network.neurons if isinstance(layer, NeuronLayer)]
    x = torch.zeros(1, *features)
    nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array(features))}
    for index, synapse in enumerate([*network.synapses, network.readout]):
        for module in _folded(synapse):
            nodes[f"{index}_{type(module).__name__.lower()}"] = _synapse_node(module, x)
            x = module(x)
        if index < len(layers):
            nodes[f"{index}_neurons"] = node_of(layers[index], x.shape[1:])
    nodes["output"] = nir.Output(output_type=np.array(x.shape[1:]))
    names = list(nodes)
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(names)))


def from_graph(graph: Any, timesteps: int | None, backend: str = "auto") -> SpikingNetwork:
    """A network from a chain of NIR nodes.

    Args:
        timesteps: how often a static input is shown; None if the input comes as a sequence.

    Raises:
        InvalidValue: the graph is no chain, or holds a node that the suite has not.
    """
    synapses: list[nn.Module] = []
    layers: list[NeuronLayer] = []
    modules: list[nn.Module] = []
    for node in _chain(graph):
        if type(node).__name__ in ("Input", "Output"):
            continue
        if type(node).__name__ in ("IF", "LIF"):
            synapses.append(nn.Sequential(*modules))
            layers.append(layer_of(node, backend))
            modules = []
        else:
            modules.append(_synapse(node))
    return SpikingNetwork(synapses, layers, nn.Sequential(*modules), timesteps)


def _folded(synapse: nn.Module) -> list[nn.Module]:
    """The modules of one synapse, its batch normalisation folded into the weights before it."""
    if not isinstance(synapse, EachStep):
        raise InvalidValue(f"NIR export takes chains of layers, not {type(synapse).__name__}")
    found: list[nn.Module] = []
    for module in synapse.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            found.append(_fold(found.pop() if found else None, module))
        elif not isinstance(module, (nn.Sequential, nn.Identity)):
            found.append(module)
    return found


def _fold(weights: nn.Module | None, normalisation: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    if isinstance(weights, nn.Linear):
        return nn.utils.fuse_linear_bn_eval(weights, normalisation)
    if isinstance(weights, nn.Conv2d):
        return nn.utils.fuse_conv_bn_eval(weights, normalisation)
    raise InvalidValue("NIR export can fold batch normalisation only into the weights right before it")


def _synapse_node(module: nn.Module, x: Tensor) -> Any:
    nir = nir_package()
    if isinstance(module, nn.Linear):
        if module.bias is None:
            return nir.Linear(weight=_array(module.weight))
        return nir.Affine(weight=_array(module.weight), bias=_array(module.bias))
    if isinstance(module, nn.Conv2d):
        bias = np.zeros(module.out_channels, np.float32) if module.bias is None else _array(module.bias)
        form = {name: getattr(module, name) for name in ("stride", "padding", "dilation", "groups")}
        return nir.Conv2d(input_shape=tuple(x.shape[2:]), weight=_array(module.weight), bias=bias, **form)
    if isinstance(module, nn.AvgPool2d):
        pair = [np.array(_pair(size)) for size in (module.kernel_size, module.stride, module.padding)]
        return nir.AvgPool2d(*pair)
    if isinstance(module, nn.Flatten):
        return nir.Flatten(input_type={"input": np.array(x.shape[1:])}, start_dim=0, end_dim=-1)
    raise InvalidValue(f"NIR export has no form for {type(module).__name__}")


def _synapse(node: Any) -> nn.Module:
    kind = type(node).__name__
    if kind in ("Linear", "Affine"):
        linear = nn.Linear(node.weight.shape[1], node.weight.shape[0], bias=kind == "Affine")
        return _with_weights(linear, node)
    if kind == "Conv2d":
        form = {name: _ints(getattr(node, name)) for name in ("stride", "padding", "dilation")}
        fan_in = node.weight.shape[1] * int(node.groups)
        return _with_weights(
            nn.Conv2d(fan_in, node.weight.shape[0], node.weight.shape[2:], groups=int(node.groups), **form), node
        )
    if kind == "AvgPool2d":
        return nn.AvgPool2d(_ints(node.kernel_size), _ints(node.stride), _ints(node.padding))
    if kind == "Flatten":
        return nn.Flatten()
    raise InvalidValue(f"the suite has no layer for NIR's {kind}")


def _with_weights(module: Any, node: Any) -> nn.Module:
    module.weight = nn.Parameter(torch.as_tensor(np.asarray(node.weight), dtype=torch.float32))
    if module.bias is not None:
        module.bias = nn.Parameter(torch.as_tensor(np.asarray(node.bias), dtype=torch.float32))
    return module


def _chain(graph: Any) -> list[Any]:
    following: dict[str, str] = {}
    for source, target in graph.edges:
        if source in following:
            raise InvalidValue(f"NIR import takes chains of layers; {source} has several that follow")
        following[source] = target
    entries = [name for name, node in graph.nodes.items() if type(node).__name__ == "Input"]
    name, chain = entries[0], [graph.nodes[entries[0]]]
    while name in following:
        name = following[name]
        if len(chain) > len(graph.nodes):
            raise InvalidValue("NIR import takes chains of layers; this graph has a loop")
        chain.append(graph.nodes[name])
    return chain


def _array(value: Tensor) -> np.ndarray:
    return value.detach().cpu().numpy()


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _ints(value: Any) -> Any:
    """A NIR size, which is an array, a tuple or a word, as torch takes it."""
    return value if isinstance(value, str) else tuple(int(entry) for entry in np.atleast_1d(value))
