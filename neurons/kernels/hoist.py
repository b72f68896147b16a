"""Parts a traced step into what runs once a call and what runs for every neuron and time step.

What depends on parameters alone is computed once (the *prologue*); what it hands to the loop are the *coefficients*.
Gradients of parameters are sums over neurons and steps. What comes after the last operation on a neuron's own values is
linear in these with factors of the parameters, so it is done once on the sums (the *epilogue*).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neurons.kernels.coefficient import GRANULARITIES, Coefficient
from neurons.kernels.graph import INPUT, Builder, Graph, Node, is_zero, ordered, users
from neurons.kernels.shared_gradient import is_linear
from neurons.learnable import Granularity

CONSTANT = -1
"""Made of numbers alone; other values of `finest` are indices into GRANULARITIES, None what differs between neurons."""


@dataclass(frozen=True)
class Parts:
    """A step and its gradient in four graphs, see `trace.Program`."""

    coefficients: tuple[Coefficient, ...]
    sums: tuple[Coefficient, ...]
    prologue: Graph
    forward: Graph
    backward: Graph
    epilogue: Graph
    epilogue_per: tuple[Granularity | None, ...]


def part(
    builder: Builder,
    loop_inputs: Sequence[Node],
    cotangents: Sequence[Node],
    parameters: Mapping[Node, Granularity],
    results: Sequence[Node],
    gradients: Sequence[Node],
    parameter_gradients: Sequence[Node | None],
    trained: Sequence[Node],
) -> Parts:
    """Part a step.

    Args:
        loop_inputs: x and the states.  cotangents: gradients of the results.
        parameters: what one call has one value of, a channel or a step and channel: the `trained`, then run-time
            constants.
        results: output and states.  gradients: of `loop_inputs`.
        parameter_gradients: of `trained`; None where there is none.
    """
    given = [gradient for gradient in parameter_gradients if gradient is not None]
    finest = _finest([*results, *gradients, *given, *loop_inputs, *cotangents], parameters)
    parameter_gradients = [None if own is None or is_zero(own) else own for own in parameter_gradients]
    wanted = [gradient for gradient in parameter_gradients if gradient is not None]
    tails = _tails([*results, *gradients], wanted, finest)
    cuts, per = _cuts(tails, parameter_gradients, [parameters[node] for node in trained], finest)
    sums = tuple(Coefficient(f"sum_{number}", GRANULARITIES[per[cut]]) for number, cut in enumerate(cuts))
    handed = _handed([*results, *gradients, *cuts], finest)
    coefficients, handed_values, replaced = _coefficients(builder, handed, finest)
    places = [replaced[node].sources()[0] if node.mask else replaced[node] for node in handed]
    sum_inputs = [builder.input(total.name) for total in sums]
    after = builder.substitute(wanted, dict(zip(cuts, sum_inputs, strict=True)))
    values = tuple(parameters)
    return Parts(
        coefficients=coefficients,
        sums=sums,
        prologue=Graph(values, tuple(handed_values)),
        forward=Graph((*loop_inputs, *places), tuple(builder.substitute(results, replaced))),
        backward=Graph((*loop_inputs, *places, *cotangents), tuple(builder.substitute([*gradients, *cuts], replaced))),
        epilogue=Graph((*values, *sum_inputs), tuple(after)),
        epilogue_per=tuple(_per(gradient, tails, per) for gradient in parameter_gradients),
    )


Finest = Mapping[Node, int | None]


def _finest(values: Sequence[Node], parameters: Mapping[Node, Granularity]) -> dict[Node, int | None]:
    """For each node the finest granularity of the parameters that it is made of; None if of x, states or cotangents."""
    finest: dict[Node, int | None] = {}
    for node in ordered(values):
        if node.operation == INPUT:
            finest[node] = GRANULARITIES.index(parameters[node]) if node in parameters else None
        else:
            depends = [finest[source] for source in node.sources()]
            known = [value for value in depends if value is not None]
            finest[node] = None if len(known) < len(depends) else max(known, default=CONSTANT)
    return finest


def _handed(outputs: Sequence[Node], finest: Finest) -> list[Node]:
    """Values of parameters alone that an operation of the loop uses or that are an output of it."""
    outside = {node: node for node, value in finest.items() if value is not None}
    used = ordered(outputs, stop=outside)
    return [node for node in used if _of_parameters(node, finest)]


def _of_parameters(node: Node, finest: Finest) -> bool:
    """Whether a node is made of parameters, and of nothing that differs between neurons."""
    value = finest[node]
    return value is not None and value != CONSTANT


def _coefficients(
    builder: Builder, handed: Sequence[Node], finest: Finest
) -> tuple[tuple[Coefficient, ...], list[Node], dict[Node, Node]]:
    """The coefficients, what the prologue computes for each, and what stands for it in the loop."""
    coefficients, values, replaced = [], [], {}
    for node in handed:
        name = _coefficient_name(node)
        place = builder.input(name)
        values.append(builder.node("truth", node) if node.mask else node)
        replaced[node] = builder.node("ne", place, 0.0, mask=True) if node.mask else place
        coefficients.append(Coefficient(name, GRANULARITIES[finest[node] or 0]))
    return tuple(coefficients), values, replaced


def _coefficient_name(node: Node) -> str:
    """The variable or property that it is, or the operation and its parameter, as in `sigmoid_threshold`."""
    inputs = [str(source.name) for source in ordered([node]) if source.operation == INPUT]
    return node.name or "_".join([node.operation, *(inputs if len(inputs) == 1 else [])])


def _tails(loop_outputs: Sequence[Node], wanted: Sequence[Node], finest: Finest) -> list[Node]:
    """Nodes between the sums and the gradients of the parameters, arguments first."""
    needed = set(ordered(loop_outputs))
    candidates = [node for node in ordered(wanted) if node not in needed and finest[node] is None]
    used_by = users(candidates)
    varying = {node for node, value in finest.items() if value is None}
    linear: set[Node] = set()
    for node in reversed(candidates):
        if is_linear(node, varying) and all(user in linear for user in used_by.get(node, ())):
            linear.add(node)
    tails: dict[Node, None] = {}
    for node in candidates:  # without a factor of its own nothing is won by doing it later
        if node in linear and any(source in tails or _of_parameters(source, finest) for source in node.sources()):
            tails[node] = None
    return list(tails)


def _cuts(
    tails: Sequence[Node], gradients: Sequence[Node | None], per: Sequence[Granularity], finest: Finest
) -> tuple[list[Node], dict[Node, int]]:
    """What is summed, and the granularity at which each sum is kept and each tail is computed.

    All that flow together have the same: the finest of the parameters they meet.
    """
    group: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        while group.setdefault(node, node) is not node:
            node = group[node]
        return node

    inside = set(tails)
    cuts = {gradient for gradient in gradients if gradient is not None} - inside
    for node in tails:
        for source in node.sources():
            if finest[source] is None:
                group[root(source)] = root(node)
                cuts |= {source} - inside
    levels: dict[Node, int] = {}
    for node in tails:
        own = max((finest[source] or 0 for source in node.sources() if finest[source] is not None), default=0)
        levels[root(node)] = max(levels.get(root(node), 0), own)
    for gradient, granularity in zip(gradients, per, strict=True):
        if gradient is not None:
            levels[root(gradient)] = max(levels.get(root(gradient), 0), GRANULARITIES.index(granularity))
    found = {node: levels[root(node)] for node in [*cuts, *tails]}
    return sorted(cuts, key=lambda node: node.index), found


def _per(gradient: Node | None, tails: Sequence[Node], per: Mapping[Node, int]) -> Granularity | None:
    """The granularity that the epilogue gives a gradient; None for a parameter without gradient."""
    if gradient is None or gradient not in per:
        return None
    return GRANULARITIES[per[gradient]]
