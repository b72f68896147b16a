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
    """(x, handle, *values) to (output, checkpoints)."""

    @staticmethod
    def forward(x: Tensor, handle: str, *values: Tensor) -> tuple[Tensor, Tensor]:
        return fused_forward(x, values, handle, True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, ctx.handle, *values = inputs
        ctx.save_for_backward(x, output[1], *values)
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        x, checkpoints, *values = ctx.saved_tensors
        grad_x, *grads = Backward.apply(grad, x, checkpoints, ctx.handle, *values)
        return grad_x, None, *grads

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> NoReturn:
        raise program_of(ctx.handle).once("forward-mode derivatives (jvp, jacfwd, hessian)")

    @staticmethod
    def vmap(
        info: Any, in_dims: Dimensions, x: Tensor, handle: str, *values: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int | None]]:
        size = info.batch_size
        if in_dims[0] is not None and all(dim is None for dim in in_dims[2:]):
            x = x.movedim(in_dims[0], 1)  # [T, batch, N, *features]
            output, checkpoints = Forward.apply(x.flatten(1, 2), handle, *values)
            if checkpoints.ndim < 3:
                return (output.unflatten(1, x.shape[1:3]), checkpoints), (1, None)
            return (output.unflatten(1, x.shape[1:3]), checkpoints.unflatten(2, x.shape[1:3])), (1, 2)
        outputs, checkpoints = _one_by_one(Forward.apply, size, in_dims, (x, handle, *values))
        return (outputs, checkpoints), (0, 0)


class Backward(torch.autograd.Function):
    """(gradient of the output, x, checkpoints, handle, *values) to the gradients of x and values."""

    @staticmethod
    def forward(grad: Tensor, x: Tensor, checkpoints: Tensor, handle: str, *values: Tensor) -> tuple[Tensor, ...]:
        return tuple(fused_backward(grad, x, checkpoints, values, handle))

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
