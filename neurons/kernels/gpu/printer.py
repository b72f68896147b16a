"""Prints a program's step as Triton functions, which `layer` runs over time."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from neurons.kernels.graph import INPUT, Graph
from neurons.kernels.printer import Printer, float_text
from neurons.kernels.trace import Program

BUILT_IN = "exp log log2 sigmoid sin cos erf sqrt rsqrt abs floor ceil"
HELPERS_OF_ONE = "atan tanh log1p expm1 sign trunc round_even"
HELPERS_OF_TWO = "maximum minimum power fmod remainder clamp_min clamp_max"


class TritonPrinter(Printer):
    """Statements over Triton blocks; states and sums are float32."""

    comment = "#"
    functions = {
        "where": "tl.where({0}, {1}, {2})",
        "truth": "({0}).to(tl.float32)",
        "relu": "clamp_min({0}, 0.0)",
        "square": "square({0})",
        "reciprocal": "(1.0 / ({0}))",
        "isnan": "is_nan({0})",
        "isinf": '(tl.abs({0}) == float("inf"))',
        "round": "round_even({0})",
        "pow": "power({0}, {1})",
        **{name: f"tl.{name}({{0}})" for name in BUILT_IN.split()},
        **{name: f"{name}({{0}})" for name in HELPERS_OF_ONE.split()},
        **{name: f"{name}({{0}}, {{1}})" for name in HELPERS_OF_TWO.split()},
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

    def result(self, name: str, expression: str) -> str:
        return f"{name} = {expression}"


def print_triton(program: Program) -> str:
    """The text of a module with `step_forward` and `step_backward`."""
    inputs = [("x", 0), ("states", len(program.states)), ("coefficients", len(program.coefficients))]
    states = len(program.states)
    cotangents = [("grad_output", 0), ("grad_states", states)]
    results = [("grad_x", 0), ("new_grad_states", states), ("sums", len(program.sums))]
    functions = [
        *_function("step_forward", program.forward, inputs, [("output", 0), ("new_states", states)]),
        "",
        "",
        *_function("step_backward", program.backward, [*inputs, *cotangents], results),
    ]
    helpers = [*HELPERS_OF_ONE.split(), *HELPERS_OF_TWO.split(), "square", "is_nan"]
    called = set(re.findall(r"(?<![\w.])(\w+)\(", "\n".join(functions)))
    used = [name for name in helpers if name in called]
    imports = ["import triton", "import triton.language as tl"]
    imports += ["", f"from neurons.kernels.gpu.functions import {', '.join(sorted(used))}"] if used else []
    return "\n".join(['"""Generated from the step of a neuron."""', "", *imports, "", "", *functions]) + "\n"


Values = tuple[str, int]
"""A value, or a tuple of so many where the number is above 0 or the name is plural."""


def _function(name: str, graph: Graph, inputs: Sequence[Values], results: Sequence[Values]) -> list[str]:
    places = [place for value, count in inputs for place in _places(value, count, "{0}[{1}]")]
    targets = [target for value, count in results for target in _places(value, count, "{0}_{1}")]
    lines = list(TritonPrinter().body(graph, places, targets))
    coefficients = [target for target, node in zip(targets, graph.outputs, strict=True) if node.operation == INPUT]
    lines += [f"{target} = {target} + tl.zeros(x.shape, tl.float32)" for target in coefficients]
    returned = [_returned(value, count) for value, count in results]
    lines.append(f"return {', '.join(returned)}")
    parameters = ", ".join(value for value, _ in inputs)
    return ["@triton.jit", f"def {name}({parameters}):", *(f"    {line}" for line in lines)]


def _places(value: str, count: int, form: str) -> list[str]:
    return [form.format(value, index) for index in range(count)] if value.endswith("s") else [value]


def _returned(value: str, count: int) -> str:
    if not value.endswith("s"):
        return value
    return f"({', '.join(_places(value, count, '{0}_{1}'))}{',' if count == 1 else ''})"
