"""The pointwise operations that the kernels know, and what they cost. A printer gives each a form in its language.

A value is a *real* (the state's type) or a *mask* (a truth value of each element).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["real", "mask"]
Cost = Literal["add", "multiply", "divide", "transcendental", "compare", "free"]


@dataclass(frozen=True)
class Operation:
    """What an operation yields, and what it costs: the class that it counts for in the cost of a step.

    Attributes:
        takes: kind of its arguments. `where` takes a mask and two reals.
    """

    result: Kind
    cost: Cost
    arguments: int
    takes: Kind = "real"


def _all(names: str, result: Kind, cost: Cost, arguments: int, takes: Kind = "real") -> dict[str, Operation]:
    return {name: Operation(result, cost, arguments, takes) for name in names.split()}


OPERATIONS: dict[str, Operation] = {
    **_all("neg abs sign relu floor ceil round trunc", "real", "add", 1),
    **_all("add sub maximum minimum clamp_min clamp_max", "real", "add", 2),
    **_all("mul", "real", "multiply", 2),
    **_all("square", "real", "multiply", 1),
    **_all("div fmod remainder", "real", "divide", 2),
    **_all("reciprocal", "real", "divide", 1),
    **_all("exp expm1 log log1p log2 sigmoid tanh sin cos atan erf sqrt rsqrt", "real", "transcendental", 1),
    **_all("pow", "real", "transcendental", 2),
    **_all("eq ne lt le gt ge", "mask", "compare", 2),
    **_all("isnan isinf", "mask", "compare", 1),
    **_all("and or xor", "mask", "compare", 2, takes="mask"),
    **_all("not", "mask", "compare", 1, takes="mask"),
    **_all("where", "real", "compare", 3),
    **_all("truth", "real", "free", 1, takes="mask"),
    **_all("constant", "real", "free", 1),
}
"""`constant` is a number where a value of every element is wanted; `truth` is 1 where a mask holds, else 0;
`clamp_min` and `clamp_max` have a number or a value as bound, and let NaN of the value through."""
