"""Every form of every operation that the kernels know, as neurons whose step t computes the t-th expression.

So one kernel serves several. `a` is the input, `b` a parameter per channel: samples hold one side of the pairs of a
grid with signs, zeros, ties, large numbers, infinities and NaN, channels the other. All fit in one tile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from neurons import Learnable, Neuron, NeuronLayer
from neurons.kernels import verification

INF, NAN = float("inf"), float("nan")

UNARY = [torch.abs, torch.sign, torch.sgn, torch.relu, torch.floor, torch.ceil, torch.round, torch.trunc, torch.frac]
UNARY += [torch.square, torch.reciprocal, torch.exp, torch.expm1, torch.log, torch.log1p, torch.log2, torch.sigmoid]
UNARY += [torch.tanh, torch.sin, torch.cos, torch.atan, torch.erf, torch.sqrt, torch.rsqrt]
COMPOSED = ["softplus", "elu", "gelu", "silu", "leaky_relu", "hardtanh", "hardsigmoid", "hardswish", "logsigmoid"]
"""Torch computes these at once, the kernels by simpler operations: other roundings, and other ways of NaN."""

SATURATING = ["sigmoid", "tanh"]
"""Of large negative numbers their last bits are left out in single precision."""

EXPRESSIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda a, b: a + b,
    "add number": lambda a, b: a + 0.3,
    "add alpha": lambda a, b: torch.add(a, b, alpha=0.5),
    "sub": lambda a, b: a - b,
    "sub alpha": lambda a, b: torch.sub(a, b, alpha=3),
    "rsub": lambda a, b: 1.5 - a,
    "rsub alpha": lambda a, b: torch.rsub(a, b, alpha=0.25),
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "div number": lambda a, b: a / 3,
    "number div": lambda a, b: 2 / a,
    "div trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "div floor": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "floor divide": lambda a, b: a.detach() // b.detach(),
    "floor divide number": lambda a, b: a.detach() // 0.7,
    "fmod": torch.fmod,
    "fmod number": lambda a, b: torch.fmod(a, 0.7),
    "remainder": lambda a, b: a % b,
    "remainder number": lambda a, b: a % 0.7,
    "remainder negative": lambda a, b: torch.remainder(a, -0.7),
    "pow": torch.pow,
    "number pow": lambda a, b: 1.7**a,
    **{f"pow {e}": lambda a, b, e=e: a**e for e in (0, 1, 2, 3, 4, 0.5, -0.5, -1, -2, 1.7, -1.3)},
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "maximum of a constant": lambda a, b: torch.maximum(a, torch.tensor(0.5)),
    "clamp": lambda a, b: a.clamp(-1.0, 0.75),
    "clamp crossed": lambda a, b: a.clamp(1.0, -1.0),
    "clamp min": lambda a, b: a.clamp(min=0.5),
    "clamp max": lambda a, b: a.clamp(max=0.5),
    "clamp_min": lambda a, b: torch.clamp_min(a, 0.3),
    "clamp_max": lambda a, b: torch.clamp_max(a, 0.3),
    "clamp by tensors": lambda a, b: torch.clamp(a, b - 1, b),
    "clamp min by tensor": lambda a, b: torch.clamp(a, min=b),
    "neg": lambda a, b: -a,
    "neg of neg": lambda a, b: torch.neg(-a) - b.neg(),
    **{function.__name__: lambda a, b, function=function: function(a) for function in UNARY},
    **{name: lambda a, b, name=name: getattr(torch.nn.functional, name)(a) for name in COMPOSED},
    **{
        name: lambda a, b, name=name: getattr(torch, name)(a, b).to(a.dtype)
        for name in ["eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"]
    },
    **{
        f"{name} number": lambda a, b, name=name: getattr(torch, name)(a, 0.5).to(a.dtype)
        for name in ["eq", "lt", "ge"]
    },
    "isnan": lambda a, b: a.isnan() * 0.5,
    "isinf": lambda a, b: torch.where(a.isinf(), b, a),
    "isfinite": lambda a, b: torch.where(a.isfinite(), a, 0.0),
    "logical not": lambda a, b: torch.logical_not(a) * b,
    "not": lambda a, b: torch.where(~(a > b), a, b),
    "bitwise": lambda a, b: (((a > 0) & (b > 0)) | ((a < 0) ^ (b < 0))).to(a.dtype),
    "sum of masks": lambda a, b: ((a > 0) + (b > 0)) * a,
    "product of masks": lambda a, b: ((a > 0) * (b > 0)) * a,
    "mask by number": lambda a, b: a - (a > b) * 0.5,
    "number minus mask": lambda a, b: a * (1 - (a > b).to(a.dtype)),
    "mask as whole": lambda a, b: (a > b).int() * a + (b > a).long() * b,
    "bool of real": lambda a, b: torch.where(a.bool(), b, a),
    "where of masks": lambda a, b: torch.where(a > 0, a > b, b > 0) * a,
    "where of numbers": lambda a, b: torch.where(a > b, 1.0, -1.0) * a,
    "masked fill": lambda a, b: a.masked_fill(b > 0, 0.25),
    "lerp": lambda a, b: torch.lerp(a, b, 0.3),
    "addcmul": lambda a, b: torch.addcmul(a, a, b, value=0.5),
    "heaviside": lambda a, b: torch.heaviside(a.detach(), torch.tensor(0.5, dtype=a.dtype)),
    "constants": lambda a, b: torch.zeros_like(a) + torch.ones_like(b) * a + torch.full_like(a, 0.1),
    "new constants": lambda a, b: a.new_zeros(a.shape) + a.new_ones(a.shape) * b + a.new_full(a.shape, 0.2),
    "shaped constants": lambda a, b: torch.ones(a.shape, dtype=a.dtype) * a + torch.zeros(a.shape, dtype=a.dtype),
    "full": lambda a, b: torch.full(a.shape, 0.3, dtype=a.dtype) * a,
    "constant tensor": lambda a, b: a * torch.tensor(0.3) + torch.tensor([0.1]).to(a.dtype) * torch.tensor(2.0).exp(),
    "mask constants": lambda a, b: torch.where(torch.ones_like(a, dtype=torch.bool) & (a > 0), a, b),
    "copies": lambda a, b: a.clone().view_as(b) + b.expand_as(a).contiguous() + a.detach() + a.data,
}

GRID = [
    -INF,
    -1e30,
    -3.5,
    -2.5,
    -1.5,
    -1.0,
    -0.5,
    -0.3,
    -0.01,
    -1e-5,
    -0.0,
    0.0,
    1e-30,
    1e-7,
    2e-4,
    0.02,
    0.3,
    0.5,
    1.0,
    1.5,
    2.5,
    3.5,
    12582911.0,
]
GRID += [4194303.5, -4194304.5, 5000000.5, 8388609.0, 1e30, INF, NAN]
OTHERS = [-INF, -2.5, -1.0, -0.7, 0.0, 0.5, 1.0, 2.0, 3.0, INF, NAN]


def table(names: Sequence[str]) -> type[Neuron]:
    """A model that hands its input through for LEAD steps, then computes one of the named expressions a step.

    Its input is `a` and its parameter is `b`. The layer's own comparison before first use sees the lead alone: an
    expression may be NaN where that draws.
    """

    def step(self: Neuron, x: Tensor, place: Tensor) -> tuple[Tensor, ...]:
        result = torch.where(place < LEAD, x, 0.0)
        for number, name in enumerate(names, LEAD):
            # `where` before and after, so that no NaN of one expression reaches the gradient of another
            chosen = place == number
            a, b = torch.where(chosen, x, 1.0), torch.where(chosen, self.b, 1.0)
            result = torch.where(chosen, EXPRESSIONS[name](a, b), result)
        return result, place + 1

    declared = {"name": "table", "states": ("place",), "b": Learnable(0.5, per="channel"), "spiking": False}
    return type("Table", (Neuron,), {**declared, "step": step})


Table = table([*EXPRESSIONS])
LEAD = verification.STEPS
PART = 12
"""Expressions of one kernel: each step computes all of them, so many in one would cost their square."""


def results(backend: str, dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    """For each expression its values and its gradients by a, over the grid."""
    names = [*EXPRESSIONS]
    found = {}
    for first in range(0, len(names), PART):
        found.update(_results(backend, dtype, names[first : first + PART]))
    return found


def _results(backend: str, dtype: torch.dtype, names: Sequence[str]) -> dict[str, tuple[Tensor, Tensor]]:
    layer = NeuronLayer(table(names)(), len(OTHERS), backend)
    real = torch.float64 if dtype == torch.float64 else torch.float32
    layer.to(real)
    layer.b.data.copy_(torch.tensor(OTHERS, dtype=torch.float64))
    a = torch.tensor(GRID, dtype=torch.float64).to(dtype)
    x = a[:, None].expand(LEAD + len(names), -1, len(OTHERS)).clone()
    if backend == "reference":
        x = x.to(real)
    x.requires_grad_()
    output = layer(x)
    output.backward(torch.ones_like(output))
    return {name: (output.detach()[t].flatten(), x.grad[t].flatten()) for t, name in enumerate(names, LEAD)}


def differing(backend: str, dtype: torch.dtype, relative: float) -> dict[str, list[tuple[float, float, float, float]]]:
    """For each expression that is not torch's: (a, b, found, right) of the first pairs; of a gradient with "'".

    Errors are relative to the value itself, however small, but for those of SATURATING and COMPOSED.
    """
    own, right = results(backend, dtype), results("reference", dtype)
    pairs = torch.cartesian_prod(torch.tensor(GRID), torch.tensor(OTHERS))
    usual = (pairs[:, 0].abs() < 4) & (pairs[:, 0].abs() > 1e-20)
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for name in EXPRESSIONS:
        for mark, (value, exact) in zip(("", "'"), zip(own[name], right[name], strict=True), strict=True):
            got, due = value.double(), exact.to(dtype).double()
            fine = name not in SATURATING
            near = (got - due).abs() <= relative * due.abs().clamp(min=0.0 if fine else 0.3)
            wrong = ~(near | (got == due) | (got.isnan() & due.isnan()))
            if name in COMPOSED:
                wrong = usual & ((got - due).abs() > max(relative, 1e-6))
            found[name + mark] = [
                (*pairs[i].tolist(), got[i].item(), due[i].item()) for i in wrong.nonzero()[:3, 0].tolist()
            ]
    return {name: cases for name, cases in found.items() if cases}
