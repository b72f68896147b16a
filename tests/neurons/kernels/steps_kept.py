"""Steps as people write them that a kernel computes exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neurons import Learnable, Neuron
from tests.neurons.kernels.gradient_functions import (
    TWO_KINDS,
    ClipGradient,
    Constant,
    Doubled,
    FastSigmoid,
    Nothing,
    hooked,
)

Step = Callable[..., tuple[Tensor, ...]]
KEPT: dict[str, type[Neuron]] = {}
SCALE = torch.tensor(0.7)


def kept(*states: str, **attributes: Any) -> Callable[[Step], Step]:
    def add(step: Step) -> Step:
        name = step.__name__
        KEPT[name] = type(name, (Neuron,), {"name": name, "states": states or ("u",), "step": step, **attributes})
        return step

    return add


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


@kept()
def option_of_a_composed_operation(self, x, u):
    u = torch.nn.functional.gelu(self.charge(u, x), approximate="tanh")
    spike = self.spike(u - 1)
    return spike, u - spike
