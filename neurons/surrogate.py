"""Spike functions: a Heaviside step forward, a smooth stand-in for its derivative backward.

Each surrogate is the derivative used for Θ(u − v_th) during back-propagation. `width` (the papers' α) is the
extent of its support or, for surrogates without compact support, its scale. All are even; all have unit area and the
height 1/width at 0, but for the mixtures of Gaussians, which are as published, and the straight-through one. A kernel
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
    """A hat of base 2·width and height 1/width (Esser et al. 2016); the "piecewise quadratic" of other packages."""
    return torch.clamp(1 - distance.abs() * (1 / width), min=0) * (1 / width)


def atan(distance: Tensor, width: Width) -> Tensor:
    """Derivative of atan(π·distance/width)/π + 1/2 (Fang et al. 2021, with their α = 2/width)."""
    scaled = distance * (math.pi / width)
    return 1 / (width * (1 + scaled * scaled))


def sigmoid(distance: Tensor, width: Width) -> Tensor:
    """Derivative of the logistic function of 4·distance/width, whose height at 0 is 1/width."""
    value = torch.sigmoid(distance * (4 / width))
    return (4 / width) * value * (1 - value)


def fast_sigmoid(distance: Tensor, width: Width) -> Tensor:
    """1/(1 + 2·|distance|/width)² over the width: SuperSpike (Zenke & Ganguli 2018) with their β = 2/width."""
    scaled = 1 + distance.abs() * (2 / width)
    return 1 / (width * (scaled * scaled))


def exponential(distance: Tensor, width: Width) -> Tensor:
    """exp(−2·|distance|/width)/width: SLAYER (Shrestha & Orchard 2018), with a decay of 2/width."""
    return torch.exp(distance.abs() * (-2 / width)) * (1 / width)


def gaussian(distance: Tensor, width: Width) -> Tensor:
    """The normal density of standard deviation width/√(2π)."""
    return _normal(distance, width * (1 / math.sqrt(2 * math.pi)))


def double_gaussian(distance: Tensor, width: Width) -> Tensor:
    """½·(1.15·N(0, σ) − 0.3·N(0, 6σ)) with σ = width/2: of brf-neurons' code (Higuchi et al. 2024); area 0.425."""
    sigma = width * 0.5
    return 0.575 * _normal(distance, sigma) - 0.15 * _normal(distance, 6 * sigma)


def multi_gaussian(distance: Tensor, width: Width) -> Tensor:
    """½·(1.15·N(0, σ) − 0.15·N(σ, 6σ) − 0.15·N(−σ, 6σ)) with σ = width/2 (Yin et al. 2021); area 0.425."""
    sigma = width * 0.5
    beside = _normal(distance - sigma, 6 * sigma) + _normal(distance + sigma, 6 * sigma)
    return 0.575 * _normal(distance, sigma) - 0.075 * beside


def straight_through(distance: Tensor, width: Width) -> Tensor:
    """1/width everywhere: the spike is passed over (Bengio et al. 2013)."""
    return torch.zeros_like(distance) + 1 / width


def _normal(distance: Tensor, deviation: Width) -> Tensor:
    """The normal density of mean 0."""
    scaled = distance * (1 / deviation)
    return torch.exp(-0.5 * (scaled * scaled)) * (1 / (deviation * math.sqrt(2 * math.pi)))


SURROGATES: dict[str, Callable[[Tensor, Width], Tensor]] = {
    "rectangle": rectangle,
    "triangle": triangle,
    "atan": atan,
    "sigmoid": sigmoid,
    "fast_sigmoid": fast_sigmoid,
    "exponential": exponential,
    "gaussian": gaussian,
    "double_gaussian": double_gaussian,
    "multi_gaussian": multi_gaussian,
    "straight_through": straight_through,
}


class SpikeFunction(torch.autograd.Function):
    """Θ(distance) with Θ(0) = 1; backward multiplies by the named surrogate and a gain."""

    @staticmethod
    def forward(distance: Tensor, kind: str, width: Width, gain: float) -> Tensor:
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, str, Width, float], output: Tensor) -> None:
        distance, ctx.kind, ctx.width, ctx.gain = inputs
        ctx.save_for_backward(distance)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        (distance,) = ctx.saved_tensors
        return grad_outputs[0] * _slope(ctx, distance), None, None, None


class TransformedSpike(SpikeFunction):
    """The same under torch's transforms (vmap, forward-mode derivatives), which `torch.compile` does not take."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, str, Width, float], output: Tensor) -> None:
        SpikeFunction.setup_context(ctx, inputs, output)
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        (distance,) = ctx.saved_for_forward
        return tangents[0] * _slope(ctx, distance)


def _slope(ctx: Any, distance: Tensor) -> Tensor:
    slope = SURROGATES[ctx.kind](distance, ctx.width)
    return slope if ctx.gain == 1 else slope * ctx.gain


def spike(distance: Tensor, kind: str, width: Width, gain: float = 1.0) -> Tensor:
    """Binary spikes (in the dtype of `distance` = u − v_th) with surrogate gradient `kind` times `gain`."""
    function = SpikeFunction if torch.compiler.is_compiling() else TransformedSpike
    return function.apply(distance, kind, width, gain)
