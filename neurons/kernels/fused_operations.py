"""The fused kernels as operations of torch, for all that records, fakes or rewrites what a network does.

`torch.compile`, `torch.export`, `make_fx`, fake and meta tensors see `neurons::fused_forward` and
`neurons::fused_backward`; a string, the handle, tells which program runs. Their fakes agree with the kernels in shape,
dtype and layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from neurons.kernels.programs import as_stored, keep, program_of


@torch.library.custom_op("neurons::fused_forward", mutates_args=())
def fused_forward(x: Tensor, values: Sequence[Tensor], handle: str, needed: bool) -> tuple[Tensor, Tensor]:
    return program_of(handle).forward(as_stored(x), [as_stored(value) for value in values], needed)


@torch.library.custom_op("neurons::fused_backward", mutates_args=())
def fused_backward(grad: Tensor, x: Tensor, checkpoints: Tensor, values: Sequence[Tensor], handle: str) -> list[Tensor]:
    grad, x, checkpoints, *stored = (as_stored(tensor) for tensor in (grad, x, checkpoints, *values))
    grad_x, grads = program_of(handle).backward(grad, x, checkpoints, stored)
    return [grad_x, *grads]


@fused_forward.register_fake
def _(x: Tensor, values: Sequence[Tensor], handle: str, needed: bool) -> tuple[Tensor, Tensor]:
    keep(handle)
    shape = program_of(handle).checkpoint_shape(x, needed)
    return _contiguous_like(x), x.new_empty(shape, dtype=torch.float32)


@fused_backward.register_fake
def _(grad: Tensor, x: Tensor, checkpoints: Tensor, values: Sequence[Tensor], handle: str) -> list[Tensor]:
    return [_contiguous_like(tensor) for tensor in (x, *values)]


def _contiguous_like(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _save(ctx: Any, inputs: tuple[Tensor, Sequence[Tensor], str, bool], output: tuple[Tensor, Tensor]) -> None:
    x, values, ctx.handle, _ = inputs
    ctx.save_for_backward(x, output[1], *values)


def _differentiate(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, list[Tensor], None, None]:
    x, checkpoints, *values = ctx.saved_tensors
    grad_x, *grads = fused_backward(grad, x, checkpoints, values, ctx.handle)
    return grad_x, grads, None, None


def _remember(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    ctx.handle = inputs[-1]


def _refuse(ctx: Any, *_: Any) -> NoReturn:
    raise program_of(ctx.handle).once("second derivatives")


torch.library.register_autograd(fused_forward, _differentiate, setup_context=_save)
torch.library.register_autograd(fused_backward, _refuse, setup_context=_remember)
