"""Functions with a backward pass of their own, as people write them into steps."""

from __future__ import annotations

import torch

from neurons import Learnable

TWO_KINDS = {"k": Learnable(0.6), "g": Learnable(0.8, per="channel")}
"""Parameters of a layer and of a channel."""


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
