"""What backward keeps of its recomputation, so that nothing dear is computed twice.

Backward first computes the states of a tile again, then runs the adjoint of each step. Both need the exponentials of
the step. This module moves them to the first pass, which keeps them beside the states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import fx

from neurons.kernels.operations import OPERATIONS, operation_name
from neurons.kernels.trace import Program


@dataclass(frozen=True)
class Adjoint:
    """Backward in two graphs.

    Attributes:
        again: (x, *states, *coefficients) to (*new states, *kept).
        backward: the program's backward graph with inputs `kept` after the coefficients.
        kept: names of the values that are kept.
    """

    again: fx.Graph
    backward: fx.Graph
    kept: tuple[str, ...]


def split_adjoint(program: Program) -> Adjoint:
    """Part the backward graph of a program, its transcendental functions of forward values kept from `again`."""
    inputs = 1 + len(program.states) + len(program.coefficients)
    needs_gradient: set[fx.Node] = set()
    placeholders = [node for node in program.backward.nodes if node.op == "placeholder"]
    needs_gradient.update(placeholders[inputs:])
    for node in program.backward.nodes:
        if any(source in needs_gradient for source in node.all_input_nodes):
            needs_gradient.add(node)
    dear = [
        node
        for node in program.backward.nodes
        if node.op == "call_function"
        and node not in needs_gradient
        and OPERATIONS[operation_name(node)].cost == "transcendental"
    ]
    backward, kept = _with_inputs(program.backward, placeholders[inputs - 1], dear)
    return Adjoint(_again(program, kept), backward, tuple(node.name for node in kept))


def _with_inputs(graph: fx.Graph, after: fx.Node, dear: Sequence[fx.Node]) -> tuple[fx.Graph, list[fx.Node]]:
    """A copy of `graph` in which the nodes `dear` are inputs; and those of them that the rest still uses."""
    copy = fx.Graph()
    copied: dict[fx.Node, fx.Node] = {}
    inputs: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node in dear:
            copied[node] = inputs[node]
        else:
            copied[node] = copy.node_copy(node, lambda source: copied[source])
        if node is after:
            for source in dear:
                inputs[source] = copy.placeholder(source.name)
                inputs[source].meta.update(source.meta)
    copy.eliminate_dead_code()
    kept = []
    for node, placeholder in inputs.items():
        if placeholder.users:
            kept.append(node)
        else:
            copy.erase_node(placeholder)
    return copy, kept


def _again(program: Program, kept: Sequence[fx.Node]) -> fx.Graph:
    """The forward graph without its output, and the kept values from the backward graph, equal operations once."""
    graph = fx.Graph()
    known: dict[tuple[object, ...], fx.Node] = {}

    def copy_from(source: fx.Graph) -> dict[fx.Node, fx.Node]:
        copied: dict[fx.Node, fx.Node] = {}
        for node in source.nodes:
            if any(argument not in copied for argument in node.all_input_nodes) or node.op == "output":
                continue
            if node.op == "placeholder":
                key: tuple[object, ...] = ("placeholder", node.name)
            else:
                arguments = fx.map_arg((node.args, node.kwargs), lambda argument: copied[argument])
                key = (node.target, str(arguments))
            if key not in known:
                if node.op == "placeholder" and source is not program.forward:
                    continue
                known[key] = graph.node_copy(node, lambda argument: copied[argument])
            copied[node] = known[key]
        return copied

    forward = copy_from(program.forward)
    backward = copy_from(program.backward)
    (output,) = (node for node in program.forward.nodes if node.op == "output")
    states = fx.map_arg(output.args[0][1:], lambda node: forward[node])
    graph.output((*states, *(backward[node] for node in kept)))
    graph.eliminate_dead_code()
    return graph
