"""From torch's aten operations to the kernels' own, with every argument honoured or refused.

Each aten operation has a form that names the arguments it honours. Any other argument that does not have its default
value is refused by name, as is an operation without a form: nothing is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from neurons.kernels.graph import Builder, Node

Value = Node | float


class Refused(Exception):
    """An operation, or one of its arguments, that the kernels do not know; the message says which and the way out."""


@dataclass(frozen=True)
class Call:
    """One aten call: its arguments by name (tensors as nodes or numbers), and what its result is.

    Attributes:
        result: "real", "mask", "whole" (0 or 1 of an integer type, from a mask) or "single" (float32 in a step on
            float64, which torch makes of a mask and a number).
        kinds: the same of each argument that is a tensor.
    """

    builder: Builder
    name: str
    given: Mapping[str, Any]
    result: str
    kinds: Mapping[str, str]

    def real(self, argument: str) -> Value:
        """An argument as a real."""
        value = self.given[argument]
        if isinstance(value, Node):
            return self.builder.node("truth", value) if value.mask else value
        return _in_single(float(value)) if self.result == "single" else float(value)

    def mask(self, argument: str) -> Node:
        """An argument as a mask: where it is not zero."""
        value = self.given[argument]
        if isinstance(value, Node) and value.mask:
            return value
        return self.make("ne", self.full(self.real(argument)), 0.0)

    def full(self, value: Value) -> Node:
        return value if isinstance(value, Node) else self.builder.node("constant", value)

    def make(self, operation: str, *arguments: Value) -> Node:
        """A node; arithmetic on numbers alone starts from a constant."""
        if not any(isinstance(argument, Node) for argument in arguments):
            arguments = (self.full(arguments[0]), *arguments[1:])
        return self.builder.node(operation, *arguments, mask=operation in MASKS)


MASKS = frozenset(["eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "and", "or", "xor", "not"])
Make = Callable[[Call], Node]


@dataclass(frozen=True)
class Form:
    """How an aten operation is made from the kernels' operations, and the arguments that it honours."""

    make: Make
    honours: tuple[str, ...] = ("self", "other")


def lower(call: Call, defaults: Mapping[str, Any]) -> Node:
    """The node of an aten call.

    Raises:
        Refused: the operation, an argument or a type is not known.
    """
    form = FORMS.get(call.name)
    if form is None:
        raise Refused(f"the operation {call.name} is not pointwise or not known")
    for name, value in call.given.items():
        if name not in form.honours and name not in IRRELEVANT and not _same(value, defaults.get(name)):
            raise Refused(f"the operation {call.name} with {name}={_text(value)} is not known")
    _check_types(call)
    return form.make(call)


IRRELEVANT = ("size", "memory_format", "layout", "device", "pin_memory", "non_blocking", "implicit", "self_is_result")
"""Arguments that say where and how values lie, not what they are; the shape of the result is checked by itself."""
EXACT = ("_to_copy", "mul", "where")
"""Operations that make no rounding in float32 of masks and numbers."""


def _check_types(call: Call) -> None:
    """Whole and single numbers may meet reals, which makes them reals; they are not computed with among themselves."""
    kinds = set(call.kinds.values())
    numbers = [value for value in call.given.values() if isinstance(value, float)]
    zero_or_one = (call.name == "_to_copy" and kinds == {"mask"}) or (
        call.name == "where" and "real" not in kinds and all(number in (0, 1) for number in numbers)
    )
    if call.result == "whole" and not zero_or_one:
        what = "a cast of real numbers to whole ones" if call.name == "_to_copy" else f"{call.name} of whole numbers"
        way = "torch.trunc, torch.floor or torch.round keep the dtype" if call.name == "_to_copy" else "cast to x.dtype"
        raise Refused(f"{what} is not known; {way}")
    if call.result == "single" and not (call.name in EXACT and kinds <= {"mask", "whole"}):
        raise Refused(f"{call.name} gives float32 in a step on float64; cast to x.dtype first")


def _in_single(value: float) -> float:
    return torch.tensor(value, dtype=torch.float32).item()


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and value == default)


def _text(value: Any) -> str:
    return "a tensor" if isinstance(value, Node) else str(value)


def _unary(call: Call) -> Node:
    return call.make(call.name, call.real("self"))


def _arithmetic(call: Call) -> Node:
    if call.result == "mask":
        return _on_masks(call)
    return call.make(call.name, call.real("self"), call.real("other"))


def _on_masks(call: Call) -> Node:
    """torch adds and multiplies truth values by or and and."""
    as_mask = {"add": "or", "mul": "and", "maximum": "or", "minimum": "and"}
    if call.name not in as_mask:
        raise Refused(f"{call.name} of truth values is not known")
    return call.make(as_mask[call.name], call.mask("self"), call.mask("other"))


def _sum(call: Call) -> Node:
    """self ± alpha · other, and the reverse of rsub."""
    alpha = call.given.get("alpha", 1)
    if call.result == "mask":
        return _on_masks(call)
    first, second = call.real("self"), call.real("other")
    if call.name == "rsub":
        first, second = second, first
    if alpha != 1:
        second = call.make("mul", second, float(alpha))
    return call.make("add" if call.name == "add" else "sub", first, second)


def _div(call: Call) -> Node:
    mode = call.given.get("rounding_mode")
    first, second = call.real("self"), call.real("other")
    if mode is None and call.name != "floor_divide":
        return call.make("div", first, second)
    if mode == "trunc":
        return call.make("trunc", call.make("div", first, second))
    return _floor_divide(call, first, second)


def _floor_divide(call: Call, a: Value, b: Value) -> Node:
    """⌊a / b⌋ as torch defines it: from the remainder, so that the rounding of a / b does not decide."""
    rest = call.make("fmod", a, b)
    ratio = call.make("div", call.make("sub", a, rest), b)
    signs_differ = call.make("xor", call.make("lt", b, 0.0), call.make("lt", rest, 0.0))
    below = call.make("and", call.make("ne", rest, 0.0), signs_differ)
    ratio = call.make("where", below, call.make("sub", ratio, 1.0), ratio)
    floor = call.make("floor", ratio)
    floor = call.make(
        "where", call.make("gt", call.make("sub", ratio, floor), 0.5), call.make("add", floor, 1.0), floor
    )
    return call.make("where", call.make("eq", b, 0.0), call.make("div", a, b), floor)


def _gradient_of(call: Call) -> Node:
    """Torch's formulas of the most frequent gradients; those of others come from its own decompositions."""
    gradient = call.real("grad_output")
    if call.name == "threshold_backward":
        return call.make("where", call.make("le", call.real("self"), float(call.given["threshold"])), 0.0, gradient)
    result = call.real("output")
    if call.name == "tanh_backward":
        slope = call.make("sub", 1.0, call.make("mul", result, result))
    else:
        slope = call.make("mul", result, call.make("sub", 1.0, result))
    return call.make("mul", gradient, slope)


def _add_product(call: Call) -> Node:
    """self + value · tensor1 · tensor2."""
    joined = call.make("mul", call.real("tensor1"), call.real("tensor2"))
    value = float(call.given.get("value", 1))
    return call.make("add", call.real("self"), joined if value == 1 else call.make("mul", joined, value))


def _pow(call: Call) -> Node:
    """A number as exponent is what torch makes of it: products, a root or a reciprocal where one of these does."""
    exponent, base = call.given["exponent"], call.real("self")
    if isinstance(exponent, Node) or not isinstance(base, Node):
        return call.make("pow", base, call.real("exponent"))
    square = call.make("square", base)
    known: dict[float, Callable[[], Node]] = {
        0.0: lambda: call.full(1.0),
        1.0: lambda: base,
        2.0: lambda: square,
        3.0: lambda: call.make("mul", square, base),
        0.5: lambda: call.make("sqrt", base),
        -0.5: lambda: call.make("rsqrt", base),
        -1.0: lambda: call.make("reciprocal", base),
        -2.0: lambda: call.make("reciprocal", square),
    }
    make = known.get(float(exponent))
    return make() if make else call.make("pow", base, float(exponent))


def _clamp(call: Call) -> Node:
    value: Value = call.real("self")
    if call.given.get("min") is not None:
        value = _bounded(call, "min", value)
    if call.given.get("max") is not None:
        value = _bounded(call, "max", value)
    return call.full(value)


def _bounded(call: Call, bound: str, value: Value) -> Node:
    """By a number, which lets NaN of the value through; by a tensor, whose NaN goes through as well."""
    if isinstance(call.given[bound], Node):
        return call.make("maximum" if bound == "min" else "minimum", value, call.real(bound))
    limit = float(call.given[bound])
    return call.full(limit) if math.isnan(limit) else call.make(f"clamp_{bound}", value, limit)


def _comparison(call: Call) -> Node:
    return call.make(call.name, call.real("self"), call.real("other"))


def _logical(call: Call) -> Node:
    return call.make(call.name.removeprefix("logical_"), call.mask("self"), call.mask("other"))


def _bitwise(call: Call) -> Node:
    if call.result != "mask":
        raise Refused(f"{call.name} of numbers is not known")
    operation = call.name.removeprefix("bitwise_")
    if operation == "not":
        return call.make("not", call.mask("self"))
    return call.make(operation, call.mask("self"), call.mask("other"))


def _where(call: Call) -> Node:
    condition = call.mask("condition")
    if call.result == "mask":
        yes = call.make("and", condition, call.mask("self"))
        return call.make("or", yes, call.make("and", call.make("not", condition), call.mask("other")))
    return call.make("where", condition, call.real("self"), call.real("other"))


def _cast(call: Call) -> Node:
    if call.result == "mask":
        return call.mask("self")
    return call.full(call.real("self"))


def _number(value: str | float) -> Make:
    def make(call: Call) -> Node:
        number = call.full(float(call.given[value]) if isinstance(value, str) else value)
        return call.make("ne", number, 0.0) if call.result == "mask" else number

    return make


def _isinf(call: Call) -> Node:
    return call.make(call.name, call.real("self"))


def _forms(names: str, make: Make, honours: tuple[str, ...] = ("self", "other")) -> dict[str, Form]:
    return {name: Form(make, honours) for name in names.split()}


UNARY = "neg abs sign relu floor ceil round trunc reciprocal exp expm1 log log1p log2 sigmoid tanh sin cos atan"

FORMS: dict[str, Form] = {
    **_forms(f"{UNARY} erf sqrt rsqrt", _unary, ("self",)),
    **_forms("add sub rsub", _sum, ("self", "other", "alpha")),
    **_forms("mul maximum minimum fmod remainder", _arithmetic),
    **_forms("div floor_divide", _div, ("self", "other", "rounding_mode")),
    **_forms("pow", _pow, ("self", "exponent")),
    **_forms("clamp clamp_min clamp_max", _clamp, ("self", "min", "max")),
    **_forms("eq ne lt le gt ge", _comparison),
    **_forms("isnan isinf", _isinf, ("self",)),
    **_forms("logical_and logical_or logical_xor", _logical),
    **_forms("logical_not", lambda call: call.make("not", call.mask("self")), ("self",)),
    **_forms("bitwise_and bitwise_or bitwise_xor bitwise_not", _bitwise),
    **_forms("where", _where, ("condition", "self", "other")),
    **_forms("_to_copy", _cast, ("self", "dtype")),
    **_forms("addcmul", _add_product, ("self", "tensor1", "tensor2", "value")),
    **_forms("zeros_like zeros _efficientzerotensor", _number(0.0), ("self", "dtype")),
    **_forms("ones_like ones", _number(1.0), ("self", "dtype")),
    **_forms("full_like full", _number("fill_value"), ("self", "fill_value", "dtype")),
    **_forms("sigmoid_backward tanh_backward", _gradient_of, ("grad_output", "output")),
    **_forms("threshold_backward", _gradient_of, ("grad_output", "self", "threshold")),
    **_forms("scalar_tensor", _number("s"), ("s", "dtype")),
}

COPIES = (
    "clone",
    "alias",
    "detach",
    "lift_fresh_copy",
    "lift_fresh",
    "view",
    "_unsafe_view",
    "expand",
    "_reshape_alias",
)
"""Operations that give the same values again, where they keep the shape."""

ALIASES = {"sgn": "sign"}
"""Other names for the same operation on real numbers."""


def operation_name(function: Any) -> str:
    """The name of an aten operation without its overload, as in `mul` for aten.mul.Tensor and for its in-place form."""
    name = function.overloadpacket.__name__
    if function._schema.is_mutable:
        name = name.removesuffix("_")
    return ALIASES.get(name, name)


def kind_of(dtype: torch.dtype, real: torch.dtype) -> str:
    """What a tensor of that dtype is in a step on `real` numbers.

    Raises:
        Refused: another type.
    """
    if dtype == real:
        return "real"
    if dtype == torch.bool:
        return "mask"
    if dtype in (torch.int32, torch.int64):
        return "whole"
    if dtype == torch.float32:
        return "single"
    name, own = str(dtype).removeprefix("torch."), str(real).removeprefix("torch.")
    raise Refused(f"values of {name} in a step on {own} are not known; keep to the dtype of x")
