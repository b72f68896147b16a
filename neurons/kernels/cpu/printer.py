"""Prints a program as the C header `step.h` that `layer.c` includes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neurons.kernels.coefficient import Coefficient
from neurons.kernels.cpu.keep import split_adjoint
from neurons.kernels.graph import Graph
from neurons.kernels.printer import Printer, float_text
from neurons.kernels.trace import Program

UNARY = "exp expm1 log log1p log2 sigmoid tanh sin cos atan erf sqrt rsqrt abs sign floor ceil round trunc"
BINARY = "maximum minimum pow fmod remainder"


class CPrinter(Printer):
    """Statements over the vectors `vec` and `mask` of `vector.h`."""

    comment = "//"
    functions = {
        "where": "choose({0}, {1}, {2})",
        "truth": "truth({0})",
        "relu": "clamp_min({0}, R(0.0))",
        "clamp_min": "clamp_min({0}, {1})",
        "clamp_max": "clamp_max({0}, {1})",
        "square": "square({0})",
        "reciprocal": "(R(1.0) / ({0}))",
        "isnan": "is_nan({0})",
        "isinf": "is_inf({0})",
        **{name: f"vec_{name}({{0}})" for name in UNARY.split()},
        **{name: f"vec_{name}({{0}}, {{1}})" for name in BINARY.split()},
    }

    def number(self, value: float) -> str:
        text = float_text(value)
        if text is None:
            text = "NAN" if math.isnan(value) else ("INFINITY" if value > 0 else "-INFINITY")
        return f"R({text})"

    def constant(self, value: float) -> str:
        return f"splat({self.number(value)})"

    def assign(self, name: str, expression: str, mask: bool) -> str:
        return f"const {'mask' if mask else 'vec'} {name} = {expression};"

    def result(self, name: str, expression: str) -> str:
        return f"{name} = {expression};"


def print_c(program: Program) -> str:
    """The text of `step.h`: the sizes of the model, and its step forward, again and backward on vectors."""
    adjoint = split_adjoint(program)
    states, coefficients, sums, kept = (
        len(program.states),
        len(program.coefficients),
        len(program.sums),
        len(adjoint.kept),
    )
    inputs = [("vec x", 1), ("const vec *state", states), ("const vec *coefficient", coefficients)]
    new_states = ("vec *new_state", states)
    functions = [
        _function("step_forward", program.forward, inputs, [("vec *output", 1), new_states]),
        _function("step_again", adjoint.again, inputs, [new_states, ("vec *kept", kept)]),
        _function(
            "step_backward",
            adjoint.backward,
            [*inputs, ("const vec *kept", kept), ("vec grad_output", 1), ("const vec *grad_state", states)],
            [("vec *grad_x", 1), ("vec *new_grad_state", states), ("vec *sum", sums)],
        ),
    ]
    lines = [
        f"#define STATES {states}",
        f"#define COEFFICIENTS {coefficients}",
        f"#define SUMS {sums}",
        f"#define KEPT {kept}",
        f"#define BY_CHANNEL {int(any(value.per != 'layer' for value in (*program.coefficients, *program.sums)))}",
        _granularity("granularity", program.coefficients),
        _granularity("sum_granularity", program.sums),
    ]
    return "\n".join([*lines, *(line for function in functions for line in ("", *function))]) + "\n"


def _granularity(name: str, values: Sequence[Coefficient]) -> str:
    return f"static const int {name}[] = {{{', '.join(f'PER_{value.per.upper()}' for value in values) or '0'}}};"


Arguments = tuple[str, int]
"""A parameter of the C function, and how many values it holds: an array of them where it is a pointer."""


def _function(name: str, graph: Graph, inputs: Sequence[Arguments], results: Sequence[Arguments]) -> list[str]:
    places = [place for parameter, count in inputs for place in _places(parameter, count)]
    targets = []
    for parameter, count in results:
        array = parameter.split("*")[1]
        single = array in ("output", "grad_x")
        targets += [f"*{array}"] if single else [f"{array}[{index}]" for index in range(count)]
    body = CPrinter().body(graph, places, targets)
    parameters = ",\n    ".join(parameter for parameter, _ in (*inputs, *results))
    return [f"INLINE void {name}(", f"    {parameters}) {{", *(f"    {line}" for line in body), "}"]


def _places(parameter: str, count: int) -> list[str]:
    if "*" not in parameter:
        return [parameter.rsplit(maxsplit=1)[-1]]
    array = parameter.split("*")[1]
    return [f"{array}[{index}]" for index in range(count)]
