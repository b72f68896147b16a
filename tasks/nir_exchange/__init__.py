"""Whole networks to and from NIR: a chain of synapses and neurons, so that trained networks move between packages.

Nothing is dropped in silence. Import accounts for every node and edge of a graph; export runs what it wrote, by NIR's
own definitions, against the network that it came from. `neurons.nir_nodes` says which conventions are arguments,
docs/exchange.md what arrives in which package.
"""

from tasks.nir_exchange.export import to_graph
from tasks.nir_exchange.load import from_graph

__all__ = ["from_graph", "to_graph"]
