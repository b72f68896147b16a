"""Spike functions: a Heaviside step forward, a smooth stand-in for its derivative backward.

Each surrogate is the derivative used for Θ(u − v_th) during back-propagation. `width` (the papers' α) is the
extent of its support or, for surrogates without compact support, its scale. All have unit area and are even. A kernel
takes the width at each call, as a tensor of one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Width = float | Tensor


def rectangle(distance: Tensor, width: Width) -> Tensor:
    """1/width inside |distance| < width/2, else 0 (Wu et al. 2018; CLIF paper, eq. 5)."""
    height = torch.as_tensor(1 / width, dtype=distance.dtype, device=distance.device)
    return torch.where(distance.abs() < width / 2, height, 0.0)


def triangle(distance: Tensor, width: Width) -> Tensor:
    """A hat of base 2·width and height 1/width (Esser et al. 2016)."""
    return torch.clamp(1 - distance.abs() * (1 / width), min=0) * (1 / width)


def atan(distance: Tensor, width: Width) -> Tensor:
    """Derivative of atan(π·distance/width)/π + 1/2 (Fang et al. 2021, with their α = 2/width)."""
    scaled = distance * (math.pi / width)
    return 1 / (width * (1 + scaled * scaled))


def sigmoid(distance: Tensor, width: Width) -> Tensor:
    """Derivative of the logistic function of 4·distance/width, whose height at 0 is 1/width."""
    value = torch.sigmoid(distance * (4 / width))
    return (4 / width) * value * (1 - value)


SURROGATES: dict[str, Callable[[Tensor, Width], Tensor]] = {
    "rectangle": rectangle,
    "triangle": triangle,
    "atan": atan,
    "sigmoid": sigmoid,
}


class SpikeFunction(torch.autograd.Function):
    """Θ(distance) with Θ(0) = 1; backward multiplies by the named surrogate."""

    @staticmethod
    def forward(distance: Tensor, kind: str, width: Width) -> Tensor:
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, str, Width], output: Tensor) -> None:
        distance, ctx.kind, ctx.width = inputs
        ctx.save_for_backward(distance)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (distance,) = ctx.saved_tensors
        return grad_outputs[0] * SURROGATES[ctx.kind](distance, ctx.width), None, None


class TransformedSpike(SpikeFunction):
    """The same under torch's transforms (vmap, forward-mode derivatives), which `torch.compile` does not take."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, str, Width], output: Tensor) -> None:
        SpikeFunction.setup_context(ctx, inputs, output)
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        (distance,) = ctx.saved_for_forward
        return tangents[0] * SURROGATES[ctx.kind](distance, ctx.width)


def spike(distance: Tensor, kind: str, width: Width) -> Tensor:
    """Binary spikes (in the dtype of `distance` = u − v_th) with surrogate gradient `kind`."""
    function = SpikeFunction if torch.compiler.is_compiling() else TransformedSpike
    return function.apply(distance, kind, width)
