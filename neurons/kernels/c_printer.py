"""Prints a program as the C header `step.h` that `layer.c` includes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import fx

from neurons.kernels.keep import split_adjoint
from neurons.kernels.printer import Printer, float_text
from neurons.kernels.trace import Program

UNARY = "exp expm1 log log1p log2 sigmoid tanh sin cos atan erf sqrt rsqrt abs sign floor ceil round trunc"
BINARY = "maximum minimum pow fmod remainder"


class CPrinter(Printer):
    """Statements over the vectors `vec` and `mask` of `vector.h`."""

    comment = "//"
    functions = {
        "rsub": "({1} - {0})",
        "where": "choose({0}, {1}, {2})",
        "logical_not": "~{0}",
        "bitwise_not": "~{0}",
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

    def as_real(self, mask: str) -> str:
        return f"truth({mask})"

    def result(self, name: str, expression: str) -> str:
        return f"{name} = {expression};"


def print_c(program: Program) -> str:
    """The text of `step.h`: the sizes of the model, and its step forward, again and backward on vectors."""
    adjoint = split_adjoint(program)
    states, names = program.states, [coefficient.name for coefficient in program.coefficients]
    granularity = ", ".join(f"PER_{coefficient.per.upper()}" for coefficient in program.coefficients)
    grad_states, grad_names = [f"grad_{name}" for name in states], [f"grad_{name}" for name in names]
    inputs = [("vec x", ["x"]), ("const vec *state", states), ("const vec *coefficient", names)]
    new_states = ("vec *new_state", [f"new_{name}" for name in states])
    functions = [
        _function("step_forward", program.forward, inputs, [("vec *output", ["output"]), new_states]),
        _function(
            "step_again", adjoint.again, inputs, [new_states, ("vec *kept", [f"kept_{n}" for n in adjoint.kept])]
        ),
        _function(
            "step_backward",
            adjoint.backward,
            [
                *inputs,
                ("const vec *kept", adjoint.kept),
                ("vec grad_output", ["grad_output"]),
                ("const vec *grad_state", grad_states),
            ],
            [
                ("vec *grad_x", ["grad_x"]),
                ("vec *new_grad_state", [f"new_{name}" for name in grad_states]),
                ("vec *grad_coefficient", grad_names),
            ],
        ),
    ]
    lines = [
        f"// {program.neuron}: generated from its step; see neurons/models/.",
        f"#define STATES {len(states)}  // {', '.join(states) or 'none'}",
        f"#define COEFFICIENTS {len(names)}  // {', '.join(names) or 'none'}",
        f"#define KEPT {len(adjoint.kept)}  // {', '.join(adjoint.kept) or 'none'}",
        f"static const int granularity[] = {{{granularity or '0'}}};",
    ]
    return "\n".join([*lines, *(line for function in functions for line in ("", *function))]) + "\n"


Arguments = tuple[str, Sequence[str]]
"""A parameter of the C function, and the values that it holds: itself, or one at each index."""


def _function(name: str, graph: fx.Graph, inputs: Sequence[Arguments], results: Sequence[Arguments]) -> list[str]:
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    used = {node.name for node in placeholders if node.users}
    lines = []
    for parameter, values in inputs:
        if "*" in parameter:
            array = parameter.split("*")[1]
            lines += [f"const vec {value} = {array}[{index}];" for index, value in enumerate(values) if value in used]
    targets = []
    for parameter, values in results:
        array = parameter.split("*")[1]
        targets += [f"{array}[{index}]" if array not in values else f"*{array}" for index in range(len(values))]
    lines += CPrinter().body(graph, targets)
    parameters = ",\n    ".join(parameter for parameter, _ in (*inputs, *results))
    return [f"INLINE void {name}(", f"    {parameters}) {{", *(f"    {line}" for line in lines), "}"]
