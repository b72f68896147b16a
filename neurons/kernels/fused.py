"""The fused kernels as differentiable operations of torch, one for every device.

`torch.compile` sees each as a single operation (`neurons::fused_forward`, `neurons::fused_backward`); a string, the
handle, tells which program it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurons.kernels.cpu import CpuKernel, cpu_kernel
from neurons.kernels.trace import Program

_programs: dict[str, Program] = {}


class FusedRunner:
    """Runs one program over time, by the kernel of the input's device."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.handle = f"{program.neuron}-{program.digest}"
        _programs[self.handle] = program

    def __call__(self, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        values = [parameters[name].to(x.dtype) for name in self.program.parameters]
        coefficients = [value.contiguous() for value in self.program.prologue(*values)]
        if torch.compiler.is_compiling():
            return fused_forward(x.contiguous(), coefficients, self.handle)
        return _FusedFunction.apply(x.contiguous(), self.handle, *coefficients)


class _FusedFunction(torch.autograd.Function):
    """The same for eager mode: a custom operation costs 0.2 ms a call more, which small layers would feel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, handle: str, *coefficients: Tensor) -> Tensor:
        ctx.save_for_backward(x, *coefficients)
        ctx.handle = handle
        return _kernel(handle, x).forward(x, coefficients)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, *coefficients = ctx.saved_tensors
        grad_x, grad_coefficients = _kernel(ctx.handle, x).backward(grad.contiguous(), x, coefficients)
        return grad_x, None, *grad_coefficients


def _kernel(handle: str, x: Tensor) -> CpuKernel:
    return cpu_kernel(_programs[handle], x.dtype)


@torch.library.custom_op("neurons::fused_forward", mutates_args=(), device_types="cpu")
def fused_forward(x: Tensor, coefficients: Sequence[Tensor], handle: str) -> Tensor:
    return _kernel(handle, x).forward(x, coefficients)


@torch.library.custom_op("neurons::fused_backward", mutates_args=(), device_types="cpu")
def fused_backward(grad: Tensor, x: Tensor, coefficients: Sequence[Tensor], handle: str) -> list[Tensor]:
    grad_x, grad_coefficients = _kernel(handle, x).backward(grad, x, coefficients)
    return [grad_x, *grad_coefficients]


@fused_forward.register_fake
def _(x: Tensor, coefficients: Sequence[Tensor], handle: str) -> Tensor:
    return torch.empty_like(x)


@fused_backward.register_fake
def _(grad: Tensor, x: Tensor, coefficients: Sequence[Tensor], handle: str) -> list[Tensor]:
    return [torch.empty_like(x), *(torch.empty_like(value) for value in coefficients)]


def _save(ctx: Any, inputs: tuple[Tensor, Sequence[Tensor], str], output: Tensor) -> None:
    x, coefficients, ctx.handle = inputs
    ctx.save_for_backward(x, *coefficients)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor, list[Tensor], None]:
    x, *coefficients = ctx.saved_tensors
    grad_x, *grad_coefficients = fused_backward(grad.contiguous(), x, coefficients, ctx.handle)
    return grad_x, grad_coefficients, None


torch.library.register_autograd(fused_forward, _differentiate, setup_context=_save)
