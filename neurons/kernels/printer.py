"""Prints the body of a step from its graph: the part that C and Triton have in common.

Operations that are used once and have no name in the step are written inside the expression that uses them, so a line
of the kernel reads like the line of the step that it comes from.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import fx

from neurons.kernels.operations import OPERATIONS, operation_name

ATOM, UNARY, PRODUCT, SUM, COMPARISON, LOGIC = 6, 5, 4, 3, 2, 1
"""How tightly an expression binds."""

INFIX = {
    "add": ("+", SUM),
    "sub": ("-", SUM),
    "mul": ("*", PRODUCT),
    "div": ("/", PRODUCT),
    "eq": ("==", COMPARISON),
    "ne": ("!=", COMPARISON),
    "lt": ("<", COMPARISON),
    "le": ("<=", COMPARISON),
    "gt": (">", COMPARISON),
    "ge": (">=", COMPARISON),
    "logical_and": ("&", LOGIC),
    "bitwise_and": ("&", LOGIC),
    "logical_or": ("|", LOGIC),
    "bitwise_or": ("|", LOGIC),
    "logical_xor": ("^", LOGIC),
}

Expression = tuple[str, int]


class Printer(ABC):
    """Prints a graph as statements of one language.

    Attributes:
        functions: the form of each operation that is not infix, with {0}, {1} … for its arguments.
        comment: what a line of comment starts with.
    """

    functions: dict[str, str]
    comment: str

    @abstractmethod
    def number(self, value: float) -> str:
        """A real constant."""

    @abstractmethod
    def assign(self, name: str, expression: str, mask: bool) -> str:
        """A statement that defines a value."""

    @abstractmethod
    def as_real(self, mask: str) -> str:
        """1 where a mask holds, else 0."""

    def constant(self, value: float) -> str:
        """A full value that holds one number everywhere."""
        return self.number(value)

    def body(self, graph: fx.Graph, results: Sequence[str]) -> Iterator[str]:
        """The statements that compute the graph's outputs and assign them to `results`."""
        written: dict[fx.Node, Expression] = {}
        line = None
        for node in graph.nodes:
            if node.op == "placeholder":
                written[node] = (node.name, ATOM)
            elif node.op == "output":
                for result, value in zip(results, node.args[0], strict=True):
                    yield self.result(result, self._value(value, written)[0])
            else:
                expression = self._expression(node, written)
                if len(node.users) == 1 and not node.meta["named"]:
                    written[node] = expression
                    continue
                if node.stack_trace and node.stack_trace != line:
                    line = node.stack_trace
                    yield f"{self.comment} {line.partition(': ')[2]}"
                yield self.assign(node.name, expression[0], is_mask(node))
                written[node] = (node.name, ATOM)

    @abstractmethod
    def result(self, name: str, expression: str) -> str:
        """A statement that hands out a result of the step."""

    def _expression(self, node: fx.Node, written: dict[fx.Node, Expression]) -> Expression:
        name = operation_name(node)
        arguments = [self._value(argument, written) for argument in node.args if not isinstance(argument, list)]
        alpha = node.kwargs.get("alpha", 1)
        if alpha != 1:
            factor = self._value(alpha, written)
            arguments[1] = (f"{_wrap(factor, PRODUCT)} * {_wrap(arguments[1], PRODUCT)}", PRODUCT)
        if name == "_to_copy" and isinstance(node.args[0], fx.Node) and is_mask(node.args[0]):
            return (self.as_real(arguments[0][0]), ATOM) if not _keeps_mask(node) else arguments[0]
        if OPERATIONS[name].result == "same":
            return arguments[0]
        if name in ("zeros_like", "zeros"):
            return self.constant(0.0), ATOM
        if name in ("ones_like", "ones"):
            return self.constant(1.0), ATOM
        if name in ("full", "full_like", "scalar_tensor"):
            return self.constant(float(node.args[-1])), ATOM  # type: ignore[arg-type]
        if name in INFIX:
            sign, binding = INFIX[name]
            if binding in (COMPARISON, LOGIC):  # their order differs between languages
                left, right = _wrap(arguments[0], SUM), _wrap(arguments[1], SUM)
            else:
                left, right = _wrap(arguments[0], binding), _wrap(arguments[1], binding + 1)
            return f"{left} {sign} {right}", binding
        if name == "neg":
            return f"-{_wrap(arguments[0], UNARY)}", UNARY
        if name == "clamp":
            return self._clamp(node, arguments, written)
        return self.functions[name].format(*(text for text, _ in arguments)), ATOM

    def _clamp(self, node: fx.Node, arguments: list[Expression], written: dict[fx.Node, Expression]) -> Expression:
        text = arguments[0][0]
        bounds = [*node.args[1:], None, None][:2]
        for bound, name in zip(bounds, ("clamp_min", "clamp_max"), strict=True):
            if bound is not None:
                text = self.functions[name].format(text, self._value(bound, written)[0])
        return text, ATOM

    def _value(self, value: object, written: dict[fx.Node, Expression]) -> Expression:
        if isinstance(value, fx.Node):
            return written[value]
        if isinstance(value, (bool, int, float)):
            text = self.number(float(value))
            return text, UNARY if text.startswith("-") else ATOM
        return "", ATOM


def is_mask(node: fx.Node) -> bool:
    """Whether a value is a truth value of each element."""
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype == torch.bool


def _keeps_mask(node: fx.Node) -> bool:
    return bool(node.kwargs.get("dtype") == torch.bool)


def _wrap(expression: Expression, binding: int) -> str:
    text, own = expression
    return text if own >= binding else f"({text})"


def float_text(value: float) -> str | None:
    """The shortest text that reads back as `value`; None if it is not finite."""
    return repr(value) if math.isfinite(value) else None
