"""The graph of a step: pointwise operations on inputs and numbers, equal operations once.

A value is a *real* (the state's type) or a *mask* (a truth value of each element). Nodes are made by a `Builder`, which
gives the same node for the same operation on the same arguments, so a forward and a backward graph of one builder
share what they have in common.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

INPUT = "input"


@dataclass(eq=False)
class Node:
    """An input, or an operation (a key of `operations.OPERATIONS`) on nodes and numbers.

    Attributes:
        index: order of creation; arguments come before what uses them.
        name: the variable or property of the step that it is, if any; for an input its name.
        line: the line of the step that it stands on.
    """

    index: int
    operation: str
    arguments: tuple[Node | float, ...]
    mask: bool = False
    name: str | None = None
    line: str | None = None

    def sources(self) -> list[Node]:
        """The arguments that are nodes."""
        return [argument for argument in self.arguments if isinstance(argument, Node)]


class Builder:
    """Makes the nodes of one or more graphs; with `graphs` it goes on from these, whose nodes come first."""

    def __init__(self, *graphs: Graph) -> None:
        self._known: dict[tuple[object, ...], Node] = {}
        self._count = max((node.index for graph in graphs for node in (*graph.inputs, *graph.nodes)), default=0)

    def input(self, name: str, mask: bool = False) -> Node:
        return self._new(INPUT, (), mask, name)

    def node(self, operation: str, *arguments: Node | float, mask: bool = False) -> Node:
        """The node of an operation on arguments; the same one each time."""
        key = (operation, *(value.index if isinstance(value, Node) else value.hex() for value in arguments))
        if key not in self._known:
            self._known[key] = self._new(operation, arguments, mask)
        return self._known[key]

    def _new(self, operation: str, arguments: tuple[Node | float, ...], mask: bool, name: str | None = None) -> Node:
        self._count += 1
        return Node(self._count, operation, arguments, mask, name)

    def substitute(self, values: Iterable[Node], replaced: Mapping[Node, Node]) -> list[Node]:
        """The same values with the nodes `replaced` exchanged wherever they are used."""
        done = dict(replaced)
        for node in ordered(values, stop=replaced):
            if node not in done:
                arguments = [done[value] if isinstance(value, Node) else value for value in node.arguments]
                if node.operation == INPUT or all(a is b for a, b in zip(arguments, node.arguments, strict=True)):
                    done[node] = node
                    continue
                done[node] = self.node(node.operation, *arguments, mask=node.mask)
                done[node].name, done[node].line = node.name, node.line
        return [done[value] for value in values]


@dataclass(frozen=True)
class Graph:
    """Outputs as operations on inputs. Inputs may be unused."""

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    nodes: tuple[Node, ...] = field(init=False)
    """The operations that the outputs need, arguments first."""

    def __post_init__(self) -> None:
        needed = ordered(self.outputs)
        object.__setattr__(self, "nodes", tuple(node for node in needed if node.operation != INPUT))

    def uses(self) -> dict[Node, int]:
        """How often each node is an argument or an output."""
        counted: dict[Node, int] = {}
        arguments = (source for user in self.nodes for source in user.sources())
        for node in [*arguments, *self.outputs]:
            counted[node] = counted.get(node, 0) + 1
        return counted

    def digest(self) -> str:
        """A hash of what the graph computes: operations, numbers and the order of inputs and outputs, no names."""
        place = {node: number for number, node in enumerate((*self.inputs, *self.nodes))}
        described = [
            [node.operation, *(place[value] if isinstance(value, Node) else value.hex() for value in node.arguments)]
            for node in self.nodes
        ]
        whole = [len(self.inputs), described, [place[output] for output in self.outputs]]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def ordered(values: Iterable[Node], stop: Mapping[Node, Node] | None = None) -> list[Node]:
    """The values and all that they are made of, arguments first; nothing beyond the nodes `stop`."""
    found: set[Node] = set()
    open_ = list(values)
    while open_:
        node = open_.pop()
        if node not in found:
            found.add(node)
            if stop is None or node not in stop:
                open_ += node.sources()
    return sorted(found, key=lambda node: node.index)


def users(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """Which of the nodes use each node."""
    found: dict[Node, list[Node]] = {}
    for node in nodes:
        for source in node.sources():
            found.setdefault(source, []).append(node)
    return found


def is_zero(value: Node | float) -> bool:
    """Whether a value is the number 0 everywhere."""
    if isinstance(value, Node):
        return value.operation == "constant" and value.arguments[0] == 0
    return value == 0
