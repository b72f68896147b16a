"""From `step` to a program: the graphs that the fused kernels are printed from.

The step runs once on small tensors while every operation is recorded (`record`), together with its gradient by torch's
own autograd: the backward graph has the surrogate gradient in it, and whatever else decides a gradient. There is no
differentiation of our own. What depends on parameters alone then leaves the loop over time (`hoist`).
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from neurons.errors import NotFusable
from neurons.kernels.coefficient import Coefficient
from neurons.kernels.graph import Builder, Graph, Node, ordered
from neurons.kernels.hoist import part
from neurons.kernels.record import NoReading, Recorder, RefusedAt, line_of
from neurons.learnable import Granularity
from neurons.model import DERIVED, Neuron

EXAMPLE_SHAPE = (2, 2)
"""Two dimensions, so that what flattens its input shows."""


@dataclass(frozen=True)
class Program:
    """A traced neuron.

    Attributes:
        parameters: names of its trainable parameters.
        constants: names of its constants that are given at each call, see `Neuron.annealed`.
        coefficients: what the prologue hands to the loop.
        sums: what backward adds up over neurons, and over steps unless it is one for each step.
        prologue: (*parameters, *constants) to coefficients.
        forward: (x, *states, *coefficients) to (output, *states).
        backward: (x, *states, *coefficients, grad_output, *grad_states) to (grad_x, *grad_states, *sums).
        epilogue: (*parameters, *constants, *sums) to the gradients of the parameters that have one.
        epilogue_per: granularity of each parameter's gradient from the epilogue, at least its own; None: no gradient.
    """

    neuron: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    granularity: tuple[Granularity, ...]
    constants: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    sums: tuple[Coefficient, ...]
    prologue: Graph
    forward: Graph
    backward: Graph
    epilogue: Graph
    epilogue_per: tuple[Granularity | None, ...]

    def digest(self) -> str:
        """A hash of what the program computes, names left out."""
        graphs = [graph.digest() for graph in (self.prologue, self.forward, self.backward, self.epilogue)]
        per = [value.per for value in (*self.coefficients, *self.sums)]
        whole = [len(self.states), self.granularity, len(self.constants), per, graphs, self.epilogue_per]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]


def program_of(neuron: Neuron, dtype: torch.dtype = torch.float32) -> Program:
    """The program of a neuron as it is now, for states of that dtype; traced anew only if the neuron has changed.

    Raises:
        NotFusable: one line that names the operation and the line of the step.
    """
    programs: dict[torch.dtype, Program] = neuron.derived("programs")
    if dtype not in programs:
        programs[dtype] = in_clean_thread(lambda: _trace(neuron, dtype))
    return programs[dtype]


T = TypeVar("T")


def in_clean_thread(work: Callable[[], T]) -> T:
    """The result of `work` in a thread of its own: free of the caller's modes (no_grad, autocast, fake tensors …)."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def _trace(neuron: Neuron, dtype: torch.dtype) -> Program:
    annealed = neuron.annealed_constants()
    if annealed:
        try:
            return _Trace(neuron, dtype, annealed).program()
        except NotFusable:  # the step may ask for its value (`if width > 1`): then it is part of the program
            pass
    return _Trace(neuron, dtype, ()).program()


class _Pull(torch.autograd.Function):
    """An end of the graph whose gradient is any given one: `torch.autograd.grad` imports sympy for that (0.4 s)."""

    @staticmethod
    def forward(ctx: Any, *pairs: Tensor) -> Tensor:
        ctx.cotangents = pairs[1::2]
        return torch.zeros((), dtype=pairs[0].dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return tuple(value for cotangent in ctx.cotangents for value in (cotangent, None))


class _Trace:
    """One run of a step under the recorder."""

    def __init__(self, neuron: Neuron, dtype: torch.dtype, constants: Sequence[str]) -> None:
        self.neuron = neuron
        self.dtype = dtype
        self.code = inspect.unwrap(type(neuron).step).__code__
        self.builder = Builder()
        self.granularity = {name: declared.per for name, declared in neuron.learnables().items()}
        self.inputs = self._made(["x", *neuron.states])
        self.parameters = self._made(list(self.granularity))
        outputs = ["output", *neuron.states]
        self.cotangents = self._made([f"grad_{name}" for name in outputs], trained=False)
        values = [torch.tensor(float(getattr(neuron, name)), dtype=dtype) for name in constants]
        self.constants = {self.builder.input(name): value for name, value in zip(constants, values, strict=True)}

    def _made(self, names: Sequence[str], trained: bool = True) -> dict[Node, Tensor]:
        values = torch.linspace(0.2, 1.4, EXAMPLE_SHAPE[0] * EXAMPLE_SHAPE[1], dtype=self.dtype).view(EXAMPLE_SHAPE)
        return {self.builder.input(name): values.clone().requires_grad_(trained) for name in names}

    def program(self) -> Program:
        given = {**self.inputs, **self.parameters, **self.constants, **self.cotangents}
        shared = {**self.parameters, **self.constants}
        recorder = Recorder(self.builder, given, self.code, type(self.neuron), self.dtype, shared)
        results, gradients = self._recorded(recorder)
        self._name(recorder)
        used = set(ordered([*results, *(gradient for gradient in gradients if gradient is not None)]))
        constants = [node for node in self.constants if node in used]
        per = {node: self.granularity[str(node.name)] for node in self.parameters}
        count = len(self.inputs)
        zero = self.builder.node("constant", 0.0)
        parts = part(
            self.builder,
            list(self.inputs),
            list(self.cotangents),
            {**per, **dict.fromkeys(constants, "layer")},
            results,
            [gradient or zero for gradient in gradients[:count]],
            gradients[count:],
            list(self.parameters),
        )
        return Program(
            neuron=self.neuron.name,
            states=tuple(self.neuron.states),
            parameters=tuple(self.granularity),
            granularity=tuple(self.granularity.values()),
            constants=tuple(str(node.name) for node in constants),
            **vars(parts),
        )

    def _recorded(self, recorder: Recorder) -> tuple[list[Node], list[Node | None]]:
        """The nodes of output and states, and of the gradients of inputs and parameters (None: has none)."""
        given = {str(node.name): value for node, value in {**self.parameters, **self.constants}.items()}
        bound, before = self.neuron, dict(vars(self.neuron))
        leaves = [*self.inputs.values(), *self.parameters.values()]
        try:
            with recorder, NoReading(recorder):
                bound = self.neuron.bind(given)
                before = dict(vars(bound))
                outputs = bound.step(*self.inputs.values())
                recorder.raise_refused()
                if not isinstance(outputs, tuple) or len(outputs) != len(self.cotangents):
                    raise RefusedAt(f"does not return {len(self.cotangents)} tensors, the output and the states", None)
                results = [recorder.node_of(value) for value in outputs]
                if any(tensor._backward_hooks for tensor in self.parameters.values()):
                    raise RefusedAt(
                        "a hook on a Learnable, of which every step adds one; hook what is made of it", None
                    )
                pulled = [pair for pair in zip(outputs, self.cotangents.values(), strict=True) if pair[0].requires_grad]
                gradients: Sequence[Tensor | None] = [None] * len(leaves)
                if pulled:
                    end = _Pull.apply(*(tensor for pair in pulled for tensor in pair))
                    recorder.note(end, self.builder.node("constant", 0.0))
                    recorder.watch_backward(outputs, self.cotangents)
                    gradients = torch.autograd.grad(end, leaves, allow_unused=True)
                recorder.raise_refused()
                pulled_back = [None if value is None else recorder.node_of(value) for value in gradients]
        except RefusedAt as error:
            raise NotFusable(_message(self.neuron, error.line, str(error))) from None
        except Exception as error:
            _run_plainly(self.neuron)
            raise NotFusable(_message(self.neuron, self._line_of(error), _reason(error))) from error
        now = {name: value for name, value in vars(bound).items() if name not in DERIVED}
        changed = [name for name, value in now.items() if before.get(name, bound) is not value]
        if changed:
            reason = f"it sets self.{changed[0]}; what lasts from one step to the next is a state"
            raise NotFusable(_message(self.neuron, None, reason))
        return results, pulled_back

    def _name(self, recorder: Recorder) -> None:
        """Give the last operation of a line or of a property (`decay`) the name of what it computes."""
        last: dict[tuple[str, str | None], Node] = {}
        for line, attribute, node in recorder.made:
            node.line = node.line or line
            last[line, None] = node
            last[line, attribute] = node
        for (line, attribute), node in last.items():
            node.name = node.name or attribute or _assigned(line)

    def _line_of(self, error: Exception) -> str | None:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code is self.code:
                return line_of(self.code, trace.tb_lineno)
            trace = trace.tb_next
        return None


def _assigned(line: str) -> str | None:
    """The variable that a line of the form "number: text" assigns, if the text is a plain assignment."""
    try:
        (statement,) = ast.parse(line.partition(": ")[2]).body
    except (SyntaxError, ValueError):
        return None
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return None


def _run_plainly(neuron: Neuron) -> None:
    """Run the step on tensors: an error of its own shows as what it is, not as something that cannot be fused."""
    parameters = {name: torch.full(EXAMPLE_SHAPE, 0.1) for name in neuron.learnables()}
    neuron.bind(parameters).step(*(torch.ones(EXAMPLE_SHAPE) for _ in range(1 + len(neuron.states))))


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _message(neuron: Neuron, line: str | None, reason: str) -> str:
    where = f", line {line}" if line else ""
    return f"{neuron.name} cannot be fused: step{where}: {reason}; the backend reference remains"
