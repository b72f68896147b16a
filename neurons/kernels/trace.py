"""From `step` to a program: the graphs that the fused kernels are printed from.

1. The step is traced at the level of Python, so that each operation knows its line and each line its variable.
2. What depends on parameters alone leaves the loop over time: it stays ordinary torch on the small parameter tensors
   (the *prologue*, differentiated by autograd), and what it hands to the loop are the *coefficients*.
3. The rest is traced to aten operations by `make_fx`, once as it is and once through `torch.func.vjp`, which gives the
   backward graph with the surrogate gradient in it. There is no differentiation of our own.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import Any

import torch
from torch import Tensor, fx
from torch._decomp import get_decompositions
from torch.fx import traceback as fx_traceback
from torch.fx.experimental.proxy_tensor import make_fx

from neurons.errors import NotFusable
from neurons.kernels.coefficient import GRANULARITIES, Coefficient
from neurons.kernels.operations import COPIES, OPERATIONS, operation_name
from neurons.model import Granularity, Neuron
from neurons.surrogate import spike

EXAMPLE_SHAPE = (4,)


@dataclass(frozen=True)
class Program:
    """A traced neuron.

    Attributes:
        prologue_text: parameters (in the order of `parameters`) to coefficients, as a Python function over torch.
        forward: (x, *states, *coefficients) to (output, *states).
        backward: (x, *states, *coefficients, grad_output, *grad_states) to
            (grad_x, *grad_states, *grad_coefficients).
    """

    neuron: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    prologue_text: str
    forward: fx.Graph
    backward: fx.Graph


_programs: dict[Hashable, Program] = {}


def program_of(neuron: Neuron) -> Program:
    """The program of a neuron with its constants, traced once.

    Raises:
        NotFusable: one line that names the operation and the line of the step.
    """
    key = neuron.signature()
    if key not in _programs:
        _programs[key] = _trace(neuron)
    return _programs[key]


def _trace(neuron: Neuron) -> Program:
    granularity = {name: declared.per for name, declared in neuron.learnables().items()}
    tracer = _StepTracer(neuron)
    step = tracer.trace_step(["x", *neuron.states], list(granularity))
    prologue, loop, coefficients = _split(step, tracer.root, granularity)
    inputs = ["x", *neuron.states, *(coefficient.name for coefficient in coefficients)]
    outputs = [_unused("output", inputs), *neuron.states]
    return Program(
        neuron=neuron.name,
        states=tuple(neuron.states),
        parameters=tuple(granularity),
        coefficients=tuple(coefficients),
        prologue_text=_text(neuron, prologue),
        forward=_aten_graph(neuron, loop, inputs),
        backward=_aten_graph(neuron, loop, inputs, [f"grad_{name}" for name in outputs]),
    )


def _text(neuron: Neuron, module: fx.GraphModule) -> str:
    """The module's graph as a Python function that needs nothing but torch."""
    code = module.graph.python_code("self")
    used = {node.id for node in ast.walk(ast.parse(code.src)) if isinstance(node, ast.Name)}
    foreign = sorted((used & set(code.globals)) - {"torch"})
    foreign += [str(node.target) for node in module.graph.nodes if node.op == "get_attr"]
    if foreign:
        reason = f"its parameters go through {', '.join(foreign)}; use functions of torch and numbers"
        raise NotFusable(_message(neuron, None, reason))
    return code.src


class _StepTracer(fx.Tracer):
    """Records the operations of one `step` with the line of the step that each stands on."""

    def __init__(self, neuron: Neuron) -> None:
        super().__init__()
        self.neuron = neuron
        self.code = type(neuron).step.__code__
        self.root = torch.nn.Module()
        self.graph = fx.Graph(tracer_cls=fx.Tracer)
        self.tensor_attrs: dict[Any, str] = {}

    def trace_step(self, inputs: Sequence[str], parameters: Sequence[str]) -> fx.Graph:
        proxies = {name: fx.Proxy(self.graph.placeholder(name), self) for name in [*inputs, *parameters]}
        bound = self.neuron.bind({name: proxies[name] for name in parameters})
        if type(self.neuron).spike is Neuron.spike:
            vars(bound)["spike"] = self._spike
        try:
            outputs = bound.step(*(proxies[name] for name in inputs))
        except Exception as error:
            _run_plainly(self.neuron, len(inputs))
            raise NotFusable(_message(self.neuron, self._line_of(error), _reason(error))) from error
        self.graph.output(tuple(self.create_arg(output) for output in outputs))
        self.graph.eliminate_dead_code()
        self._name_results()
        return self.graph

    def _name_results(self) -> None:
        """Note on the last operation of a line or of a property (`decay`) the name of what it computes.

        The key "custom" is the one that torch.fx hands on to the operations that a node is traced into.
        """
        last: dict[tuple[str, str | None], fx.Node] = {}
        for node in self.graph.nodes:
            if node.stack_trace:
                last[node.stack_trace, None] = node
                last[node.stack_trace, node.meta["property"]] = node
        for (line, attribute), node in last.items():
            name = attribute or _assigned(line)
            if name is not None:
                node.meta["custom"] = {"name": name}

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        frame: FrameType | None = sys._getframe()
        attribute = None
        while frame is not None and frame.f_code is not self.code:
            if attribute is None and isinstance(getattr(type(self.neuron), frame.f_code.co_name, None), property):
                attribute = frame.f_code.co_name
            frame = frame.f_back
        if frame is not None:
            text = linecache.getline(self.code.co_filename, frame.f_lineno).strip()
            node.stack_trace = f"{frame.f_lineno}: {text}"
            node.meta["property"] = attribute
        return node

    def _spike(self, distance: fx.Proxy) -> Any:
        arguments = (distance, self.neuron.surrogate, self.neuron.surrogate_width)
        return self.create_proxy("call_function", spike, arguments, {})

    def _line_of(self, error: Exception) -> str | None:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code is self.code:
                return f"{trace.tb_lineno}: {linecache.getline(self.code.co_filename, trace.tb_lineno).strip()}"
            trace = trace.tb_next
        return None


def _split(
    step: fx.Graph, constants: torch.nn.Module, granularity: dict[str, Granularity]
) -> tuple[fx.GraphModule, fx.GraphModule, list[Coefficient]]:
    """Part the step into the prologue (parameters alone) and the loop, joined by coefficients."""
    finest: dict[fx.Node, int | None] = {}  # index into GRANULARITIES; -1: constant; None: depends on x or a state
    for node in step.nodes:
        if node.op == "placeholder":
            finest[node] = GRANULARITIES.index(granularity[node.name]) if node.name in granularity else None
        elif node.op != "output":
            depends = [finest[source] for source in node.all_input_nodes]
            known = [value for value in depends if value is not None]
            finest[node] = None if len(known) < len(depends) else max(known, default=-1)

    def crosses(node: fx.Node) -> bool:
        value = finest.get(node)
        return value is not None and value >= 0 and any(finest.get(user) is None for user in node.users)

    handed = [node for node in step.nodes if node.op != "output" and crosses(node)]
    prologue, loop = fx.Graph(), fx.Graph()
    inside: dict[fx.Node, fx.Node] = {}
    copied: dict[fx.Node, fx.Node] = {}
    for node in step.nodes:
        if node.op == "placeholder":
            target = prologue if node.name in granularity else loop
            (copied if target is prologue else inside)[node] = target.placeholder(node.name)
    taken = {node.name for node in inside}
    coefficients = []
    for node in handed:
        name = _unused(_coefficient_name(node), taken)
        taken.add(name)
        inside[node] = loop.placeholder(name)
        coefficients.append(Coefficient(name, GRANULARITIES[finest[node] or 0]))
    for node in step.nodes:
        if node.op in ("placeholder", "output"):
            continue
        value = finest[node]
        if value is None or value < 0:
            inside[node] = loop.node_copy(node, lambda source: inside[source])
        if value is not None:
            copied[node] = prologue.node_copy(node, lambda source: copied[source])
    (output,) = (node for node in step.nodes if node.op == "output")
    loop.output(fx.map_arg(output.args[0], lambda source: inside[source]))
    prologue.output(tuple(copied[node] for node in handed))
    for graph in (prologue, loop):
        graph.eliminate_dead_code()
    return fx.GraphModule(constants, prologue), fx.GraphModule(constants, loop), coefficients


def _aten_graph(
    neuron: Neuron, loop: fx.GraphModule, inputs: Sequence[str], cotangents: Sequence[str] | None = None
) -> fx.Graph:
    """The loop body in aten operations, or with `cotangents` the graph of its vector-Jacobian product."""

    def forward(*values: Tensor) -> tuple[Tensor, ...]:
        return fx.Interpreter(loop).run(*values)

    def backward(*values: Tensor) -> tuple[Tensor, ...]:
        pull_back = torch.func.vjp(forward, *values[: len(inputs)])[1]
        return pull_back(values[len(inputs) :])

    names = [*inputs, *(cotangents or ())]
    examples = [torch.linspace(0.2, 1.4, EXAMPLE_SHAPE[0]) for _ in names]
    try:
        with fx_traceback.preserve_node_meta():
            table = _decompositions()
            run = backward if cotangents else forward
            traced = make_fx(run, decomposition_table=table)(*examples)
    except Exception as error:
        raise NotFusable(_message(neuron, None, _reason(error))) from error
    graph = traced.graph
    graph.eliminate_dead_code()
    _inline_constants(traced)
    _check(neuron, graph)
    _rename(graph, names)
    return graph


@cache
def _decompositions() -> dict[Any, Callable[..., Any]]:
    """Torch's own definitions, in simple operations, of the backward and composite functions that a step may use."""
    aten = torch.ops.aten
    composite = """sigmoid_backward tanh_backward threshold_backward hardtanh hardtanh_backward leaky_relu
        leaky_relu_backward elu elu_backward gelu gelu_backward silu silu_backward softplus softplus_backward
        hardsigmoid hardsigmoid_backward hardswish hardswish_backward logit logit_backward log_sigmoid_forward
        log_sigmoid_backward lerp addcmul addcdiv rsub square heaviside xlogy sinc frac fill masked_fill
        new_zeros new_ones new_full rsqrt"""
    return get_decompositions([getattr(aten, name) for name in composite.split() if hasattr(aten, name)])


def _inline_constants(traced: fx.GraphModule) -> None:
    """Replace tensors of one element that the step made (`torch.tensor(2.0)`) by their number."""
    graph = traced.graph
    numbers: dict[fx.Node, float] = {}
    for node in list(graph.nodes):
        if node.op == "get_attr" and getattr(traced, str(node.target)).numel() == 1:
            numbers[node] = getattr(traced, str(node.target)).item()
        elif node.op == "call_function" and operation_name(node) in COPIES and node.args[0] in numbers:
            numbers[node] = numbers[node.args[0]]
        else:
            node.args = fx.map_arg(node.args, lambda source: numbers.get(source, source))
    for node in reversed(numbers):
        graph.erase_node(node)


def _check(neuron: Neuron, graph: fx.Graph) -> None:
    for node in graph.nodes:
        if node.op in ("placeholder", "output"):
            continue
        if node.op != "call_function" or operation_name(node) not in OPERATIONS:
            name = operation_name(node) if node.op == "call_function" else node.op
            raise NotFusable(_message(neuron, node.stack_trace, f"the operation {name} is not pointwise or not known"))
        value = node.meta.get("val")
        if isinstance(value, Tensor) and value.numel() > 1 and tuple(value.shape) != EXAMPLE_SHAPE:
            raise NotFusable(_message(neuron, node.stack_trace, f"{operation_name(node)} changes the shape"))


def _rename(graph: fx.Graph, inputs: Sequence[str]) -> None:
    """Give nodes the names of the step: its inputs, and what a line assigns to the last operation of that line."""
    computed = [node for node in graph.nodes if node.op == "call_function"]
    last = {name: node for node in computed if (name := _result_name(node)) is not None}
    results = {node: name for name, node in last.items()}
    for index, node in enumerate(graph.nodes):
        node._rename(f"temporary_{index}")
    taken: set[str] = set()
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    wanted = [*zip(placeholders, inputs, strict=True), *((node, results.get(node, "v1")) for node in computed)]
    for node, name in wanted:
        node.meta["named"] = node in results
        node._rename(_unused(name, taken))
        taken.add(node.name)


def _result_name(node: fx.Node) -> str | None:
    return node.meta.get("custom", {}).get("name")


def _coefficient_name(node: fx.Node) -> str:
    """The variable or property that the coefficient is, or the function and parameter, as in `sigmoid_threshold`."""
    if node.op == "call_function" and len(node.all_input_nodes) == 1 and node.all_input_nodes[0].op == "placeholder":
        return _result_name(node) or f"{getattr(node.target, '__name__', 'of')}_{node.all_input_nodes[0].name}"
    return _result_name(node) or node.name


def _assigned(line: str) -> str | None:
    """The variable that a line of the form "number: text" assigns, if the text is a plain assignment."""
    try:
        (statement,) = ast.parse(line.partition(": ")[2]).body
    except (SyntaxError, ValueError):
        return None
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return None


def _unused(name: str, taken: Collection[str]) -> str:
    """`name`, or with the next free number: u, u2, u3."""
    stem = name.rstrip("0123456789")
    number, candidate = int(name[len(stem) :] or 1), name
    while candidate in taken:
        number += 1
        candidate = f"{stem}{number}"
    return candidate


def _run_plainly(neuron: Neuron, inputs: int) -> None:
    """Run the step on tensors: an error of its own shows as what it is, not as something that cannot be fused."""
    parameters = {name: torch.full(EXAMPLE_SHAPE, 0.1) for name in neuron.learnables()}
    neuron.bind(parameters).step(*(torch.ones(EXAMPLE_SHAPE) for _ in range(inputs)))


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _message(neuron: Neuron, line: str | None, reason: str) -> str:
    where = f", line {line}" if line else ""
    return f"{neuron.name} cannot be fused: step{where}: {reason}; the backend reference remains"
