"""What backward keeps of its recomputation, so that nothing dear is computed twice.

Backward first computes the states of a tile again, then runs the adjoint of each step. Both need the exponentials of
the step. This module moves them to the first pass, which keeps them beside the states.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurons.kernels.graph import Builder, Graph, Node
from neurons.kernels.operations import OPERATIONS
from neurons.kernels.trace import Program


@dataclass(frozen=True)
class Adjoint:
    """Backward in two graphs.

    Attributes:
        again: (x, *states, *coefficients) to (*new states, *kept).
        backward: the program's backward graph with inputs `kept` after the coefficients.
        kept: the values that are kept.
    """

    again: Graph
    backward: Graph
    kept: tuple[Node, ...]


def split_adjoint(program: Program) -> Adjoint:
    """Part the backward graph of a program, its transcendental functions of forward values kept from `again`."""
    before = 1 + len(program.states) + len(program.coefficients)
    inputs, cotangents = program.backward.inputs[:before], program.backward.inputs[before:]
    of_gradient = set(cotangents)
    for node in program.backward.nodes:
        if any(source in of_gradient for source in node.sources()):
            of_gradient.add(node)
    dear = [
        node
        for node in program.backward.nodes
        if node not in of_gradient and OPERATIONS[node.operation].cost == "transcendental"
    ]
    builder = Builder(program.forward, program.backward)
    places = {node: builder.input(f"kept_{node.name or node.operation}") for node in dear}
    outputs = builder.substitute(program.backward.outputs, places)
    used = Graph((*inputs, *places.values(), *cotangents), tuple(outputs)).uses()
    kept = tuple(node for node in dear if places[node] in used)
    backward = Graph((*inputs, *(places[node] for node in kept), *cotangents), tuple(outputs))
    again = Graph(program.forward.inputs, (*program.forward.outputs[1:], *kept))
    return Adjoint(again, backward, kept)
