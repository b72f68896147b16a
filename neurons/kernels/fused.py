"""The fused kernels as differentiable operations of torch, one for every device.

`torch.compile` sees each as a single operation (`neurons::fused_forward`, `neurons::fused_backward`); a string, the
handle, tells which program it runs. Forward keeps for backward its input and, on a GPU for long inputs, checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurons.kernels.cpu import cpu_kernel
from neurons.kernels.source import KernelSource


class Kernel(Protocol):
    """A compiled source. All tensors are contiguous; coefficients are of the states' dtype."""

    def forward(
        self, x: Tensor, coefficients: Sequence[Tensor], for_backward: bool, bptt_steps: int | None
    ) -> tuple[Tensor, Tensor]:
        """The output, and checkpoints that backward needs beside x (empty if none)."""

    def backward(
        self, grad: Tensor, x: Tensor, checkpoints: Tensor, coefficients: Sequence[Tensor], bptt_steps: int | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradients of x and of each coefficient; with `bptt_steps` truncated (see `neurons.truncation`)."""


_sources: dict[str, tuple[KernelSource, int | None]] = {}


class FusedRunner:
    """Runs one program over time, by one kind of kernel ("cpu" or "triton")."""

    def __init__(self, source: KernelSource, kind: str, bptt_steps: int | None) -> None:
        self.source = source
        self.handle = f"{kind}:{source.neuron}-{source.digest}" + (f"-bptt{bptt_steps}" if bptt_steps else "")
        _sources[self.handle] = source, bptt_steps

    def __call__(self, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32  # of the states, also for 16-bit inputs
        values = [parameters[name].to(dtype) for name in self.source.parameters]
        coefficients = [value.contiguous() for value in self.source.prologue(*values)]
        needed = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *coefficients))
        if torch.compiler.is_compiling():
            return fused_forward(x.contiguous(), coefficients, self.handle, needed)[0]
        return _FusedFunction.apply(x.contiguous(), self.handle, needed, *coefficients)


class _FusedFunction(torch.autograd.Function):
    """The same for eager mode: a custom operation costs 0.2 ms a call more, which small layers would feel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, handle: str, needed: bool, *coefficients: Tensor) -> Tensor:
        output, checkpoints = _kernel(handle, x).forward(x, coefficients, needed, _window(handle, x))
        if needed:
            ctx.save_for_backward(x, checkpoints, *coefficients)
            ctx.handle = handle
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, checkpoints, *coefficients = ctx.saved_tensors
        kernel, window = _kernel(ctx.handle, x), _window(ctx.handle, x)
        grad_x, grad_coefficients = kernel.backward(grad.contiguous(), x, checkpoints, coefficients, window)
        return grad_x, None, None, *grad_coefficients


def _kernel(handle: str, x: Tensor) -> Kernel:
    if handle.startswith("triton:"):
        from neurons.kernels.triton_launch import triton_kernel

        return triton_kernel(_sources[handle][0])
    return cpu_kernel(_sources[handle][0], x.dtype)


def _window(handle: str, x: Tensor) -> int | None:
    """Time steps that a gradient may go back; None if that is all of them."""
    bptt_steps = _sources[handle][1]
    return None if bptt_steps is None or bptt_steps >= x.shape[0] else bptt_steps


@torch.library.custom_op("neurons::fused_forward", mutates_args=())
def fused_forward(x: Tensor, coefficients: Sequence[Tensor], handle: str, needed: bool) -> tuple[Tensor, Tensor]:
    return _kernel(handle, x).forward(x, coefficients, needed, _window(handle, x))


@torch.library.custom_op("neurons::fused_backward", mutates_args=())
def fused_backward(
    grad: Tensor, x: Tensor, checkpoints: Tensor, coefficients: Sequence[Tensor], handle: str
) -> list[Tensor]:
    kernel, window = _kernel(handle, x), _window(handle, x)
    grad_x, grad_coefficients = kernel.backward(grad, x, checkpoints, coefficients, window)
    return [grad_x, *grad_coefficients]


@fused_forward.register_fake
def _(x: Tensor, coefficients: Sequence[Tensor], handle: str, needed: bool) -> tuple[Tensor, Tensor]:
    shape: tuple[Any, ...] = (0,)
    if needed and handle.startswith("triton:"):
        from neurons.kernels.triton_launch import checkpoint_shape

        shape = checkpoint_shape(_sources[handle][0], x.shape, _window(handle, x))
    return torch.empty_like(x), x.new_empty(shape, dtype=torch.float32)


@fused_backward.register_fake
def _(grad: Tensor, x: Tensor, checkpoints: Tensor, coefficients: Sequence[Tensor], handle: str) -> list[Tensor]:
    return [torch.empty_like(x), *(torch.empty_like(value) for value in coefficients)]


def _save(ctx: Any, inputs: tuple[Tensor, Sequence[Tensor], str, bool], output: tuple[Tensor, Tensor]) -> None:
    x, coefficients, ctx.handle, _ = inputs
    ctx.save_for_backward(x, output[1], *coefficients)


def _differentiate(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, list[Tensor], None, None]:
    x, checkpoints, *coefficients = ctx.saved_tensors
    grad_x, *grad_coefficients = fused_backward(grad.contiguous(), x, checkpoints, coefficients, ctx.handle)
    return grad_x, grad_coefficients, None, None


torch.library.register_autograd(fused_forward, _differentiate, setup_context=_save)
