"""Prints the body of a step from its graph: what C, Triton and the prologue's Python have in common.

Operations that are used once and have no name in the step are written inside the expression that uses them, so a line
of the kernel reads like the line of the step that it comes from. Every name that is printed begins with `v_`: what a
step calls `double`, `mask` or `λ` means nothing else in any language.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from neurons.kernels.graph import Graph, Node

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
    "and": ("&", LOGIC),
    "or": ("|", LOGIC),
    "xor": ("^", LOGIC),
}

LONGEST = 2000
"""Characters of an expression; beyond it a part gets a name of its own, for compilers recurse into nested ones."""

Expression = tuple[str, int]


class Printer(ABC):
    """Prints a graph as statements of one language.

    Attributes:
        functions: the form of each operation that is not infix, with {0}, {1} … for its arguments.
        comment: what a line of comment starts with.
    """

    functions: Mapping[str, str]
    comment: str

    @abstractmethod
    def number(self, value: float) -> str:
        """A real constant."""

    @abstractmethod
    def assign(self, name: str, expression: str, mask: bool) -> str:
        """A statement that defines a value."""

    def operand(self, value: float) -> Expression:
        """A real constant on one side of an infix operation."""
        return self._literal(value)

    @abstractmethod
    def constant(self, value: float) -> str:
        """A full value that holds one number everywhere."""

    @abstractmethod
    def result(self, name: str, expression: str) -> str:
        """A statement that hands out a result of the step."""

    def body(self, graph: Graph, places: Sequence[str], results: Sequence[str]) -> Iterator[str]:
        """The statements that read the inputs from `places`, and that assign the graph's outputs to `results`.

        An empty place is an input that is there by its own name.
        """
        names = Names()
        uses = graph.uses()
        written: dict[Node, Expression] = {}
        for node, place in zip(graph.inputs, places, strict=True):
            name = names.take(node.name)
            written[node] = (name, ATOM)
            if node in uses:
                yield self.assign(name, place, mask=False)
        line = None
        for node in graph.nodes:
            expression = self._expression(node, written)
            if uses[node] == 1 and node.name is None and len(expression[0]) < LONGEST:
                written[node] = expression
                continue
            if node.line and node.line != line:
                line = node.line
                yield f"{self.comment} {_commented(line)}".rstrip()
            name = names.take(node.name)
            yield self.assign(name, expression[0], node.mask)
            written[node] = (name, ATOM)
        for result, node in zip(results, graph.outputs, strict=True):
            yield self.result(result, written[node][0])

    def _expression(self, node: Node, written: Mapping[Node, Expression]) -> Expression:
        operation = node.operation
        number = self.operand if operation in INFIX else self._literal
        arguments = [written[value] if isinstance(value, Node) else number(value) for value in node.arguments]
        if operation == "constant":
            return self.constant(float(node.arguments[0])), ATOM  # type: ignore[arg-type]
        if operation in INFIX:
            sign, binding = INFIX[operation]
            if binding in (COMPARISON, LOGIC):  # their order differs between languages
                left, right = _wrap(arguments[0], SUM), _wrap(arguments[1], SUM)
            else:
                left, right = _wrap(arguments[0], binding), _wrap(arguments[1], binding + 1)
            return f"{left} {sign} {right}", binding
        if operation == "neg":
            return f"-{_wrap(arguments[0], UNARY + 1)}", UNARY
        if operation == "not":
            return f"~{_wrap(arguments[0], ATOM)}", UNARY
        return self.functions[operation].format(*(text for text, _ in arguments)), ATOM

    def _literal(self, value: float) -> Expression:
        text = self.number(value)
        return text, UNARY if text.startswith("-") else ATOM


class Names:
    """Hands out names that differ, each from what it stands for in the step."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str | None) -> str:
        """`v_` and the name in letters that every language knows; the next free number where it is taken."""
        stem = "v_" + re.sub(r"[^0-9A-Za-z_]", "_", wanted or "")
        number, name = 1, stem if wanted else f"{stem}1"
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}" if wanted else f"{stem}{number}"
        self._taken.add(name)
        return name


def _commented(line: str) -> str:
    """The text of a line of the step; a backslash at its end would join the next line of C to the comment."""
    return line.partition(": ")[2].rstrip("\\ \t")


def _wrap(expression: Expression, binding: int) -> str:
    text, own = expression
    return text if own >= binding else f"({text})"


def float_text(value: float) -> str | None:
    """The shortest text that reads back as `value`; None if it is not finite."""
    return repr(value) if math.isfinite(value) else None
