"""The fused kernels under torch's transforms: `torch.func.grad`, `vjp`, `vmap`, `jacrev`, and batched gradients.

A transform hands over tensors that stand for others. The functions here say what each transform does: a batch of
inputs is more neurons side by side; a second or a forward derivative does not exist and is refused in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from neurons.kernels.fused_operations import fused_backward, fused_forward
from neurons.kernels.programs import program_of

Dimensions = Sequence[int | None]
"""For each argument the dimension that is batched, or None."""


class Forward(torch.autograd.Function):
    """(x, handle, *coefficients) to (output, checkpoints)."""

    @staticmethod
    def forward(x: Tensor, handle: str, *coefficients: Tensor) -> tuple[Tensor, Tensor]:
        return fused_forward(x, coefficients, handle, True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, ctx.handle, *coefficients = inputs
        ctx.save_for_backward(x, output[1], *coefficients)
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        x, checkpoints, *coefficients = ctx.saved_tensors
        grad_x, *grads = Backward.apply(grad, x, checkpoints, ctx.handle, *coefficients)
        return grad_x, None, *grads

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> NoReturn:
        raise program_of(ctx.handle).once("forward-mode derivatives (jvp, jacfwd, hessian)")

    @staticmethod
    def vmap(
        info: Any, in_dims: Dimensions, x: Tensor, handle: str, *coefficients: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int | None]]:
        size = info.batch_size
        if in_dims[0] is not None and all(dim is None for dim in in_dims[2:]):
            x = x.movedim(in_dims[0], 1)  # [T, batch, N, *features]
            output, checkpoints = Forward.apply(x.flatten(1, 2), handle, *coefficients)
            if checkpoints.ndim < 3:
                return (output.unflatten(1, x.shape[1:3]), checkpoints), (1, None)
            return (output.unflatten(1, x.shape[1:3]), checkpoints.unflatten(2, x.shape[1:3])), (1, 2)
        outputs, checkpoints = _one_by_one(Forward.apply, size, in_dims, (x, handle, *coefficients))
        return (outputs, checkpoints), (0, 0)


class Backward(torch.autograd.Function):
    """(gradient of the output, x, checkpoints, handle, *coefficients) to the gradients of x and coefficients."""

    @staticmethod
    def forward(grad: Tensor, x: Tensor, checkpoints: Tensor, handle: str, *coefficients: Tensor) -> tuple[Tensor, ...]:
        return tuple(fused_backward(grad, x, checkpoints, coefficients, handle))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.handle = inputs[3]

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> NoReturn:
        raise program_of(ctx.handle).once("second derivatives (a gradient penalty, a Hessian)")

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> NoReturn:
        raise program_of(ctx.handle).once("second derivatives (a Hessian)")

    @staticmethod
    def vmap(info: Any, in_dims: Dimensions, *arguments: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        grads = _one_by_one(Backward.apply, info.batch_size, in_dims, arguments)
        return grads, (0,) * len(grads)


def _one_by_one(
    function: Callable[..., tuple[Tensor, ...]], size: int, in_dims: Dimensions, arguments: Sequence[Any]
) -> tuple[Tensor, ...]:
    """The stacked results of `function` for each entry of a batch."""
    results = []
    for index in range(size):
        pairs = zip(arguments, in_dims, strict=True)
        results.append(function(*(value if dim is None else value.select(dim, index) for value, dim in pairs)))
    return tuple(torch.stack(values) for values in zip(*results, strict=True))
