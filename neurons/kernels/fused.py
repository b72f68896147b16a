"""A fused program as what a layer calls: differentiable, by the shortest way that the tensors allow.

Three ways lead to the same kernels. Plain tensors in eager mode go straight to them (an operation of torch costs
0.2 ms a call more, which small layers would feel). What compiles, traces or fakes meets the registered operations.
Torch's transforms meet functions that say how a batch or a second derivative is treated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd import forward_ad

from neurons.kernels import fused_transforms
from neurons.kernels.fused_operations import fused_forward
from neurons.kernels.programs import Program, as_stored, make_known
from neurons.kernels.source import KernelSource

PLAIN = (Tensor, torch.nn.Parameter)
PRE_DISPATCH = torch._C.DispatchKey.PreDispatch


class FusedRunner:
    """Runs one program over time, by one kind of kernel ("cpu" or "triton")."""

    def __init__(self, source: KernelSource, kind: str, bptt_steps: int | None) -> None:
        self.source = source
        self.prologue = source.prologue  # made here, not where torch.compile traces
        self.program = Program(kind, source, bptt_steps)
        self.handle = make_known(self.program)

    def __call__(self, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32  # of the states, also for 16-bit inputs
        values = [parameters[name].to(dtype) for name in self.source.parameters]
        coefficients = self.prologue(*values)
        needed = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *coefficients))
        if torch.compiler.is_compiling():
            return fused_forward(x.contiguous(), [value.contiguous() for value in coefficients], self.handle, needed)[0]
        if forward_ad._current_level >= 0:
            self._refuse_tangents((x, *coefficients))
        if torch._C._are_functorch_transforms_active():
            return fused_transforms.Forward.apply(x, self.handle, *coefficients)[0]
        if not _plain((x, *coefficients)):
            return fused_forward(x, list(coefficients), self.handle, needed)[0]
        return _FusedFunction.apply(as_stored(x), self.program, needed, *(as_stored(value) for value in coefficients))

    def _refuse_tangents(self, tensors: Iterable[Tensor]) -> None:
        if any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors):
            raise self.program.once("forward-mode derivatives (jvp, jacfwd, hessian)")


class _FusedFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, program: Program, needed: bool, *coefficients: Tensor) -> Tensor:
        output, checkpoints = program.forward(x, coefficients, needed)
        if needed:
            ctx.save_for_backward(x, checkpoints, *coefficients)
            ctx.program = program
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, checkpoints, *coefficients = ctx.saved_tensors
        program: Program = ctx.program
        # A second derivative is refused by the function of the transforms, which a graph of the gradient records.
        if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active() or not _plain((grad, x)):
            grad_x, *grads = fused_transforms.Backward.apply(grad, x, checkpoints, program.handle, *coefficients)
        else:
            _refuse_batch(grad, program)
            grad_x, grads = program.backward(as_stored(grad), x, checkpoints, coefficients)
        return grad_x, None, None, *grads

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> NoReturn:
        raise ctx.program.once("forward-mode derivatives (jvp, jacfwd)")


def _plain(tensors: Iterable[Tensor]) -> bool:
    """Whether these tensors are no more than numbers in memory, and nothing watches what is done with them."""
    if torch._C._len_torch_dispatch_stack() or torch._C._dispatch_tls_is_dispatch_key_included(PRE_DISPATCH):
        return False
    return all(type(tensor) in PLAIN and not tensor.is_meta for tensor in tensors)


def _refuse_batch(grad: Tensor, program: Program) -> None:
    """`torch.autograd` batches gradients by tensors that look plain, but have no memory of their own."""
    try:
        grad.data_ptr()
    except RuntimeError:
        raise program.once("batched gradients (is_grads_batched, vectorize) use torch.func.jacrev, or") from None
