"""Steps as people write them: what is kept exactly, and what is refused by its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurons import Learnable, Neuron

Step = Callable[..., tuple[Tensor, ...]]
KEPT: dict[str, type[Neuron]] = {}
REFUSED: dict[str, tuple[type[Neuron], str, str]] = {}
"""The model, a part of the line and of the reason."""


def kept(*states: str, **attributes: Any) -> Callable[[Step], Step]:
    def add(step: Step) -> Step:
        name = step.__name__
        KEPT[name] = type(name, (Neuron,), {"name": name, "states": states or ("u",), "step": step, **attributes})
        return step

    return add


def refused(line: str, reason: str, **attributes: Any) -> Callable[[Step], Step]:
    def add(step: Step) -> Step:
        name = step.__name__
        cls = type(name, (Neuron,), {"name": name, "states": ("u",), "step": step, **attributes})
        REFUSED[name] = cls, line, reason
        return step

    return add


class FastSigmoid(torch.autograd.Function):
    """A surrogate of the user's own, without setup_context."""

    @staticmethod
    def forward(ctx, distance):
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (distance,) = ctx.saved_tensors
        return gradient / (1 + 10 * distance.abs()) ** 2


class ClipGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clamp(-0.5, 0.5)


class Doubled(torch.autograd.Function):
    """A backward pass that is linear: of twice the gradient, in two parts."""

    @staticmethod
    def forward(ctx, value):
        ctx.save_for_backward(value)
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        (value,) = ctx.saved_tensors
        return torch.where(value > 0, 3 * gradient, 0.0) - gradient * value / value


class Constant(torch.autograd.Function):
    """A backward pass that asks for no gradient."""

    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        return torch.full_like(gradient, 0.1)


class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        return torch.zeros_like(gradient)


def hooked(value, hook):
    if value.requires_grad:
        value.register_hook(hook)
    return value


SCALE = torch.tensor(0.7)


@kept()
def own_surrogate(self, x, u):
    u = self.charge(u, x)
    spike = FastSigmoid.apply(u - 1)
    return spike, u - spike


@kept()
def own_identity(self, x, u):
    u = ClipGradient.apply(self.charge(u, x))
    spike = self.spike(u - 1)
    return spike, u - spike


@kept(k=Learnable(0.7))
def own_function_of_a_parameter(self, x, u):
    rounded = self.k + (torch.round(self.k * 4) / 4 - self.k).detach()
    u = rounded * u + x * FastSigmoid.apply(self.k - 0.5)
    spike = self.spike(u - 1)
    return spike, u - spike


TWO_KINDS = {"k": Learnable(0.6), "g": Learnable(0.8, per="channel")}


@kept(**TWO_KINDS)
def linear_functions_of_parameters(self, x, u):
    u = Doubled.apply(torch.sigmoid(self.k) * self.g) * u + x + 0.1 * Doubled.apply(self.k).mul_(2)
    u = u + 0.1 * torch.floor(ClipGradient.apply(self.g) * 2) + torch.floor(torch.maximum(self.k, self.g) / 0.3) * 0.1
    u = u + Nothing.apply(torch.sigmoid(self.k) * self.g) + hooked(self.g * 1.0, lambda gradient: -2 * gradient) * 0.1
    spike = self.spike(u - 1)
    return spike, u - spike


@kept(**TWO_KINDS)
def any_function_of_what_each_neuron_has(self, x, u):
    u = ClipGradient.apply(self.k * u + x * self.g)
    u = hooked(u + self.k, torch.sign) + 0.1 * ClipGradient.apply(torch.zeros_like(x) + self.g)
    spike = self.spike(u - 1)
    return spike, u - spike


@kept(**TWO_KINDS)
def gradients_that_nothing_decides(self, x, u):
    u = Constant.apply(self.k + 0.5 * u + x) + Constant.apply(x + self.g)
    spike = self.spike(u - 1)
    return spike, u - spike


@kept("u", "v", k=Learnable(0.6))
def a_state_of_parameters_alone(self, x, u, v):
    u = self.charge(u, x) + ClipGradient.apply(v)
    spike = self.spike(u - 1)
    return spike, u - spike, self.k * 0.5


@kept("u", "m")
def without_gradient(self, x, u, m):
    u = self.charge(u, x)
    spike = self.spike(u - 1)
    with torch.no_grad():
        m = 0.9 * m + spike
    return spike, u - spike * (1 + 0.3 * m), m


@kept()
def data_and_detach(self, x, u):
    u = self.charge(u, x)
    spike = self.spike(u - 1)
    return spike, u.data * 0.5 + u * 0.4 - spike.detach()


@kept(a=Learnable(0.5), b=Learnable(0.5))
def product_of_parameters(self, x, u):
    u = self.a * self.b * u + x
    spike = self.spike(u - 1)
    return spike, u - spike


@kept(a=Learnable(0.5), b=Learnable(0.7), c=Learnable(0.9))
def parameters_without_gradient(self, x, u):
    u = torch.sign(self.a) * self.charge(u, x) * self.b + self.c.detach() * 0.1
    spike = self.spike(u - 1)
    return spike, u - spike


@kept(k=Learnable(0.5), g=Learnable(0.5, per="channel"))
def parameters_of_two_kinds(self, x, u):
    a = self.k * self.g
    u = a * u + (1 - a) * x
    spike = self.spike(u - 1)
    return spike, u - spike


@kept("u", "v", "q", surrogate="atan", omega=Learnable(5.0, per="channel"), damping=Learnable(0.3, per="channel"))
def resonate_and_fire(self, x, u, v, q):
    p = (torch.sqrt(1 - (0.01 * self.omega) ** 2) - 1) / 0.01 - self.damping.abs() - q
    real = u + 0.01 * (p * u - self.omega * v + x)
    v = v + 0.01 * (self.omega * u + p * v)
    spike = self.spike(real - 1 - q)
    return spike, real, v, 0.9 * q + spike


TWELVE = {f"w{i}": Learnable(0.1 + 0.05 * i, per=("layer", "channel", "step_channel")[i % 3]) for i in range(12)}


@kept("a", "b", "c", **TWELVE)
def twelve_parameters(self, x, a, b, c):
    w = [getattr(self, name) for name in TWELVE]
    real = a * torch.cos(w[0]) - b * torch.sin(w[1]) * w[2] + x * (w[3] + w[4] * w[5])
    b = a * torch.sin(w[1]) * w[6] + b * torch.cos(w[0]) / (1 + w[7] ** 2)
    c = c * torch.sigmoid(w[8] - w[9]) + torch.exp(-w[10]) * real
    spike = self.spike(real + 0.1 * c - w[11])
    return spike, real - spike, b, c


WORDS = {
    "register": Learnable(0.5),
    "default": Learnable(0.3, per="channel"),
    "range": Learnable(0.2, per="step_channel"),
}


@kept("filter", "short", "mask", "double", "λ", **WORDS)
def words_of_languages(self, x, filter, short, mask, double, λ):  # noqa: PLC2401
    state = filter * self.register + x
    vec = short * 0.5 + state * self.default
    input = mask * 0.3 + vec * self.range
    output = double * 0.2 + input + λ * 0.1
    coefficient = output * 2 - state
    tl = self.spike(coefficient - 1)
    return tl, state - tl, vec, input, output, coefficient * 0.1


@kept()
def truth_values(self, x, u):
    u = self.charge(u, x)
    spike = self.spike(u - 1)
    low = u * (u < 1) - (u > 1) * 0.5 + torch.where(~(u > 1), u, 0.0)
    reset = u.masked_fill(spike.bool(), 0.0) + torch.where(spike.bool(), 0.0, u)
    both = torch.logical_and(spike, u < 2) * 0.5 + torch.logical_not(spike) * u
    count = ((u > 0.5) + (u > 0.2)) * u + (u > 0).int() * u + ((u > 0.1) ^ (x > 0.5)).to(x.dtype)
    return spike, 0.1 * (low + reset + both + count)


@kept()
def constants_of_any_kind(self, x, u):
    u = SCALE * u + x * torch.tensor(2.0) * torch.tensor([0.5]).to(x.dtype)
    spike = self.spike(u - 1)
    return spike, u - spike


@kept()
def in_place_on_its_own(self, x, u):
    v = u * 0.5
    v += x
    spike = self.spike(v - 1)
    return spike, v.sub_(spike)


@refused("u.half()", "values of float16 in a step on float32 are not known")
def half(self, x, u):
    u = self.charge(u.half().float(), x)
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("u.bfloat16()", "values of bfloat16")
def brain(self, x, u):
    u = self.charge(u.bfloat16().float(), x)
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("x.double()", "values of float64 in a step on float32")
def double(self, x, u):
    u = self.charge(u, x.double().to(x.dtype))
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("(u * 4).int()", "a cast of real numbers to whole ones is not known; torch.trunc")
def whole(self, x, u):
    u = self.charge((u * 4).int().float() / 4, x)
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("decimals=1", "the operation round with decimals=1 is not known")
def decimals(self, x, u):
    u = torch.round(self.charge(u, x), decimals=1)
    spike = self.spike(u - 1)
    return spike, u - spike


@kept()
def option_of_a_composed_operation(self, x, u):
    u = torch.nn.functional.gelu(self.charge(u, x), approximate="tanh")
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("tolist()", "depends on the values of a tensor")
def list_of_values(self, x, u):
    u = self.charge(u, x) * sum(u.tolist()[0])
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("torch.func.grad", "the operation sum is not pointwise")
def gradient_by_hand(self, x, u):
    u = self.charge(u, x)
    slope = torch.func.grad(lambda value: torch.sin(value).sum())(u)
    spike = self.spike(u - 1)
    return spike, u - spike + 0.01 * slope


@refused("np.asarray", "depends on the values of a tensor")
def through_numpy(self, x, u):
    u = self.charge(u, x) * float(np.asarray(u.detach()).max())
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("if (u > 1).any():", "the operation any is not pointwise")
def control_flow(self, x, u):
    u = self.charge(u, x)
    try:
        if (u > 1).any():
            u = u * 0.5
    except Exception:
        u = u * 0.3
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("", "it sets self.calls; what lasts from one step to the next is a state")
def state_of_its_own(self, x, u):
    self.calls = getattr(self, "calls", 0) + 1
    u = self.charge(u, x)
    spike = self.spike(u - self.calls)
    return spike, u - spike


@refused("torch.rand(())", "the operation rand draws random numbers")
def random_number(self, x, u):
    u = self.charge(u, x) + torch.rand(())
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("torch.rand_like", "rand_like draws random numbers")
def random_numbers(self, x, u):
    u = self.charge(u, x) + torch.rand_like(x)
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("w += x", "in place that has another name too")
def in_place_under_two_names(self, x, u):
    v = u * 0.5
    w = v.detach()
    w += x
    spike = self.spike(v - 1)
    return spike, v - spike


@refused("reshape(-1)", "changes the shape")
def flattened(self, x, u):
    u = self.charge(u, x).reshape(-1).reshape(x.shape)
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("", "a result is torch.bool where the input is torch.float32; return it .to(x.dtype)")
def truth_as_state(self, x, u):
    u = self.charge(u, x)
    return self.spike(u - 1), u > 1


WEIGHT = torch.nn.Parameter(torch.tensor(0.5))


@refused("WEIGHT", "declare it as Learnable")
def parameter_of_its_own(self, x, u):
    u = self.charge(u, x) * WEIGHT
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("ClipGradient.apply(self.k)", "the backward pass of ClipGradient is not linear in the gradient", **TWO_KINDS)
def clipped_parameter(self, x, u):
    u = ClipGradient.apply(self.k) * u + x
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("ClipGradient.apply(a)", "the backward pass of ClipGradient is not linear in the gradient", **TWO_KINDS)
def clipped_coefficient(self, x, u):
    a = torch.sigmoid(self.k) * self.g
    a = ClipGradient.apply(a) * 2
    spike = self.spike(a * u + x - 1)
    return spike, a * u + x - spike


@refused("Constant.apply(self.g).mul_(2)", "has a part that does not depend on the gradient", **TWO_KINDS)
def constant_gradient_of_a_parameter(self, x, u):
    u = Constant.apply(self.g).mul_(2) * u + x
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("hooked(self.g * 2, torch.sign)", "a hook is not linear in the gradient", **TWO_KINDS)
def hooked_coefficient(self, x, u):
    u = hooked(self.g * 2, torch.sign) * u + x
    spike = self.spike(u - 1)
    return spike, u - spike


@refused("", "a hook on a Learnable, of which every step adds one", **TWO_KINDS)
def hooked_parameter(self, x, u):
    u = hooked(self.k, lambda gradient: 2 * gradient) * u + x
    spike = self.spike(u - 1)
    return spike, u - spike
