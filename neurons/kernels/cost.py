"""What a step costs, counted on its graphs: operations by class, and the least bytes that a layer must move."""

from __future__ import annotations

from collections import Counter

from neurons.kernels.graph import Graph
from neurons.kernels.operations import OPERATIONS
from neurons.kernels.trace import Program

LEAST_TENSORS = {"forward": 2, "backward": 3}
"""Forward reads the input and writes the output; backward reads the input and the output's gradient and writes the
input's gradient. Each is one value for a neuron and time step."""


def operations(graph: Graph) -> Counter[str]:
    """Operations of one step by class ("add", "multiply", "divide", "transcendental", "compare")."""
    counted = (OPERATIONS[node.operation].cost for node in graph.nodes)
    return Counter(cost for cost in counted if cost != "free")


def kernel_operations(program: Program, kernel: str) -> int:
    """Operations for each neuron and time step of the "forward" or the "backward" kernel.

    Backward counts its recomputation of forward too.
    """
    forward = operations(program.forward).total()
    return forward if kernel == "forward" else forward + operations(program.backward).total()


def least_bytes(kernel: str, item_size: int) -> int:
    """The least bytes for each neuron and time step, for values of `item_size` bytes."""
    return LEAST_TENSORS[kernel] * item_size
