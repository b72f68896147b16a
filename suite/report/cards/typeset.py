"""A graph of pointwise operations as MathML: what a browser sets as a formula, with nothing fetched for it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from neurons.kernels.graph import Node
from suite.report.cards import symbols

ATOM, PRODUCT, SUM, COMPARISON, LOGIC = 5, 4, 3, 2, 1
"""How tightly an expression binds."""
Expression = tuple[str, int]

SAME = "relu tanh exp sin cos floor ceil round"
FUNCTIONS = {
    **{name: name for name in SAME.split()},
    **{"sigmoid": "σ", "log": "ln", "atan": "arctan", "maximum": "max", "minimum": "min", "clamp_min": "max"},
}
COMPARISONS = {"eq": "=", "ne": "≠", "lt": "&lt;", "le": "≤", "gt": "&gt;", "ge": "≥"}
LOGICS = {"and": "∧", "or": "∨", "xor": "⊻"}


class Typesetter:
    """Sets nodes in MathML.

    Args:
        written: symbols of the nodes that have one; every other node is set as what it is made of.
    """

    def __init__(self, written: Mapping[Node, str]) -> None:
        self.written = written

    def math(self, value: Node | float, define: bool = False) -> str:
        """A value; with `define` what a node is made of, though it has a symbol."""
        return (self._made(value) if define and isinstance(value, Node) else self._set(value))[0]

    def _set(self, value: Node | float) -> Expression:
        if not isinstance(value, Node):
            return symbols.number(value), ATOM if value >= 0 else SUM
        return (self.written[value], ATOM) if value in self.written else self._made(value)

    def _made(self, node: Node) -> Expression:
        name, arguments = node.operation, node.arguments
        own = getattr(self, f"_{name}", None)
        if own is not None:
            made: Expression = own(*arguments)
            return made
        if name in COMPARISONS:
            return self._infix(COMPARISONS[name], COMPARISON, *arguments)
        if name in LOGICS:
            return self._infix(LOGICS[name], LOGIC, *arguments)
        return self._function(FUNCTIONS.get(name, name), *arguments)

    def _function(self, name: str, *arguments: Node | float) -> Expression:
        listed = "<mo>,</mo>".join(self.math(value) for value in arguments)
        return f'<mi mathvariant="normal">{name}</mi><mo>⁡</mo>{_bracketed(listed)}', ATOM

    def _infix(self, sign: str, binding: int, left: Node | float, right: Node | float) -> Expression:
        parts = _wrap(self._set(left), binding), _wrap(self._set(right), binding + 1)
        return f"{parts[0]}<mo>{sign}</mo>{parts[1]}", binding

    def _add(self, left: Node | float, right: Node | float) -> Expression:
        if right == 0 or left == 0:
            return self._set(left if right == 0 else right)
        for one, other in ((left, right), (right, left)):
            if self._is(one, "neg"):
                return self._sub(other, one.arguments[0])  # type: ignore[union-attr]
        if not isinstance(right, Node) and right < 0:
            return self._sub(left, -right)
        return self._infix("+", SUM, left, right)

    def _sub(self, left: Node | float, right: Node | float) -> Expression:
        if right == 0:
            return self._set(left)
        return self._infix("−", SUM, left, right)

    def _mul(self, left: Node | float, right: Node | float) -> Expression:
        for one, other in ((left, right), (right, left)):
            if one == 1:
                return self._set(other)
            if one == -1:
                return self._neg(other)
        for one, other in ((right, left), (left, right)):
            below = self._divisor(one)
            if below is not None:
                return self._div(other, below)
            if self._is(one, "neg"):
                return self._neg(one, times=other)
        if not isinstance(right, Node):  # numbers first
            left, right = right, left
        return self._infix("⋅", PRODUCT, left, right)

    def _div(self, above: Node | float, below: Node | float) -> Expression:
        if self._is(above, "neg"):
            return f"<mo form='prefix'>−</mo>{self._div(above.arguments[0], below)[0]}", SUM  # type: ignore[union-attr]
        if not isinstance(above, Node) and above < 0:
            return f"<mo form='prefix'>−</mo>{self._div(-above, below)[0]}", SUM
        parts = [f"<mrow>{self.math(value)}</mrow>" for value in (above, below)]
        return f"<mfrac>{''.join(parts)}</mfrac>", ATOM

    def _reciprocal(self, below: Node | float) -> Expression:
        return self._div(1.0, below)

    def _neg(self, value: Node | float, times: Node | float = 1.0) -> Expression:
        """The negative of a value; with `times`, `value` is itself a negative, and this is its product."""
        inner = self._set(value) if times == 1.0 else self._mul(value.arguments[0], times)  # type: ignore[union-attr]
        return f"<mo form='prefix'>−</mo>{_wrap(inner, PRODUCT)}", SUM

    def _is(self, value: Node | float, operation: str) -> bool:
        """Whether a value is written out as that operation."""
        return isinstance(value, Node) and value not in self.written and value.operation == operation

    def _divisor(self, value: Node | float) -> Node | float | None:
        """What a factor divides by, if it is 1 over something."""
        if self._is(value, "reciprocal"):
            return value.arguments[0]  # type: ignore[union-attr]
        if self._is(value, "mul") and value.arguments[1] == 1:  # type: ignore[union-attr]
            return self._divisor(value.arguments[0])  # type: ignore[union-attr]
        return None

    def _clamp_max(self, value: Node | float, limit: Node | float) -> Expression:
        if self._is(value, "clamp_min"):
            return self._function("clip", *value.arguments, limit)  # type: ignore[union-attr]
        return self._function("min", value, limit)

    def _abs(self, value: Node | float) -> Expression:
        return f"<mrow><mo>|</mo>{self.math(value)}<mo>|</mo></mrow>", ATOM

    def _sqrt(self, value: Node | float) -> Expression:
        return f"<msqrt>{self.math(value)}</msqrt>", ATOM

    def _square(self, value: Node | float) -> Expression:
        return self._pow(value, 2.0)

    def _pow(self, value: Node | float, exponent: Node | float) -> Expression:
        inner = _wrap(self._set(value), ATOM)
        return f"<msup><mrow>{inner}</mrow><mrow>{self.math(exponent)}</mrow></msup>", ATOM

    def _not(self, value: Node | float) -> Expression:
        return f"<mo form='prefix'>¬</mo>{_wrap(self._set(value), ATOM)}", ATOM

    def _constant(self, value: Node | float) -> Expression:
        return self._set(value)

    def _truth(self, mask: Node | float) -> Expression:
        """Θ of a distance, or 1 where a condition holds: Iverson's bracket."""
        if isinstance(mask, Node) and mask.operation == "ge" and mask.arguments[1] == 0:
            return self._function("Θ", mask.arguments[0])
        return f"<mrow><mo>[</mo>{self.math(mask)}<mo>]</mo></mrow>", ATOM

    def _where(self, mask: Node | float, yes: Node | float, no: Node | float) -> Expression:
        """Bounds of a parameter as clip, min or max; else two cases."""
        bound = _bound(mask, yes, no)
        if bound is None:
            lines = [(yes, self.math(mask)), (no, "<mtext>otherwise</mtext>")]
            rows = "".join(f"<mtr><mtd>{self.math(v)}</mtd><mtd>{when}</mtd></mtr>" for v, when in lines)
            return f"<mrow><mo>{{</mo><mtable columnalign='left'>{rows}</mtable></mrow>", ATOM
        value, name, limit = bound
        if name == "min" and isinstance(value, Node) and value.operation == "where" and value not in self.written:
            inner = _bound(*value.arguments)
            if inner is not None and inner[1] == "max":
                return self._function("clip", inner[0], inner[2], limit)
        return self._function(name, value, limit)


def _bound(mask: Node | float, yes: Node | float, no: Node | float) -> tuple[Node, str, float] | None:
    """(value, "max" or "min", limit) of `where(value < limit, limit, value)` and of its counterpart."""
    if not isinstance(mask, Node) or not isinstance(no, Node) or isinstance(yes, Node):
        return None
    compared, limit = mask.arguments if len(mask.arguments) == 2 else (None, None)
    if mask.operation not in ("lt", "gt") or compared is not no or isinstance(limit, Node) or limit is None:
        return None
    if not math.isclose(limit, yes, rel_tol=1e-6):  # one of them may have been rounded to the states' type
        return None
    return no, "max" if mask.operation == "lt" else "min", yes


def _wrap(expression: Expression, binding: int) -> str:
    text, own = expression
    return text if own >= binding else _bracketed(text)


def _bracketed(text: str) -> str:
    """In brackets, which grow with what is tall alone."""
    tall = any(tag in text for tag in ("<mfrac", "<mtable", "<msqrt"))
    brace = "<mo>" if tall else '<mo stretchy="false">'
    return f"<mrow>{brace}(</mo>{text}{brace})</mo></mrow>"
