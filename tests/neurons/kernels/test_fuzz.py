"""Random steps of the known operations: each computes what the reference does, or is refused by name and line.

Every example runs the traced graphs (by torch, in float64); one in five also the C kernel. NEURON_SUITE_FUZZ=2000 asks
for as many examples, then C in float32 too. With TRITON_INTERPRET=1 Triton's interpreter takes the place of C, for all
examples, in float32, float16 and bfloat16; `test_triton.py` has it run a share.
"""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from neurons import BackendUnavailable, Learnable, Neuron, NeuronLayer
from neurons.errors import NotFusable
from neurons.kernels.cpu import library as cpu_library
from neurons.kernels.graph import Graph
from neurons.kernels.source import _function, source_of
from neurons.kernels.torch_printer import _function as print_function
from neurons.kernels.trace import Program, program_of
from neurons.reference import step_loop

USUAL = 200
EXAMPLES = int(os.environ.get("NEURON_SUITE_FUZZ", USUAL))
WIDE = EXAMPLES > USUAL
TRITON = os.environ.get("TRITON_INTERPRET") == "1"
HALVES = (torch.float16, torch.bfloat16)
T, N, C = 4, 12, 3

NAMES = ["u", "m", "mask", "state", "filter", "double", "register", "short", "vec", "tl", "input", "output", "truth"]
NAMES += ["default", "range", "coefficient", "R", "mul", "mul_1", "sum_0", "x2", "item", "choose", "v_u", "sub_4"]

ONE = ["torch.sigmoid({a})", "torch.tanh({a})", "torch.exp(-{a}.abs())", "torch.relu({a})", "torch.floor({a} * 2)"]
ONE += [
    "torch.round({a} * 3) / 3",
    "torch.trunc({a} * 2)",
    "torch.sqrt({a}.abs() + 0.1)",
    "{a}.abs() ** 1.5",
    "{a} ** 2",
]
ONE += ["torch.log1p({a}.abs())", "torch.atan({a})", "torch.erf({a})", "torch.sin({a})", "torch.cos({a} * {n})"]
ONE += ["torch.sign({a})", "{a}.detach()", "{a}.data * {n}", "-{a}", "{a}.clamp(-1.0, {n})", "{a}.clamp(min={n})"]
ONE += ["({a} > {n}) * 0.5", "{a} * ~({a} > {n})", "1 - ({a} < {n}).to({a}.dtype)", "{a}.bool() * {n}"]
ONE += ["torch.div({a}, {n}, rounding_mode='floor')", "torch.div({a}, {n}, rounding_mode='trunc')", "{a} % {n}"]
ONE += ["torch.fmod({a}, {n})", "{a} / {n}", "{n} / (1.5 + {a} * {a})", "2 - {a}", "OWN({a} - {n})", "CLIP({a})"]
ONE += ["SIGN({a})", "LINEAR({a})", "HOOK({a})"]
ONE += [
    "torch.nn.functional.softplus({a})",
    "torch.nn.functional.elu({a})",
    "SCALE * {a}",
    "torch.rsqrt({a}.abs() + 1)",
]
ONE += ["self.spike({a} - {n})", "torch.expm1({a} * 0.3)", "{a} - {a}.detach()", "torch.zeros_like({a}) + {n}"]
ONE += ["torch.round({a}, decimals=1)", "{a}.half().to({a}.dtype)", "({a} * 4).int().to({a}.dtype)"]  # refused
TWO = ["{a} + {b}", "{a} - {b}", "{a} * {b}", "torch.add({a}, {b}, alpha={n})", "torch.sub({a}, {b}, alpha={n})"]
TWO += [
    "{a} / (1 + {b}.abs())",
    "torch.maximum({a}, {b})",
    "torch.minimum({a}, {b} * {n})",
    "torch.lerp({a}, {b}, {n})",
]
TWO += ["torch.where({a} > {b}, {a}, {n})", "torch.where(({a} > 0) & ({b} > {n}), {b}, {a})", "({a} >= {b}) * {b}"]
TWO += ["torch.addcmul({a}, {a}, {b}, value={n})", "{a}.masked_fill({b} > {n}, 0.5)", "torch.rsub({a}, {b}, alpha={n})"]
TWO += [
    "torch.clamp({a}, {b} - 1, {b} + 1)",
    "torch.logical_xor({a} > 0, {b} > 0) * {n}",
    "({a} > 0) + ({b} > 0) + {a}",
]


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, distance: Tensor) -> Tensor:
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (distance,) = ctx.saved_tensors
        return gradient / (1 + distance.abs()) ** 2


class Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient.clamp(-0.7, 0.7)


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value * 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return torch.where(gradient > 0, 0.5, gradient)


class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        ctx.save_for_backward(value)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (value,) = ctx.saved_tensors
        return torch.where(value > 0.5, gradient, 0.0) - 0.3 * gradient


def hooked(value: Tensor) -> Tensor:
    value = value * 1.0
    if value.requires_grad:
        value.register_hook(torch.tanh)
    return value


@st.composite
def neurons_of_chance(draw: st.DrawFn) -> tuple[str, type[Neuron]]:
    """The text of a step, and its class."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=4, max_size=9, unique=True))
    states, learnables, locals_ = names[: draw(st.integers(1, 3))], [], names[3:]
    attributes: dict[str, Any] = {}
    for index in range(draw(st.integers(0, 3))):
        per = draw(st.sampled_from(["layer", "channel", "step_channel"]))
        free = [name for name in NAMES if name not in learnables and not hasattr(NeuronLayer, name)]
        learnables.append(draw(st.sampled_from(free)))
        attributes[learnables[-1]] = Learnable(0.2 + 0.3 * index, per, spread=0.0 if per == "layer" else 0.15)
    values = ["x", *states, *(f"self.{name}" for name in learnables)]
    lines = []

    def expression() -> str:
        template = draw(st.sampled_from(ONE if draw(st.booleans()) else TWO))
        number = draw(st.sampled_from([0.3, 0.75, 1.1, -0.4, 2.0, "BETA"]))
        a, b = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        return "(" + template.format(a=a, b=b, n=number) + ")"

    for _ in range(draw(st.integers(1, 6))):
        target = draw(st.sampled_from([*locals_, *states]))
        text = f"{target} = {expression()} {draw(st.sampled_from(['+', '-', '*']))} {expression()}"
        lines += ["with torch.no_grad():", f"    {text}"] if draw(st.integers(0, 7)) == 0 else [text]
        values.append(target)
    lines.append(f"out = self.spike({values[-1]} + x - 1)")
    returned = [f"torch.tanh({draw(st.sampled_from(values))} * 0.7 + 0.0 * x)" for _ in states]
    lines.append(f"return out, {', '.join(returned)}")
    body = "".join(f"    {line}\n" for line in lines)
    text = f"def step(self, x, {', '.join(states)}):\n{body}"
    scope = {"torch": torch, "BETA": 0.6, "SCALE": torch.tensor(0.8), "OWN": Own.apply, "CLIP": Clip.apply}
    scope |= {"SIGN": Sign.apply, "LINEAR": Linear.apply, "HOOK": hooked}
    exec(compile(text, "<fuzz>", "exec"), scope)
    surrogate = draw(st.sampled_from(["rectangle", "triangle", "atan", "sigmoid"]))
    attributes |= {"name": "chance", "states": tuple(states), "step": scope["step"], "surrogate": surrogate}
    return text, type("Chance", (Neuron,), attributes)


def traced(neuron: Neuron) -> tuple[Program | None, str]:
    """The program, or why there is none."""
    try:
        return program_of(neuron, torch.float64), ""
    except NotFusable as error:
        return None, str(error)


Results = list[Tensor]


def by_reference(neuron: Neuron, parameters: dict[str, Tensor], x: Tensor, gradient: Tensor) -> Results:
    x = x.clone().requires_grad_()
    own = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    output = step_loop(neuron, own, x)
    if not output.requires_grad:
        return [output, torch.zeros_like(x), *(torch.zeros_like(value) for value in own.values())]
    return [output.detach(), *torch.autograd.grad(output, [x, *own.values()], gradient, materialize_grads=True)]


def by_graphs(program: Program, neuron: Neuron, parameters: dict[str, Tensor], x: Tensor, gradient: Tensor) -> Results:
    """The program over time, by torch."""

    def run(graph: Graph, values: list[Tensor]) -> list[Tensor]:
        return _function(print_function("graph", graph), "graph")(values, x.dtype, x.device)

    source = source_of(neuron, x.dtype)
    values = [parameters[name] for name in program.parameters]
    values += [torch.tensor(float(getattr(neuron, name)), dtype=x.dtype) for name in program.constants]
    made = source.prologue(values)
    pairs = list(zip(made, program.coefficients, strict=True))
    at = [[value[t] if own.per == "step_channel" else value for value, own in pairs] for t in range(T)]
    zeros = [torch.zeros_like(x[0])] * len(program.states)
    history, outputs = [zeros], []
    for t in range(T):
        output, *states = (value.expand_as(x[0]) for value in run(program.forward, [x[t], *history[-1], *at[t]]))
        outputs.append(output)
        history.append(states)
    grad_states, grads_x = zeros, []
    sums = [torch.zeros(shape, dtype=x.dtype) for shape in source.sum_shapes(x)]
    for t in reversed(range(T)):
        given = [x[t], *history[t], *at[t], gradient[t], *grad_states]
        grad_x, *rest = (value.expand_as(x[0]) for value in run(program.backward, given))
        grads_x.append(grad_x)
        grad_states = rest[: len(zeros)]
        for total, own, part in zip(sums, program.sums, rest[len(zeros) :], strict=True):
            place = total[t] if own.per == "step_channel" else total
            place.add_(part.sum() if own.per == "layer" else part.sum(0))
    grads = source.epilogue(values, sums, made)[: len(program.parameters)]
    whole = [torch.zeros_like(v) if own is None else own for own, v in zip(grads, values, strict=False)]
    return [torch.stack(outputs), torch.stack(grads_x[::-1]), *whole]


def by_kernel(layer: NeuronLayer, parameters: dict[str, Tensor], x: Tensor, gradient: Tensor) -> Results:
    x = x.clone().requires_grad_()
    layer.to(torch.float32 if x.dtype in HALVES else x.dtype)
    for name, value in parameters.items():
        getattr(layer, name).data.copy_(value)
    output = layer(x)
    inputs = [x, *(getattr(layer, name) for name in parameters)]
    return [output.detach(), *torch.autograd.grad(output, inputs, gradient, materialize_grads=True)]


def assert_same(found: Results, right: Results, tolerance: float, text: str) -> None:
    for own, exact in zip(found, right, strict=True):
        scale = max(float(exact.abs().max()), 1.0)
        assert float((own.double() - exact).abs().max()) <= tolerance * scale, text


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None, derandomize=not WIDE, suppress_health_check=list(HealthCheck))
@given(drawn=neurons_of_chance(), seed=st.integers(0, 1000))
def test_random_steps(drawn: tuple[str, type[Neuron]], seed: int) -> None:
    text, cls = drawn
    neuron = cls(T)
    generator = torch.Generator().manual_seed(seed)
    x = 0.7 + 0.8 * torch.randn(T, N, C, generator=generator, dtype=torch.float64)
    gradient = torch.randn(T, N, C, generator=generator, dtype=torch.float64)
    torch.manual_seed(seed)
    parameters = {name: value.double() for name, value in neuron.initial_parameters(C).items()}
    right = by_reference(neuron, parameters, x, gradient)
    assume(all(bool(value.isfinite().all()) for value in right))
    program, refusal = traced(neuron)
    if program is None:
        assert re.search(r"decimals=1|float16|whole|gives float32|not linear in the gradient", refusal), (
            f"{refusal}\n{text}"
        )
        assert "step, line" in refusal
        return
    assert_same(by_graphs(program, neuron, parameters, x, gradient), right, 1e-9, text)
    if TRITON or seed % 5 == 0:
        _by_kernels(cls, parameters, x, gradient, right, text)


def _by_kernels(
    cls: type[Neuron], parameters: dict[str, Tensor], x: Tensor, gradient: Tensor, right: Results, text: str
) -> None:
    flags = cpu_library.FLAGS
    cpu_library.FLAGS = tuple(flag.replace("-O3", "-O0") for flag in flags)
    try:
        if not TRITON:
            assert_same(by_kernel(NeuronLayer(cls(T), C, "cpu"), parameters, x, gradient), right, 1e-9, text)
        # these meet other sides of jumps: the layer's own comparison, before its kernel is used, allows for that
        for dtype in (torch.float32, *HALVES) if TRITON else (torch.float32,) if WIDE else ():
            layer = NeuronLayer(cls(T), C, "triton" if TRITON else "cpu")
            by_kernel(layer, parameters, x.to(dtype), gradient.to(dtype))
    except BackendUnavailable as error:
        if not re.search("cannot be told|cannot be fused", str(error)):
            raise AssertionError(f"{error}\n{text}") from error
    finally:
        cpu_library.FLAGS = flags
