"""Steps as people write them that no kernel can compute: each is refused by its line, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurons import Neuron
from tests.neurons.kernels.gradient_functions import TWO_KINDS, ClipGradient, Constant, hooked

Step = Callable[..., tuple[Tensor, ...]]
REFUSED: dict[str, tuple[type[Neuron], str, str]] = {}
"""The model, a part of the line and of the reason."""


def refused(line: str, reason: str, **attributes: Any) -> Callable[[Step], Step]:
    def add(step: Step) -> Step:
        name = step.__name__
        cls = type(name, (Neuron,), {"name": name, "states": ("u",), "step": step, **attributes})
        REFUSED[name] = cls, line, reason
        return step

    return add


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
