"""The pointwise operations that the kernels know. A printer gives each a form in its language.

A value is a *real* (the state's type) or a *mask* (a truth value of each element).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import fx

Kind = Literal["real", "mask", "same"]


@dataclass(frozen=True)
class Operation:
    """What an operation yields, and what it costs: the class that it counts for in the cost of a step."""

    result: Kind
    cost: Literal["add", "multiply", "divide", "transcendental", "compare", "free"]


def _all(names: str, result: Kind, cost: str) -> dict[str, Operation]:
    return {name: Operation(result, cost) for name in names.split()}  # type: ignore[arg-type]


ALIASES = {"sgn": "sign"}
"""Other names for the same operation on real numbers."""

COPIES = ("clone", "alias", "detach", "lift_fresh_copy")

OPERATIONS: dict[str, Operation] = {
    **_all(
        "add sub rsub neg abs sign maximum minimum clamp clamp_min clamp_max relu floor ceil round trunc", "real", "add"
    ),
    **_all("mul square", "real", "multiply"),
    **_all("div reciprocal fmod remainder", "real", "divide"),
    **_all("exp expm1 log log1p log2 sigmoid tanh sin cos atan erf sqrt rsqrt pow", "real", "transcendental"),
    **_all("eq ne lt le gt ge isnan isinf", "mask", "compare"),
    **_all("logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not", "mask", "compare"),
    **_all("where", "real", "compare"),
    **_all(" ".join(("_to_copy", *COPIES)), "same", "free"),
    **_all("zeros_like ones_like full_like full scalar_tensor zeros ones", "real", "free"),
}


def operation_name(node: fx.Node) -> str:
    """The name of an aten operation without its overload, as in `mul` for aten.mul.Tensor.

    Torch's own backward formulas use some in place (`logical_and_`); a trace gives those a result like the others.
    """
    target = node.target
    packet = getattr(target, "overloadpacket", None)
    name = packet.__name__ if packet is not None else getattr(target, "__name__", str(target))
    return ALIASES.get(name.removesuffix("_"), name.removesuffix("_"))
