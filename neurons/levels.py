"""Outputs of several levels: a whole number of events in one step, with a straight-through gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Levels(torch.autograd.Function):
    """Clip and round; the gradient is 1 within the bounds, both included (torch's clamp leaves them out)."""

    @staticmethod
    def forward(value: Tensor, low: float, high: float) -> Tensor:
        return torch.round(torch.clamp(value, low, high))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float], output: Tensor) -> None:
        value, ctx.low, ctx.high = inputs
        ctx.save_for_backward(value)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (value,) = ctx.saved_tensors
        return _within(grad_outputs[0], value, ctx.low, ctx.high), None, None


class _TransformedLevels(_Levels):
    """The same under torch's transforms, which `torch.compile` does not take."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float], output: Tensor) -> None:
        _Levels.setup_context(ctx, inputs, output)
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        (value,) = ctx.saved_for_forward
        return _within(tangents[0], value, ctx.low, ctx.high)


def _within(gradient: Tensor, value: Tensor, low: float, high: float) -> Tensor:
    return torch.where((value >= low) & (value <= high), gradient, 0.0)


def levels(value: Tensor, low: float, high: float) -> Tensor:
    """`value` clipped to [low, high] and rounded, of two whole numbers equally near to the even one.

    The gradient is 1 within the bounds and 0 outside of them: straight-through.
    """
    function = _Levels if torch.compiler.is_compiling() else _TransformedLevels
    return function.apply(value, low, high)
