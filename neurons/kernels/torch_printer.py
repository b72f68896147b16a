"""Prints the prologue and the epilogue of a program as Python functions over torch, on the small parameter tensors."""

from __future__ import annotations

from collections.abc import Sequence

from neurons.kernels.graph import INPUT, Builder, Graph, Node, ordered
from neurons.kernels.printer import ATOM, Expression, Printer, float_text
from neurons.kernels.trace import Program
from neurons.learnable import Granularity

FUNCTIONS = "abs sign floor ceil round trunc exp expm1 log log1p log2 sigmoid tanh sin cos atan erf sqrt rsqrt relu"


class TorchPrinter(Printer):
    """Statements over tensors; `real` makes a tensor of a number, `number` (see `source`) one for infix operations."""

    comment = "#"
    functions = {
        "where": "torch.where({0}, {1}, {2})",
        "truth": "({0}).to(dtype)",
        "clamp_min": "torch.clamp({0}, min={1})",
        "clamp_max": "torch.clamp({0}, max={1})",
        "square": "torch.square({0})",
        "reciprocal": "torch.reciprocal({0})",
        "isnan": "torch.isnan({0})",
        "isinf": "torch.isinf({0})",
        "pow": "torch.pow({0}, {1})",
        **{name: f"torch.{name}({{0}})" for name in FUNCTIONS.split()},
        **{name: f"torch.{name}({{0}}, real({{1}}))" for name in ["maximum", "minimum", "fmod", "remainder"]},
    }
    functions |= {name: form.replace("({0},", "(real({0}),") for name, form in functions.items() if "real(" in form}

    def number(self, value: float) -> str:
        return float_text(value) or f"float('{value}')"

    def constant(self, value: float) -> str:
        return f"real({self.number(value)})"

    def operand(self, value: float) -> Expression:
        return f'number("{value!r}", dtype)', ATOM

    def assign(self, name: str, expression: str, mask: bool) -> str:
        return f"{name} = {expression}"

    def result(self, name: str, expression: str) -> str:
        return f"{name} = {expression}"


HEADING = """import torch


def {name}(values, dtype, device):
    def real(value):
        return value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=dtype, device=device)

"""


def print_prologue(program: Program, constant: bool) -> str:
    """A module with `prologue(values, dtype, device)`: parameters and constants to a list of coefficients.

    With `constant` the coefficients made of constants alone, else the others, then what the epilogue starts from.
    """
    pairs = zip(program.prologue.outputs, of_constants(program), strict=True)
    outputs = tuple(node for node, own in pairs if own == constant)
    graph = Graph(program.prologue.inputs, outputs if constant else (*outputs, *_kept(program)))
    # What is handed on as it came, apart from it: a parameter may be given other memory, a constant another value.
    apart = ".clone()" if constant else ".detach()"
    results = [f"result_{place}{apart * (node.operation == INPUT)}" for place, node in enumerate(graph.outputs)]
    return _function("prologue", graph, results)


def of_constants(program: Program) -> tuple[bool, ...]:
    """For each coefficient whether it is made of constants alone."""
    parameters = set(program.prologue.inputs[: len(program.parameters)])
    return tuple(parameters.isdisjoint(ordered([node])) for node in program.prologue.outputs)


def print_epilogue(program: Program) -> str:
    """A module with `epilogue(values, …)`: parameters, constants, sums and kept to the gradients of all parameters.

    A parameter without gradient gets None.
    """
    builder = Builder(program.prologue, program.epilogue)
    places = {node: builder.input(node.name or node.operation) for node in _kept(program)}
    outputs = tuple(builder.substitute(program.epilogue.outputs, places))
    gradients = iter(range(len(program.epilogue.outputs)))
    returned = [
        "None" if per is None else _reduced(f"result_{next(gradients)}", per, own)
        for per, own in zip(program.epilogue_per, program.granularity, strict=True)
    ]
    return _function("epilogue", Graph((*program.epilogue.inputs, *places.values()), outputs), returned)


def _kept(program: Program) -> list[Node]:
    """What the prologue computes for coefficients and the epilogue needs as well, not made of constants alone."""
    pairs = zip(program.prologue.outputs, of_constants(program), strict=True)
    computed = set(ordered([node for node, constant in pairs if not constant]))
    shared = {node: node for node in program.epilogue.nodes if node in computed}
    reached = ordered(program.epilogue.outputs, stop=shared)
    return [node for node in reached if node in shared]


def _reduced(result: str, per: Granularity, own: Granularity) -> str:
    """The expression that sums a gradient over what its parameter has one value for."""
    if per == own:
        return result
    return f"{result}.sum()" if own == "layer" else f"{result}.sum(0)"


def _function(name: str, graph: Graph, returned: Sequence[str] | None = None) -> str:
    places = [f"values[{index}]" for index in range(len(graph.inputs))]
    results = [f"result_{index}" for index in range(len(graph.outputs))]
    lines = [*TorchPrinter().body(graph, places, results), f"return [{', '.join(returned or results)}]"]
    return HEADING.format(name=name) + "".join(f"    {line}\n" for line in lines)
