"""A NIR graph as a network of the suite."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from neurons import InvalidValue, NeuronLayer
from neurons.nir_nodes import STEP_SECONDS, layer_of, nir_package
from tasks.networks import SpikingNetwork
from tasks.nir_exchange.synapses import module_of_node

CHAINS = "NIR import takes chains of layers"
DT = "dt"
"""Key of a graph's metadata: seconds of a time step."""


def from_graph(graph: Any, timesteps: int | None, backend: str = "auto", dt: float | None = None) -> SpikingNetwork:
    """A network from a chain of NIR nodes; each node and edge of the graph is part of it.

    Args:
        graph: a NIRGraph, or the path of a file that holds one.
        timesteps: how often a static input is shown; None if the input comes as a sequence.
        dt: seconds of a time step. None: as the graph says, if it does, else 1e-4 s, with a warning.

    Raises:
        InvalidValue: the graph is no chain, holds a node that the suite has not, or was written for another `dt`.
    """
    nir = nir_package()
    if isinstance(graph, (str, Path)):
        if not Path(graph).exists():
            raise InvalidValue(f"there is no file {graph}")
        graph = nir.read(graph)
    if not isinstance(graph, nir.NIRGraph):
        raise InvalidValue(f"{CHAINS} or the path of a file with one, not {type(graph).__name__}")
    chain = _chain(graph)
    dt = _time_step(graph, dt)
    synapses: list[nn.Module] = []
    layers: list[NeuronLayer] = []
    modules: list[nn.Module] = []
    for name, node in chain[1:-1]:
        try:
            if type(node).__name__ in ("IF", "LIF"):
                layers.append(layer_of(node, backend, dt))
                synapses.append(nn.Sequential(*modules))
                modules = []
            else:
                modules.append(module_of_node(node))
        except InvalidValue as error:
            raise InvalidValue(f"{name}: {error}") from error
    return SpikingNetwork(synapses, layers, nn.Sequential(*modules), timesteps)


def _time_step(graph: Any, asked: float | None) -> float | None:
    """The seconds of a step, by the caller or the graph; None where neither says it.

    Raises:
        InvalidValue: they contradict one another.
    """
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    said = float(np.asarray(metadata[DT])) if DT in metadata else None
    if asked is not None and not asked > 0:
        raise InvalidValue(f"dt must be above 0 seconds, not {asked}")
    if asked is not None and said is not None and not np.isclose(asked, said, rtol=1e-6, atol=0):
        raise InvalidValue(f"the graph was written for dt = {said:g} s, not {asked:g}; leave dt out")
    if asked is None and said is None and any(type(node).__name__ == "LIF" for node in graph.nodes.values()):
        warnings.warn(
            f"the graph does not say its time step; its time constants are read with dt = {STEP_SECONDS:g} s",
            stacklevel=3,
        )
    return asked or said


def _chain(graph: Any) -> list[tuple[str, Any]]:
    """The nodes from Input to Output, each with its name.

    nirtorch walks graphs too, but sums what meets at a node, drops doubled edges, does not end where a node is not
    reached, and gives single steps, not layers over time.

    Raises:
        InvalidValue: a node is left over, or the graph is no chain; by node and reason.
    """
    edges = [(str(source), str(target)) for source, target in graph.edges]
    _check_edges(edges, graph.nodes)
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    entries = [name for name, kind in kinds.items() if kind == "Input"]
    if not entries:
        raise InvalidValue(f"{CHAINS}; this graph has no Input")
    following = dict(edges)
    names = [entries[0]]
    while names[-1] in following:
        names.append(following[names[-1]])
        if len(names) > len(kinds):
            raise InvalidValue(f"{CHAINS}; this graph has a loop through {names[-1]}")
    left = [name for name in kinds if name not in names]
    if left:
        raise InvalidValue(f"{CHAINS}; {', '.join(left)} {_are(left)} not reached from {entries[0]}")
    inner = [name for name in names[1:-1] if kinds[name] in ("Input", "Output")]
    if kinds[names[-1]] != "Output" or inner:
        raise InvalidValue(f"{CHAINS} from one Input to one Output; this one is {' → '.join(names)}")
    return [(name, graph.nodes[name]) for name in names]


def _check_edges(edges: list[tuple[str, str]], nodes: Any) -> None:
    for (source, target), count in Counter(edges).items():
        if count > 1:
            raise InvalidValue(f"{CHAINS}; the edge from {source} to {target} is there {count} times")
        for name in (source, target):
            if name not in nodes:
                raise InvalidValue(f"{CHAINS}; an edge names {name}, which is no node")
    for end, word in ((1, "lead to it"), (0, "follow")):
        for name, count in Counter(edge[end] for edge in edges).items():
            if count > 1:
                others = ", ".join(edge[1 - end] for edge in edges if edge[end] == name)
                raise InvalidValue(f"{CHAINS}; {name} has several that {word}: {others}")


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
