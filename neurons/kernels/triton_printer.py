"""Prints a program's step as Triton functions, which `triton_layer` runs over time."""

from __future__ import annotations

import math

from torch import fx

from neurons.kernels.printer import Printer, float_text
from neurons.kernels.trace import Program

BUILT_IN = "exp log log2 sigmoid sin cos erf sqrt rsqrt abs floor ceil"
HELPERS = ("atan", "tanh", "log1p", "expm1", "sign", "maximum", "minimum", "trunc", "power")


class TritonPrinter(Printer):
    """Statements over Triton blocks; states and sums are float32."""

    comment = "#"
    functions = {
        "rsub": "({1} - {0})",
        "where": "tl.where({0}, {1}, {2})",
        "logical_not": "({0} == 0)",
        "bitwise_not": "({0} == 0)",
        "relu": "tl.where({0} < 0.0, 0.0, {0})",
        "clamp_min": "tl.where({0} < {1}, {1}, {0})",
        "clamp_max": "tl.where({0} > {1}, {1}, {0})",
        "square": "({0} * {0})",
        "reciprocal": "(1.0 / ({0}))",
        "isnan": "({0} != {0})",
        "isinf": '(tl.abs({0}) == float("inf"))',
        "round": "(({0} + 12582912.0) - 12582912.0)",
        "fmod": "({0} - {1} * trunc(({0}) / ({1})))",
        "remainder": "({0} - {1} * tl.floor(({0}) / ({1})))",
        "pow": "power({0}, {1})",
        **{
            name: f"tl.{name}({{0}})"
            for name in ["exp", "log", "log2", "sigmoid", "sin", "cos", "erf", "sqrt", "rsqrt", "abs", "floor", "ceil"]
        },
        **{name: f"{name}({{0}})" for name in ["atan", "tanh", "log1p", "expm1", "sign", "trunc"]},
        **{name: f"{name}({{0}}, {{1}})" for name in ("maximum", "minimum")},
    }

    def number(self, value: float) -> str:
        text = float_text(value)
        if text is None:
            return 'float("nan")' if math.isnan(value) else f'float("{"" if value > 0 else "-"}inf")'
        return text

    def constant(self, value: float) -> str:
        return f"tl.full(x.shape, {self.number(value)}, tl.float32)"

    def assign(self, name: str, expression: str, mask: bool) -> str:
        return f"{name} = {expression}"

    def as_real(self, mask: str) -> str:
        return f"({mask}).to(tl.float32)"

    def result(self, name: str, expression: str) -> str:
        return f"{name} = {expression}"


def print_triton(program: Program) -> str:
    """The text of a module with `step_forward` and `step_backward`."""
    names = [coefficient.name for coefficient in program.coefficients]
    functions = [
        *_function("step_forward", program, program.forward, names, cotangents=False),
        "",
        "",
        *_function("step_backward", program, program.backward, names, cotangents=True),
    ]
    used = [name for name in HELPERS if any(f"{name}(" in line.replace(f"tl.{name}(", "") for line in functions)]
    imports = ["import triton", "import triton.language as tl"]
    imports += ["", f"from neurons.kernels.triton_functions import {', '.join(used)}"] if used else []
    heading = f'"""{program.neuron}: generated from its step; see neurons/models/."""'
    return "\n".join([heading, "", *imports, "", "", *functions]) + "\n"


def _function(name: str, program: Program, graph: fx.Graph, names: list[str], cotangents: bool) -> list[str]:
    used = {node.name for node in graph.nodes if node.op == "placeholder" and node.users}
    arrays = [("states", list(program.states)), ("coefficients", names)]
    parameters = ["x", "states", "coefficients"]
    results = ["output", *(f"new_{state}" for state in program.states)]
    if cotangents:
        parameters += ["grad_output", "grad_states"]
        arrays.append(("grad_states", [f"grad_{state}" for state in program.states]))
        results = ["grad_x", *(f"new_grad_{state}" for state in program.states), *(f"grad_{n}" for n in names)]
    lines = [f"{value} = {array}[{i}]" for array, values in arrays for i, value in enumerate(values) if value in used]
    lines += TritonPrinter().body(graph, results)
    first, states = results[0], results[1 : 1 + len(program.states)]
    returned = [first, _tuple(states)] + ([_tuple(results[1 + len(states) :])] if cotangents else [])
    lines.append(f"return {', '.join(returned)}")
    return ["@triton.jit", f"def {name}({', '.join(parameters)}):", *(f"    {line}" for line in lines)]


def _tuple(names: list[str]) -> str:
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
